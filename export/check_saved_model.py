"""Verifies an exported ELMo as its users have it, and prints a table of what held.

    python export/check_saved_model.py PATH

PATH is the folder that `export_hub.py` or `elmo-tf2 export` made. Nothing but TensorFlow and
tensorflow_hub is used, as by a user who has neither elmo_tf2 nor Keras code: the folder is loaded
by `hub.load`, called in all the ways that its model card promises, trained by a GradientTape and
saved again. Every line is a check, with `ok` or FAILED and what was found.

The exit code is 0 if all held, and 1 if one did not or PATH is no such folder. Numbers count as
equal within 1e-5. README.md beside this script has the contract that is checked.
"""

import argparse
import contextlib
import itertools
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

# Imported by `main`, when the arguments are read: TensorFlow takes seconds.
tf: Any = None
hub: Any = None

TOLERANCE = 1e-5  # float32, and sums whose order depends on the batch
TEXT = ("the cat is on the mat", "dogs are in the fog")
WORDS = (("the", "cat", "is", "on", "the", "mat"), ("dogs", "are", "in", "the", "fog", ""))
LENGTHS = (6, 5)
HARD_TEXT = (*TEXT, "x", "na\u00efve caf\u00e9 \u4eca\u65e5", "the the the", "<S> </S> " + "y" * 99)

INPUTS = {
    "default": {"strings": ("string", 1)},
    "elmo": {"strings": ("string", 1)},
    "serving_default": {"strings": ("string", 1)},
    "tokens": {"tokens": ("string", 2), "sequence_len": ("int32", 1)},
}
SHORT_OUTPUTS = {"elmo": ("float32", 3), "sequence_len": ("int32", 1)}
OUTPUTS = {**SHORT_OUTPUTS, "word_emb": ("float32", 3), "default": ("float32", 2)}

Outputs = Mapping[str, np.ndarray]


class Unusable(Exception):
    """PATH is nothing that can be checked."""


class Failed(Exception):
    """Something is not as promised."""


class Model(NamedTuple):
    """What is checked.

    Attributes:
        folder: where it was loaded from.
        elmo: what `hub.load` gave.
        embed: strings to all outputs, as arrays, by the callable in one graph for any batch.
    """

    folder: Path
    elmo: Any
    embed: Callable[[Sequence[str]], Outputs]


CHECKS: list[tuple[str, Callable[[Model], str]]] = []


def check(function: Callable[[Model], str]) -> Callable[[Model], str]:
    """Adds a function to the table. Its docstring is the title; it returns what it found."""
    CHECKS.append((str(function.__doc__).rstrip("."), function))
    return function


# --- what checks share -------------------------------------------------------------------------


def require(holds: Any, found: str) -> None:
    """Fails with `found` unless `holds`."""
    if not holds:
        raise Failed(found)


def arrays(outputs: Mapping[str, Any]) -> Outputs:
    """Outputs as NumPy arrays."""
    return {name: np.asarray(value) for name, value in outputs.items()}


def types_and_ranks(specs: Mapping[str, Any]) -> dict[str, tuple[str, int]]:
    """The types and ranks of tensors by their names."""
    return {name: (spec.dtype.name, spec.shape.rank) for name, spec in specs.items()}


def tokens_of(words: Sequence[Sequence[str]], lengths: Sequence[int]) -> dict[str, Any]:
    """The inputs of the signature `tokens`."""
    return {"tokens": tf.constant(words), "sequence_len": tf.constant(lengths, tf.int32)}


def sentence(outputs: Outputs, row: int) -> Outputs:
    """The outputs of one sentence, without padding."""
    length = int(outputs["sequence_len"][row])
    return {
        name: value[row, :length] if value.ndim == 3 else value[row]
        for name, value in outputs.items()
    }


def difference(first: Outputs, second: Outputs) -> float:
    """The largest difference of outputs that must have the same names and shapes."""
    require(set(first) == set(second), f"outputs {sorted(first)} against {sorted(second)}")
    largest = 0.0
    for name in first:
        shapes = first[name].shape, second[name].shape
        require(shapes[0] == shapes[1], f"{name}: shape {shapes[0]} against {shapes[1]}")
        if first[name].size:
            distance = np.abs(first[name].astype(float) - second[name]).max()
            require(distance <= TOLERANCE, f"{name} differs by {distance:.1e}")
            largest = max(largest, float(distance))
    return largest


