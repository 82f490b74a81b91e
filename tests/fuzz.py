"""Damages files, kills writers and tries values at random: a refusal is one line, nothing is lost.

python tests/fuzz.py [--seconds 120] [--seed NUMBER] [--case NUMBER]

Four kinds of cases take turns:

- bytes: a file is cut, or some of its bytes are replaced, moved or put in;
- flips: one bit of a file is another;
- kills: a process is killed while it replaces a model folder or a table;
- values: an argument, a length or a character id is what nobody would give.

A file is read, or refused in a line that names it. What fails is printed with the seed and the
number of its case, which `--case` runs alone.
"""

import argparse
import contextlib
import dataclasses
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

import numpy as np
import tensorflow as tf
from typer.testing import CliRunner

from elmo_tf2.characters import checked_char_ids, checked_lengths, words_to_char_ids
from elmo_tf2.cli import app
from elmo_tf2.config import NUM_CHARACTERS, ElmoConfig
from elmo_tf2.data.vocabulary_file import read_vocabulary, write_vocabulary
from elmo_tf2.layers import CharCNN
from elmo_tf2.pretraining_config import PretrainingConfig
from elmo_tf2.training import RunFolder
from elmo_tf2.weights import (
    ElmoWeights,
    Softmax,
    detect,
    expected_shapes,
    read_weights,
    write_model_folder,
)

REFUSALS = (ValueError, tf.errors.InvalidArgumentError)
MOST_SECONDS = 20  # of a case
CONFIG = ElmoConfig(filters=((1, 4), (2, 3)), units=6, projection_dim=5, num_highway_layers=1)
VALUES = [
    *(None, True, False, "", "abc", "1e-3", b"x", [], {}, [[1, 2]], {"a": 1}, (), object()),
    *(0, 1, -1, 2, 50, 261, 262, 2**31 - 1, 2**31, 2**32 + 1, 2**63, 10**23, 10**400, 10**5000),
    *(0.0, 0.5, 1.0, 1.5, -0.5, 1e-60, 1e30, 1e39, float("nan"), float("inf"), np.float32(2)),
    *(np.int64(3), np.zeros(3), complex(1), Path("x"), "\x00", "a\nb", "x" * 10_000),
]


def random_weights(seed):
    """A language model of few words."""
    rng = np.random.default_rng(seed)
    words = ("<S>", "</S>", "<UNK>", "the", "cat")
    shapes = {**expected_shapes(CONFIG), "kernel": (len(words), CONFIG.softmax_dim)}
    arrays = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    softmax = Softmax(arrays.pop("kernel"), rng.normal(size=len(words)))
    return ElmoWeights(CONFIG, arrays, softmax=softmax, vocabulary=words)


# Commands that end at once whatever the option's value is, for there is a file of that name.
COMMANDS = {
    "prepare {text} {text}": ("--shards --seed --heldout --min-count --vocab-size --normalize"),
    "embed {model} {text} {out}": "--batch-size --layers --max-points --dtype --sentence",
    "plot cat {text} --out {out}": "--clusters --layer --max-points --tokenizer",
    "export {model} {text}": "--dtype --trainable --tokenizer",
    "pretrain {text} --data {text}": "--save-every --evaluate-every --set",
    "evaluate {model} {text} --scores {text}": "--batch-size --options --vocab",
}


