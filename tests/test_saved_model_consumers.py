"""Users of an exported model: scripts that run where elmo_tf2 can't be imported.

Each function `test_…` of a script in tests/consumers is a test here. The scripts run beside each
other, and each once for all of its tests, since loading a model takes seconds.
"""

import ast
import json
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from elmo_tf2.characters import sentences_to_char_ids
from elmo_tf2.convert import convert
from elmo_tf2.models import ElmoEmbeddings
from elmo_tf2.saved_model import export_saved_model
from tests.processes import run_python
from tests.saved_models import MIX, one_layer

pytestmark = pytest.mark.slow

CONSUMERS = Path(__file__).parent / "consumers"
# What runs in one process; the two take about as long.
PROCESSES = (("hub_load",), ("fine_tuning", "command_line", "keras_layer", "tfsm_layer"))

TEXT = [
    "the cat is on the mat",
    "dogs are in the fog",
    "x",
    "  two  spaces between ",
    "na\u00efve \u65e5\u672c\u8a9e \U0001f355 cafe\u0301",
    "",
    "Rindfleischetikettierungs\u00fcberwachungsaufgaben\u00fcbertragungsgesetz <S> </S>\ttab",
]
TOKENS = [
    ["the", "cat", "is", "on", "the", "mat"],
    ["dogs", "are", "in", "the", "fog", ""],
    ["an", "", "empty", "one", "", "ignored"],
    ["", "", "", "", "", ""],
]
LENGTHS = [6, 5, 5, 0]