def same(differences: Sequence[float]) -> str:
    """What is found if all is equal."""
    largest = max(differences)
    return f"largest difference {largest:.0e}" if largest else "no difference"


# --- checks ------------------------------------------------------------------------------------


@check
def model_card(model: Model) -> str:
    """A model card is there."""
    card = model.folder / "model_card.md"
    require(card.is_file(), "there is none")
    text = card.read_text(encoding="utf-8")
    require("hub.load" in text, "it does not tell how to load the model")
    return f"{len(text.splitlines())} lines"


@check
def signature_names(model: Model) -> str:
    """Signatures: names."""
    found = set(model.elmo.signatures)
    missing = sorted(set(INPUTS) - found)
    require(not missing, f"missing: {', '.join(missing)}")
    return ", ".join(sorted(found))


@check
def signature_inputs(model: Model) -> str:
    """Signatures: inputs."""
    for name, expected in INPUTS.items():
        specs = model.elmo.signatures[name].structured_input_signature[1]
        found = types_and_ranks(specs)
        require(found == expected, f"{name}: {found}, expected {expected}")
        free = all(size is None for spec in specs.values() for size in spec.shape)
        require(free, f"{name} takes one size of batch or sentence only")
    return "strings; tokens and sequence_len"


@check
def signature_outputs(model: Model) -> str:
    """Signatures: outputs."""
    num_layers = 0
    for name in INPUTS:
        specs = model.elmo.signatures[name].structured_outputs
        if name == "elmo":
            expected = SHORT_OUTPUTS
        else:
            num_layers = sum(output.startswith("lstm_outputs") for output in specs)
            lstm_outputs = [f"lstm_outputs{layer}" for layer in range(1, num_layers + 1)]
            expected = OUTPUTS | dict.fromkeys(lstm_outputs, ("float32", 3))
            require(num_layers, f"{name} has no lstm_outputs1")
        found = types_and_ranks(specs)
        require(found == expected, f"{name}: {found}, expected {expected}")
        sizes = {output: spec.shape[-1] for output, spec in specs.items() if spec.shape.rank > 1}
        word_size = sizes.pop("word_emb", None)
        require(len(set(sizes.values())) == 1, f"{name}: last axes {sizes}")
        require(word_size in (None, sizes["elmo"] // 2), f"{name}: word_emb has {word_size}")
    return f"LSTM layers: {num_layers}; word_emb {sizes['elmo'] // 2}, the others {sizes['elmo']}"


@check
def signatures_agree(model: Model) -> str:
    """Signatures: agree with each other."""
    signatures = model.elmo.signatures
    strings = tf.constant(TEXT)
    default = arrays(signatures["default"](strings=strings))
    short = {name: default[name] for name in SHORT_OUTPUTS}
    return same(
        [
            difference(default, arrays(signatures["serving_default"](strings=strings))),
            difference(short, arrays(signatures["elmo"](strings=strings))),
            difference(default, arrays(signatures["tokens"](**tokens_of(WORDS, LENGTHS)))),
        ]
    )


@check
def callable_agrees(model: Model) -> str:
    """Signatures: agree with the callable."""
    strings = tf.constant(HARD_TEXT)
    default = arrays(model.elmo.signatures["default"](strings=strings))
    return same([difference(default, model.embed(HARD_TEXT))])


@check
def line_of_hub_module(model: Model) -> str:
    """Callable: hub.Module's line."""
    elmo = model.elmo
    # Word for word as it was written for TensorFlow 1, on one line.
    # fmt: off
    vectors = elmo(["the cat is on the mat", "dogs are in the fog"], signature="default", as_dict=True)["elmo"]  # noqa: E501
    # fmt: on
    require(vectors.shape[:2] == (2, 6), f"shape {vectors.shape}")
    difference({"elmo": vectors.numpy()}, {"elmo": model.embed(TEXT)["elmo"]})
    return f"shape {tuple(vectors.shape)}"


@check
def forms_of_strings(model: Model) -> str:
    """Callable: list, array, tensor, inputs=."""
    expected = {"default": model.embed(TEXT)["default"]}
    found = [
        model.elmo(list(TEXT)),
        model.elmo(np.array(TEXT)),
        model.elmo(tf.constant(TEXT)),
        model.elmo(inputs=tf.constant(TEXT)),
    ]
    return same([difference(expected, {"default": value.numpy()}) for value in found])


@check
def arguments_of_hub_module(model: Model) -> str:
    """Callable: signature= and as_dict=."""
    expected = model.embed(TEXT)
    short = {name: expected[name] for name in SHORT_OUTPUTS}
    differences = []
    for signature, inputs, outputs in (
        ("default", tf.constant(TEXT), expected),
        ("serving_default", tf.constant(TEXT), expected),
        ("elmo", tf.constant(TEXT), short),
        ("tokens", tokens_of(WORDS, LENGTHS), expected),
    ):
        as_dict = model.elmo(inputs, signature=signature, as_dict=True)
        differences.append(difference(outputs, arrays(as_dict)))
        name = "elmo" if signature == "elmo" else "default"
        tensor = model.elmo(inputs, signature=signature)
        require(hasattr(tensor, "shape"), f"{signature} without as_dict gives no tensor")
        differences.append(difference({name: outputs[name]}, {name: np.asarray(tensor)}))
    return same(differences)


@check
def training_argument(model: Model) -> str:
    """Callable: training= changes nothing."""
    expected = {"default": model.embed(TEXT)["default"]}
    found = [model.elmo(tf.constant(TEXT), training=value) for value in (False, True, None)]
    return same([difference(expected, {"default": value.numpy()}) for value in found])


@check
def lengths_of_int64(model: Model) -> str:
    """Callable: sequence_len of int64."""
    inputs = {"tokens": tf.constant(WORDS), "sequence_len": tf.constant(LENGTHS, tf.int64)}
    outputs = arrays(model.elmo(inputs, signature="tokens", as_dict=True))
    return same([difference(model.embed(TEXT), outputs)])


@check
def embed_tokens(model: Model) -> str:
    """Callable: embed_tokens takes a dictionary."""
    outputs = arrays(model.elmo.embed_tokens(tokens_of(WORDS, LENGTHS)))
    return same([difference(model.embed(TEXT), outputs)])


@check
def in_a_function(model: Model) -> str:
    """Callable: in a tf.function."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def embed(strings: Any) -> Any:
        return model.elmo(strings, signature="elmo")

    expected = model.embed(HARD_TEXT)["elmo"]
    return same([difference({"elmo": expected}, {"elmo": embed(tf.constant(HARD_TEXT)).numpy()})])


@check
def in_a_dataset(model: Model) -> str:
    """Callable: in the map of tf.data."""
    dataset = tf.data.Dataset.from_tensor_slices(list(HARD_TEXT)).batch(4)
    dataset = dataset.map(lambda strings: model.elmo(strings, as_dict=True))
    expected = model.embed(HARD_TEXT)
    batches = [arrays(batch) for batch in dataset]
    rows = [sentence(batch, row) for batch in batches for row in range(len(batch["default"]))]
    require(len(rows) == len(HARD_TEXT), f"{len(rows)} of {len(HARD_TEXT)} sentences")
    return same([difference(sentence(expected, i), row) for i, row in enumerate(rows)])


@check
def finite(model: Model) -> str:
    """Vectors: finite."""
    outputs = model.embed(HARD_TEXT)
    bad = [name for name, value in outputs.items() if not np.isfinite(value).all()]
    require(not bad, f"NaN or infinite: {', '.join(bad)}")
    return f"largest {max(np.abs(value).max() for value in outputs.values() if value.ndim > 1):.3g}"


@check
def zero_past_the_end(model: Model) -> str:
    """Vectors: zero past sequence_len."""
    strings, words = model.embed(HARD_TEXT), (("a", "b", "c"), ("d", "e", "f"), ("g", "h", "i"))
    tokens = arrays(model.elmo.signatures["tokens"](**tokens_of(words, (2, 0, 3))))
    places = 0
    for outputs, lengths in (
        (strings, [len(text.split()) for text in HARD_TEXT]),
        (tokens, [2, 0, 3]),
    ):
        found = outputs["sequence_len"].tolist()
        require(found == lengths, f"sequence_len is {found}, expected {lengths}")
        for name, value in outputs.items():
            if value.ndim == 3:
                past = np.arange(value.shape[1]) >= np.array(lengths)[:, np.newaxis]
                require(not value[past].any(), f"{name} is not zero there")
                require(value[~past].any(), f"{name} is zero everywhere")
                places += int(past.sum())
    return f"{places} places"


@check
def mean(model: Model) -> str:
    """Vectors: default is the mean of elmo."""
    outputs = model.embed(HARD_TEXT)
    rows = [sentence(outputs, row) for row in range(len(HARD_TEXT))]
    return same(
        [difference({"default": row["default"]}, {"default": row["elmo"].mean(0)}) for row in rows]
    )


@check
def word_vectors(model: Model) -> str:
    """Vectors: word_emb knows the word alone."""
    outputs = model.embed(("the cat saw the dog", "where is the cat", "cat"))
    words = {"the": [(0, 0), (0, 3), (1, 2)], "cat": [(0, 1), (1, 3), (2, 0)]}
    differences = [
        difference({"word_emb": outputs["word_emb"][a]}, {"word_emb": outputs["word_emb"][b]})
        for places in words.values()
        for a, b in itertools.combinations(places, 2)
    ]
    return same(differences)


@check
def context(model: Model) -> str:
    """Vectors: lstm_outputs know the context."""
    outputs = model.embed(("the cat sat", "where is the cat"))
    for name, value in outputs.items():
        if name.startswith("lstm_outputs"):
            equal = np.allclose(value[0, 1], value[1, 3], rtol=0, atol=0)
            require(not equal, f"{name} of a word is the same in two sentences")
    return "they differ from sentence to sentence"


def many_sentences() -> list[str]:
    """128 sentences, among them those of `HARD_TEXT`."""
    words = " ".join(HARD_TEXT[:5]).split()
    made = [" ".join(words[i % 7 : i % 7 + 1 + i % 11]) for i in range(128 - len(HARD_TEXT))]
    return made[:60] + list(HARD_TEXT) + made[60:]


def same_as_alone(model: Model, batch: Sequence[str]) -> str:
    """Embeds a batch, and compares the sentences of `HARD_TEXT` in it with themselves alone."""
    outputs = model.embed(batch)
    differences = []
    for text in HARD_TEXT:
        alone = sentence(model.embed([text]), 0)
        differences.append(difference(alone, sentence(outputs, batch.index(text))))
    return same(differences)


@check
def in_a_batch(model: Model) -> str:
    """Same alone and in a batch of 128."""
    return same_as_alone(model, many_sentences())


@check
def in_any_order(model: Model) -> str:
    """Same alone and in any order."""
    return same_as_alone(model, many_sentences()[::-1])


@check
def beside_a_long_one(model: Model) -> str:
    """Same alone and beside 500 words."""
    return same_as_alone(model, [*HARD_TEXT[:3], "the cat is in the fog " * 84, *HARD_TEXT[3:]])


@check
def second_call(model: Model) -> str:
    """Same in a second call."""
    first = model.embed(HARD_TEXT)
    model.embed(["something else came between"])
    return same([difference(first, model.embed(HARD_TEXT))])


@check
def empty_string(model: Model) -> str:
    """Input: an empty string has no words."""
    outputs = model.embed(["", "   ", "the cat"])
    found = outputs["sequence_len"].tolist()
    require(found == [0, 0, 2], f"sequence_len is {found}")
    require(not outputs["default"][:2].any(), "its default is not zero")
    alone = model.embed([""])
    require(alone["elmo"].shape[:2] == (1, 0), f"alone: shape {alone['elmo'].shape}")
    require(not alone["default"].any(), "alone: its default is not zero")
    return "default is zero"


@check
def no_sentences(model: Model) -> str:
    """Input: a batch of no sentences."""
    tokens = model.elmo.signatures["tokens"]
    for outputs in (
        model.embed([]),
        arrays(tokens(tokens=tf.zeros([0, 3], tf.string), sequence_len=tf.zeros([0], tf.int32))),
    ):
        rows = {name: len(value) for name, value in outputs.items()}
        require(not any(rows.values()), f"rows: {rows}")
    return f"elmo of shape {model.embed([])['elmo'].shape}"


@check
def spaces(model: Model) -> str:
    """Input: spaces at the ends and in runs."""
    spaced = model.embed(["  the cat   is on the mat ", "dogs are in  the fog"])
    return same([difference(model.embed(TEXT), spaced)])


@check
def empty_token(model: Model) -> str:
    """Input: an empty token is a word."""
    outputs = arrays(model.elmo.embed_tokens(tokens_of((("a", "", "b"),), (3,))))
    require(outputs["word_emb"][0, 1].any(), "its word_emb is zero")
    require(outputs["elmo"].shape[1] == 3, f"elmo has shape {outputs['elmo'].shape}")
    return "it has a vector"


@check
def wrong_lengths(model: Model) -> str:
    """Input: a wrong sequence_len is an error."""
    signature = model.elmo.signatures["tokens"]
    for call in (lambda inputs: signature(**inputs), model.elmo.embed_tokens):
        for lengths in ((7, 5), (6, -1), (6,), (6, 5, 4)):
            try:
                call(tokens_of(WORDS, lengths))
            except (tf.errors.OpError, ValueError):
                continue
            raise Failed(f"{list(lengths)} for 2 sentences of at most 6 words was taken")
    return "below 0, past max_length, too few, too many"


@check
def variables(model: Model) -> str:
    """Training: trainable ones among variables."""
    every = {id(variable) for variable in model.elmo.variables}
    trainable = model.elmo.trainable_variables
    require(every, "there are no variables")
    require(all(id(variable) in every for variable in trainable), "some are not")
    require(all(variable.trainable for variable in trainable), "some are marked not trainable")
    sizes = [sum(int(np.prod(v.shape)) for v in of) for of in (trainable, model.elmo.variables)]
    return f"{len(trainable)} of {len(every)}; {sizes[0]:,} of {sizes[1]:,} numbers"


@check
def gradients(model: Model) -> str:
    """Training: gradients by a GradientTape."""
    with tf.GradientTape() as tape:
        vectors = model.elmo(tf.constant(HARD_TEXT), training=True, signature="elmo")
        loss = tf.reduce_sum(tf.square(vectors - 1.0))
    trainable = list(model.elmo.trainable_variables)
    watched = {id(variable) for variable in tape.watched_variables()}
    require(watched <= {id(variable) for variable in trainable}, "others are watched, too")
    found = tape.gradient(loss, trainable)
    for variable, gradient in zip(trainable, found, strict=True):
        require(gradient is not None, f"none for {variable.name}")
        finite = np.isfinite(tf.convert_to_tensor(gradient).numpy()).all()
        require(finite, f"NaN or infinite for {variable.name}")
    return f"{len(found)} gradients" if found else "there are none"


@check
def changes(model: Model) -> str:
    """Training: a change changes the vectors."""
    trainable = list(model.elmo.trainable_variables)
    before = [variable.numpy() for variable in trainable]
    old = model.embed(TEXT)["elmo"]
    try:
        for seed, variable in enumerate(trainable):
            variable.assign_add(tf.random.stateless_normal(variable.shape, [seed, 0], stddev=0.1))
        new = model.embed(TEXT)["elmo"]
        signature = model.elmo.signatures["elmo"](strings=tf.constant(TEXT))["elmo"].numpy()
    finally:
        for variable, value in zip(trainable, before, strict=True):
            variable.assign(value)
    if not trainable:
        return "there are none"
    require(not np.allclose(old, new, rtol=0, atol=TOLERANCE), "it does not")
    difference({"elmo": new}, {"elmo": signature})
    difference({"elmo": old}, {"elmo": model.embed(TEXT)["elmo"]})
    return f"by {np.abs(old - new).max():.0e}, in the signatures as well"


@check
def losses(model: Model) -> str:
    """Training: regularization_losses."""
    values = [loss() for loss in model.elmo.regularization_losses]
    require(all(value.shape == () for value in values), "not of a scalar")
    return ", ".join(f"{value.numpy():.3g}" for value in values) or "there are none"


@check
def saved_again(model: Model) -> str:
    """Saved again, it is the same."""
    expected = model.embed(HARD_TEXT)
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(model.elmo, folder, signatures=model.elmo.signatures)
        again = hub.load(folder)
        require(
            set(again.signatures) == set(model.elmo.signatures), f"has {sorted(again.signatures)}"
        )
        counts = [len(of.trainable_variables) for of in (model.elmo, again)]
        require(counts[0] == counts[1], f"{counts[1]} trainable variables, not {counts[0]}")
        strings = tf.constant(HARD_TEXT)
        found = [again(strings, as_dict=True), again.signatures["default"](strings=strings)]
        return same([difference(expected, arrays(outputs)) for outputs in found])


# --- the script --------------------------------------------------------------------------------


OF_TF1 = (
    "{path} is a module of TensorFlow 1. Make a SavedModel of TensorFlow 2 of it: python "
    "export/export_hub.py {path} OUT"
)


def check_path(path: str) -> None:
    """Finds out what needs no TensorFlow.

    Raises:
        Unusable: if there is no exported ELMo.
    """
    folder = Path(path)
    if folder.is_file():
        unpack = f" Unpack it: mkdir elmo && tar xzf {path} -C elmo" if ".t" in folder.name else ""
        raise Unusable(f"{path} is a file, not the folder of a SavedModel.{unpack}")
    if not folder.is_dir():
        raise Unusable(f"There is no folder {path}.")
    if not (folder / "saved_model.pb").is_file():
        raise Unusable(
            f"{path} is no SavedModel: it has no saved_model.pb. Weights are exported by: python "
            f"export/export_hub.py {path} OUT"
        )
    if (folder / "tfhub_module.pb").exists():
        raise Unusable(OF_TF1.format(path=path))


def load(path: str) -> Model:
    """Loads an exported ELMo.

    Raises:
        Unusable: if it is something else.
    """
    try:
        elmo = hub.load(path)
    except Exception as error:
        raise Unusable(f"{path} can't be loaded. {summary(error)}") from error
    if hasattr(elmo, "graph"):
        raise Unusable(OF_TF1.format(path=path))
    signatures = sorted(getattr(elmo, "signatures", ()))
    if not {"default", "elmo", "tokens"} & set(signatures):
        raise Unusable(
            f"{path} is a SavedModel, but of no ELMo: it has none of the signatures default, elmo "
            f"and tokens. Found: {', '.join(signatures) or 'no signature'}."
        )

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def embed(strings: Any) -> Any:
        return elmo(strings, signature="default", as_dict=True)

    return Model(Path(path), elmo, lambda texts: arrays(embed(tf.constant(list(texts), tf.string))))


def summary(error: Exception) -> str:
    """An error in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = f"{type(error).__name__}: {lines[0] if lines else 'no message'}"
    return text if len(text) <= 200 else f"{text[:200]}…"


def run_checks(model: Model, verbose: bool) -> int:
    """Prints the table; returns the number of checks that failed."""
    width = max(len(title) for title, _ in CHECKS)
    failed = 0
    for title, function in CHECKS:
        try:
            state, found = "ok", function(model)
        except Failed as failure:
            state, found = "FAILED", str(failure)
        except Exception as error:
            state, found = "FAILED", summary(error)
            if verbose:
                found += "\n" + traceback.format_exc()
        failed += state == "FAILED"
        print(f"{title:<{width}}  {state:<6}  {found}", flush=True)
    return failed


@contextlib.contextmanager
def quiet(verbose: bool) -> Iterator[None]:
    """Keeps back what TensorFlow writes to standard error, most of it from C++."""
    if verbose:
        yield
        return
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)


def import_tensorflow() -> None:
    """Makes `tf` and `hub` what they are named for."""
    global tf, hub
    import tensorflow as tf
    import tensorflow_hub as hub


def main() -> int:
    """Reads the arguments, checks, and returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("path", metavar="PATH", help="the folder to check")
    parser.add_argument(
        "--verbose", action="store_true", help="show TensorFlow's log, and where a check failed"
    )
    arguments = parser.parse_args()
    try:
        check_path(arguments.path)
        with quiet(arguments.verbose):
            import_tensorflow()
            model = load(arguments.path)
            print(
                f"{arguments.path} with TensorFlow {tf.__version__}, tensorflow_hub "
                f"{hub.__version__}\n"
            )
            failed = run_checks(model, arguments.verbose)
    except Unusable as problem:
        print(problem, file=sys.stderr)
        return 1
    if failed:
        print(f"\n{failed} of {len(CHECKS)} checks FAILED.")
        return 1
    print(f"\nAll {len(CHECKS)} checks held.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