class Fuzz:
    """What is damaged, beside its sound copy.

    Args:
        folder: an empty folder.
        seed: of all cases.
    """

    def __init__(self, folder, seed):
        self.folder, self.seed = Path(folder), seed
        self.weights = [random_weights(n) for n in (1, 2)]
        self.model = self.folder / "model"
        write_model_folder(self.weights[0], self.model)
        text = self.folder / "text"
        text.write_text("the cat sat\n")
        (self.folder / "out.h5").write_bytes(b"")
        self.run = RunFolder(self.folder / "run")
        config = PretrainingConfig(model=CONFIG, batch_size=2, unroll_steps=2, updates=3)
        self.run.create(config, self.weights[0].vocabulary, [text], text)
        self.run.cut_history(0)
        for update in range(3):
            self.run.record({"update": update, "loss": 1.5, "perplexity": 4.5})
        self.readers = {
            **{self.model / name: self._read_model for name in os.listdir(self.model)},
            self.run.config_file: self.run.read_config,
            self.run.text_file: self.run.read_text,
            self.run.history_file: self.run.read_history,
            self.run.vocabulary_file: self.run.read_vocabulary,
        }
        self.char_cnn = CharCNN(CONFIG.filters, 5)

    def _read_model(self):
        if detect(self.model) != "model folder":
            raise AssertionError("a model folder became something else")
        weights = read_weights(self.model)
        shapes = {name: array.shape for name, array in weights.arrays.items()}
        assert shapes == expected_shapes(weights.config)
        assert all(np.isfinite(array).all() for array in weights.arrays.values())

    # The kinds of cases.

    def bytes(self, rng):
        def damaged(content):
            start = rng.randrange(len(content) + 1)
            end = min(len(content), start + rng.choice([0, 1, 4, 100]))
            new = rng.choice(
                [b"", b"\x00", b"\xff\xfe", b"*a", b"[" * 5_000, b"9" * 5_000, b"1e999", b"\n"]
                + [rng.randbytes(rng.choice([1, 8, 64])), content[:50], b"null", b"-1", b"{", b'"']
            )
            return content[:start] + new + (b"" if rng.random() < 0.3 else content[end:])

        self._read_damaged(rng, damaged)

    def flips(self, rng):
        def flipped(content):
            changed = bytearray(content)
            changed[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
            return bytes(changed)

        self._read_damaged(rng, flipped)

    def _read_damaged(self, rng, damage):
        path = rng.choice(sorted(self.readers))
        content = path.read_bytes()
        path.write_bytes(damage(content))
        try:
            self._refused_in_a_line(self.readers[path], path.parent.name)
        finally:
            path.write_bytes(content)

    def kills(self, rng):
        new = rng.randrange(2)
        words = self.weights[0].vocabulary, (*self.weights[0].vocabulary, "more")
        table = self.folder / "words.txt"
        child = os.fork()
        if not child:
            with contextlib.suppress(BaseException):
                write_vocabulary(table, words[new])
                write_model_folder(self.weights[new], self.model, overwrite=True)
            os._exit(0)
        time.sleep(rng.random() * 0.03)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        assert not table.exists() or read_vocabulary(table) in words
        # Between two renames there is neither; the old one is in a hidden folder beside it then.
        hidden = list(self.folder.glob(".model-*/replaced"))
        for place in [self.model] if self.model.exists() else hidden:
            found = read_weights(place).arrays["char_embed"]
            assert any(np.array_equal(found, one.arrays["char_embed"]) for one in self.weights)
        assert self.model.exists() or hidden, "the model is lost"
        for left in self.folder.glob(".*-*"):
            shutil.rmtree(left)
        write_model_folder(self.weights[0], self.model, overwrite=True)

    def values(self, rng):
        kind = rng.choice([ElmoConfig, PretrainingConfig])
        name = rng.choice([field.name for field in dataclasses.fields(kind)])
        value = rng.choice(VALUES)

        def configure():
            config = kind(**{name: value})
            if kind is PretrainingConfig:
                path = self.folder / "config.yaml"
                path.write_text(config.to_yaml())
                assert PretrainingConfig.from_file(path) == config
            else:
                assert (
                    ElmoConfig.from_options(json.loads(json.dumps(config.to_options()))) == config
                )

        self._refused_in_a_line(configure, name)
        self._command(rng, value)
        numbers = [number for number in VALUES if type(number) is int and abs(number) < 2**63]
        tokens = tf.constant([["a", "b"], ["c", ""]])
        lengths = rng.choices(numbers, k=rng.choice([1, 2, 2, 2, 3]))

        def check_lengths():
            checked = checked_lengths("lengths", tf.constant(lengths, tf.int64), tokens)
            assert checked.numpy().tolist() == lengths and set(lengths) <= {0, 1, 2}

        self._refused_in_a_line(check_lengths, "lengths")
        ids = words_to_char_ids(tokens, 6).numpy().astype(np.int64)
        ids[rng.randrange(2), 0, rng.randrange(6)] = number = rng.choice(numbers)

        def compute():
            assert np.isfinite(self.char_cnn(checked_char_ids(tf.constant(ids)))).all()
            assert 0 <= number < NUM_CHARACTERS

        self._refused_in_a_line(compute, "Character ids")

    def _command(self, rng, value):
        command, options = rng.choice(sorted(COMMANDS.items()))
        names = {name: self.folder / name for name in ("model", "text", "out.h5")}
        paths = {name.partition(".")[0]: path for name, path in names.items()}
        try:
            argument = f"{rng.choice(options.split())}={value}"
        except ValueError:  # an integer of thousands of digits
            return
        arguments = [part.format(**paths) for part in command.split()]
        result = CliRunner().invoke(app, [*arguments, argument])
        told = f"{arguments} {argument[:100]}: {result.output[:300]} {result.exception!r}"
        errors = [line for line in result.output.splitlines() if line.startswith("Error: ")]
        assert result.exit_code in (1, 2) and len(errors) == 1, told

    def _refused_in_a_line(self, call, name):
        """Calls what must succeed, or refuse in a line that has the name."""
        try:
            call()
        except OSError as error:
            # Of the system, which names the file; or of the package.
            assert error.filename or name in str(error), error
        except REFUSALS as error:
            text = error.message if isinstance(error, tf.errors.OpError) else str(error)
            assert name in text, f"it names no {name}: {text[:300]}"
            # The faults of a weight file are listed, one per line.
            assert "\n" not in text.strip() or "does not fit" in text, f"lines: {text[:300]}"
            assert len(text) < 20_000, f"long: {text[:300]}"

    def case(self, number):
        """Runs a case; the name of its kind."""
        kind = ("bytes", "flips", "kills", "values")[number % 4]
        start = time.monotonic()
        getattr(self, kind)(random.Random(f"{self.seed}/{number}"))
        seconds = time.monotonic() - start
        assert seconds < MOST_SECONDS, f"it took {seconds:.0f} seconds"
        return kind


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--case", type=int)
    options = parser.parse_args(arguments)
    print(f"seed {options.seed}", flush=True)
    done, failed = Counter(), 0
    with tempfile.TemporaryDirectory() as folder:
        fuzz = Fuzz(folder, options.seed)
        end = time.monotonic() + options.seconds
        number = options.case or 0
        while time.monotonic() < end and failed < 10:
            try:
                done[fuzz.case(number)] += 1
            except Exception:
                failed += 1
                print(f"FAILED: --seed {options.seed} --case {number}", flush=True)
                traceback.print_exc(limit=-4)
            if options.case is not None:
                break
            number += 1
    print(", ".join(f"{count} {kind}" for kind, count in done.items()))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
