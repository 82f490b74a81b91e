"""`saved_model_cli`, which comes with TensorFlow."""

import contextlib
import io
import sys
from unittest import mock

import numpy as np
from absl.testing import flagsaver
from consumer import FOLDER, assert_outputs_close, expected, path
from tensorflow.python.tools import saved_model_cli

MODEL = ["--dir", path("mix"), "--tag_set", "serve"]


def saved_model_cli_output(*arguments):
    """What the command prints, given its arguments."""
    printed = io.StringIO()
    with (
        mock.patch.object(sys, "argv", ["saved_model_cli", *arguments]),
        contextlib.redirect_stdout(printed),
        flagsaver.flagsaver(),  # or else one run would see the arguments of the run before
        contextlib.suppress(SystemExit),
    ):
        saved_model_cli.main()
    return printed.getvalue()


def outputs_of(signature, inputs):
    """The arrays that `saved_model_cli run` leaves in its folder."""
    folder = FOLDER / f"command_line_{signature}"
    of_signature = ["--signature_def", signature, "--input_exprs", inputs]
    saved_model_cli_output("run", *MODEL, *of_signature, "--outdir", str(folder))
    return {file.stem: np.load(file) for file in folder.glob("*.npy")}


def test_run_default_gives_all_outputs():
    text, of_text = expected("text")
    assert_outputs_close(outputs_of("default", f"strings={text!r}"), of_text)


def test_run_tokens_takes_two_inputs():
    tokens, of_tokens = expected("tokens")
    lengths = of_tokens["sequence_len"].tolist()
    found = outputs_of("tokens", f"tokens={tokens!r};sequence_len={lengths!r}")
    assert_outputs_close(found, of_tokens)


def test_show_lists_the_signatures():
    shown = saved_model_cli_output("show", *MODEL)
    for signature in ("default", "elmo", "serving_default", "tokens"):
        assert f'"{signature}"' in shown, shown


def test_show_describes_inputs_and_outputs():
    shown = saved_model_cli_output("show", *MODEL, "--signature_def", "tokens")
    for name in ("tokens", "sequence_len"):
        assert f"inputs['{name}'] tensor_info" in shown, shown
    outputs = ("default", "elmo", "lstm_outputs1", "sequence_len", "word_emb")
    for name in outputs:
        assert f"outputs['{name}'] tensor_info" in shown, shown