def parameters_of(script):
    """The tests in a script, without importing it."""
    for node in ast.parse((CONSUMERS / f"{script}.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield f"{script}.{node.name}"


def run_tests(folder, tests):
    """Runs tests `script.function`; the error of each, None where there was none."""
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    result = run_python(CONSUMERS / "consumer.py", folder, *tests, cwd=elsewhere, PYTHONPATH=None)
    reports = [json.loads(line) for line in result.stdout.splitlines() if line[:9] == '{"test": ']
    errors = {report["test"]: report["error"] for report in reports}
    for test in set(tests) - set(errors):
        errors[test] = f"The process ended with {result.returncode}:\n{result.stderr[-3000:]}"
    return errors


def selected(request, scripts):
    """The tests of some scripts that this run of pytest has selected."""
    parameters = [
        item.callspec.params["test"]
        for item in request.session.items
        if item.path == request.path and "test" in getattr(item, "fixturenames", ())
    ]
    return [test for script in scripts for test in parameters if test.startswith(f"{script}.")]


def exact_outputs(elmo, char_ids, lengths):
    """All outputs, by the layer and the encoder in this process."""
    encoded = elmo.encoder(char_ids)
    layers = [np.asarray(layer) for layer in encoded.layers()]
    mixed = np.asarray(elmo(char_ids))
    pairs = zip(mixed, lengths, strict=True)
    means = [rows[:length].mean(0) if length else rows.sum(0) for rows, length in pairs]
    return {
        "word_emb": np.asarray(encoded.word_vectors),
        **{f"lstm_outputs{index}": layer for index, layer in enumerate(layers) if index},
        "elmo": mixed,
        "default": np.array(means),
        "sequence_len": np.array(lengths, np.int32),
    }


def prefixed(prefix, arrays):
    return {f"{prefix}__{name}": array for name, array in arrays.items()}


def padded(sentences):
    longest = max(map(len, sentences))
    return [[*words, *[""] * (longest - len(words))] for words in sentences]


@pytest.fixture(scope="module")
def models(tmp_path_factory, shared_export):
    """A folder with exports of a small model, and its outputs in this process."""
    folder = tmp_path_factory.mktemp("exported") / "models"
    elmo = one_layer(**MIX)
    shutil.copytree(shared_export("one_layer"), folder / "mix")
    export_saved_model(one_layer(l2=0.1), folder / "all", trainable="all")
    words = [[word for word in text.split(" ") if word] for text in TEXT]
    expected = {"text": json.dumps(TEXT), "tokens": json.dumps(TOKENS)}
    for name, tokens, lengths in (
        ("text", padded(words), [len(sentence) for sentence in words]),
        ("tokens", TOKENS, LENGTHS),
    ):
        ids = sentences_to_char_ids(tf.constant(tokens), tf.constant(lengths))
        expected |= prefixed(name, exact_outputs(elmo, ids, lengths))
    np.savez(folder / "expected.npz", **expected)
    return folder


@pytest.fixture(scope="module")
def errors(request, models):
    """By script, what became of its tests: a future that a test waits for."""
    with ThreadPoolExecutor(len(PROCESSES)) as pool:
        futures = {}
        for scripts in PROCESSES:
            tests = selected(request, scripts)
            futures |= dict.fromkeys(scripts, pool.submit(run_tests, models, tests))
        yield futures


@pytest.mark.parametrize(
    "test",
    [test for scripts in PROCESSES for script in scripts for test in parameters_of(script)],
)
def test_consumer(test, errors):
    error = errors[test.split(".")[0]].result()[test]
    if error:
        pytest.fail(error, pytrace=False)


def test_the_executable_of_saved_model_cli_runs_the_signature_elmo(models, tmp_path):
    executable = Path(sys.executable).with_name("saved_model_cli")
    result = run_python(
        executable,
        *["run", "--dir", str(models / "mix"), "--tag_set", "serve", "--signature_def", "elmo"],
        *["--input_exprs", f"strings={TEXT!r}", "--outdir", str(tmp_path)],
        cwd=tmp_path,
    )
    assert result.returncode == 0, result.stderr
    expected = np.load(models / "expected.npz")
    for name in ("elmo", "sequence_len"):
        found = np.load(tmp_path / f"{name}.npy")
        # 1e-5 is the project's bound in float32.
        np.testing.assert_allclose(found, expected[f"text__{name}"], rtol=0, atol=1e-5)


# --- models that others published ----------------------------------------------------------------


@pytest.fixture(scope="module")
def golden_errors(request, golden, tmp_path_factory):
    """What became of each test of tests/consumers/golden.py."""
    folder = tmp_path_factory.mktemp("golden") / "models"
    convert(golden / "tf1_hub", folder / "tf1_hub_weights")
    export_saved_model(ElmoEmbeddings.from_folder(folder / "tf1_hub_weights"), folder / "tf1_hub")
    shutil.copytree(golden / "tf1_hub", folder / "tf1_module")
    np.savez(folder / "tf1_hub.npz", **of_the_tf1_module(golden))
    export_golden_mini(golden, folder)
    return run_tests(folder, selected(request, ["golden"]))


def of_the_tf1_module(golden):
    """The module's outputs, zero where ours are defined as zero and it leaves them open."""
    with np.load(golden / "tf1_hub.expected.npz") as module:
        arrays = {name: module[name] for name in module}
    texts, tokens = (json.loads(str(arrays[name])) for name in ("text", "tokens"))
    # its mean over no words is a division by zero
    arrays["default__default"][[not text.strip() for text in texts]] = 0
    lengths = [sum(map(bool, words)) for words in tokens]
    arrays["tokens__sequence_len"] = np.array(lengths, np.int32)
    expected = {"text": arrays["text"], "tokens": arrays["tokens"]}
    for name, prefix in (("text", "default"), ("tokens", "tokens")):
        length = arrays[f"{prefix}__sequence_len"]
        outputs = {
            key.removeprefix(f"{prefix}__"): value
            for key, value in arrays.items()
            if key.startswith(f"{prefix}__")
        }
        for value in outputs.values():
            if value.ndim == 3:
                value[np.arange(value.shape[1]) >= length[:, np.newaxis]] = 0
        expected |= prefixed(name, outputs)
    return expected


def export_golden_mini(golden, folder):
    """Exports the model that bilm-tf was run on, with the mix that its mix was computed with."""
    with np.load(golden / "mini" / "expected_bilm.npz") as bilm:
        sentences = json.loads(str(bilm["sentences_json"]))
        lengths = bilm["lengths"]
        mix = {
            "initial_weights": bilm["mix_W"].tolist(),
            "initial_gamma": float(bilm["mix_gamma"][0]),
        }
        packed = {
            "word_emb": bilm["layers"][0, :, :32],
            "lstm_outputs1": bilm["layers"][1],
            "lstm_outputs2": bilm["layers"][2],
            "elmo": bilm["mix"],
        }
    elmo = ElmoEmbeddings.from_folder(golden / "mini", **mix)
    export_saved_model(elmo, folder / "mini")
    is_real = np.arange(lengths.max()) < lengths[:, np.newaxis]
    outputs = {"sequence_len": lengths}
    for name, values in packed.items():
        outputs[name] = np.zeros((*is_real.shape, values.shape[1]), np.float32)
        outputs[name][is_real] = values
    tokens = json.dumps(padded(sentences))
    np.savez(folder / "mini.npz", tokens=tokens, **prefixed("tokens", outputs))


@pytest.mark.parametrize("test", list(parameters_of("golden")))
def test_published_model(test, golden_errors):
    if golden_errors[test]:
        pytest.fail(golden_errors[test], pytrace=False)


@pytest.mark.parametrize("publisher", ["bilm", "allennlp"])
def test_an_export_of_a_published_test_model_gives_its_published_vectors(
    publisher, golden, tmp_path
):
    h5py = pytest.importorskip("h5py")
    folder = golden / f"{publisher}_published"
    elmo = ElmoEmbeddings.from_folder(folder)
    exported = tf.saved_model.load(str(export_saved_model(elmo, tmp_path / "exported")))
    file = "lm_embeddings_sentences.json" if publisher == "bilm" else "sentences.json"
    for index, sentences in enumerate(json.loads((folder / file).read_text(encoding="utf-8"))):
        # Only the first sentence of each list was embedded from zero states.
        with h5py.File(folder / f"lm_embeddings_{index}.hdf5") as published:
            forward, backward = published["0"][...]
        text = sentences[0] if isinstance(sentences[0], str) else " ".join(sentences[0])
        found = exported.signatures["default"](strings=tf.constant([text]))
        top = found[f"lstm_outputs{elmo.config.num_layers}"][0]
        # 1e-5 is the project's bound in float32.
        np.testing.assert_allclose(top, np.concatenate([forward, backward], 1), rtol=0, atol=1e-5)
