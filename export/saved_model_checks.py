"""What check_saved_model.py checks by calling a model: a row of its table for each `check(…)`."""

import itertools
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from types import SimpleNamespace
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub

TOLERANCE = 1e-5  # float32, and sums whose order depends on the batch
TEXT = ["the cat is on the mat", "dogs are in the fog"]
WORDS = [["the", "cat", "is", "on", "the", "mat"], ["dogs", "are", "in", "the", "fog", ""]]
LENGTHS = [6, 5]
HARD_TEXT = [*TEXT, "x", "na\u00efve caf\u00e9 \u4eca\u65e5", "the the the", "<S> </S> " + "y" * 99]

Outputs = Mapping[str, np.ndarray]
Embed = Callable[[Sequence[str]], Outputs]
Check = Callable[[str], AbstractContextManager[SimpleNamespace]]


def require(holds: Any, found: str) -> None:
    """Fails with `found` unless `holds`."""
    if not holds:
        raise AssertionError(found)


def arrays(outputs: Any) -> Outputs:
    """Outputs as NumPy arrays; one tensor alone has no name."""
    named = outputs if isinstance(outputs, Mapping) else {"": outputs}
    return {name: np.asarray(value) for name, value in named.items()}


def same(*pairs: tuple[Any, Any]) -> str:
    """Requires pairs of outputs to have the same names and shapes, and to be equal."""
    largest = 0.0
    for first, second in (map(arrays, pair) for pair in pairs):
        require(set(first) == set(second), f"outputs {sorted(first)} against {sorted(second)}")
        for name, value in first.items():
            shapes = value.shape, second[name].shape
            require(shapes[0] == shapes[1], f"{name}: shape {shapes[0]} against {shapes[1]}")
            distance = float(np.abs(value.astype(float) - second[name]).max(initial=0))
            require(distance <= TOLERANCE, f"{name or 'it'} differs by {distance:.1e}")
            largest = max(largest, distance)
    return f"largest difference {largest:.0e}" if largest else "no difference"


def tokens_of(words: Any, lengths: Any, dtype: str = "int32") -> dict[str, tf.Tensor]:
    """The inputs of the signature `tokens`."""
    return {"tokens": tf.constant(words), "sequence_len": tf.constant(lengths, dtype)}


def short(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the signature `elmo`."""
    return {name: outputs[name] for name in ("elmo", "sequence_len")}


def sentences(outputs: Outputs) -> list[Outputs]:
    """The outputs of each sentence, without padding."""
    return [
        {name: v[row, :length] if v.ndim == 3 else v[row] for name, v in outputs.items()}
        for row, length in enumerate(outputs["sequence_len"])
    ]


def check_calls(elmo: Any, contract: Mapping[str, Any], check: Check) -> None:
    """All checks of what `hub.load` gave."""
    graph = tf.function(
        lambda strings: elmo(strings, signature="default", as_dict=True),
        input_signature=[tf.TensorSpec([None], tf.string)],
    )

    def embed(texts: Sequence[str]) -> Outputs:
        """All outputs, by the callable in one graph for any batch."""
        return arrays(graph(tf.constant(texts, tf.string)))

    check_functions(elmo, embed, check)
    check_callable(elmo, embed, contract, check)
    check_vectors(elmo, embed, check)
    check_batches(embed, check)
    check_inputs(elmo, embed, check)
    check_training(elmo, embed, check)
    check_saved_again(elmo, embed, check)


def check_functions(elmo: Any, embed: Embed, check: Check) -> None:
    """Signatures and functions against the callable."""
    signatures, tokens = elmo.signatures, tokens_of(WORDS, LENGTHS)
    with check("Signatures: agree with each other") as row:
        default = signatures["default"](strings=tf.constant(TEXT))
        row.found = same(
            (default, signatures["serving_default"](strings=tf.constant(TEXT))),
            (short(default), signatures["elmo"](strings=tf.constant(TEXT))),
            (default, signatures["tokens"](**tokens)),
        )
    with check("Signatures: agree with the callable") as row:
        hard_text = tf.constant(HARD_TEXT)
        row.found = same((signatures["default"](strings=hard_text), embed(HARD_TEXT)))
    with check("Functions: default, elmo, tokens, embed_tokens") as row:
        row.found = same(
            (embed(TEXT), elmo.default(TEXT)),
            (short(embed(TEXT)), elmo.elmo(TEXT)),
            (embed(TEXT), elmo.tokens(**tokens)),
            (embed(TEXT), elmo.embed_tokens(tokens)),
        )
    with check("Functions: tokenize, tokenizer") as row:
        tokenizer, words = elmo.tokenizer().numpy().decode(), elmo.tokenize(HARD_TEXT)
        require(tokenizer in ("spaces", "words"), f"tokenizer() is {tokenizer!r}")
        found, expected = words["sequence_len"].numpy(), [len(text.split()) for text in HARD_TEXT]
        plain = slice(None if tokenizer == "spaces" else 3)  # "words" splits the others further
        same((expected[plain], found[plain]), (embed(HARD_TEXT), elmo.embed_tokens(words)))
        row.found = f"the words of default, split by {tokenizer}"


def check_callable(elmo: Any, embed: Embed, contract: Mapping[str, Any], check: Check) -> None:
    """The ways to call the object itself."""
    strings, tokens = tf.constant(TEXT), tokens_of(WORDS, LENGTHS)
    with check("Callable: hub.Module's line") as row:
        # As it was written for TensorFlow 1, on one line.
        # fmt: off
        vectors = elmo(["the cat is on the mat", "dogs are in the fog"], signature="default", as_dict=True)["elmo"]  # noqa: E501
        # fmt: on
        same((embed(TEXT)["elmo"], vectors))
        row.found = f"shape {tuple(vectors.shape)}"
    with check("Callable: list, array, tensor, inputs=") as row:
        found = [elmo(TEXT), elmo(np.array(TEXT)), elmo(strings), elmo(inputs=strings)]
        row.found = same(*((embed(TEXT)["default"], value) for value in found))
    with check("Callable: signature= and as_dict=") as row:
        pairs = []
        for name, (inputs, outputs) in contract["signatures"].items():
            given = strings if inputs == ["strings"] else tokens
            expected = short(embed(TEXT)) if len(outputs) == 2 else embed(TEXT)
            pairs.append((expected, elmo(given, signature=name, as_dict=True)))
            result = elmo(given, signature=name)
            pairs.append((expected[contract["results"][name]], result))
        row.found = same(*pairs)
    with check("Callable: training= changes nothing") as row:
        found = [elmo(strings, training=value) for value in (False, True, None)]
        row.found = same(*((embed(TEXT)["default"], value) for value in found))
    with check("Callable: sequence_len of int64") as row:
        tokens = tokens_of(WORDS, LENGTHS, "int64")
        row.found = same((embed(TEXT), elmo(tokens, signature="tokens", as_dict=True)))
    with check("Callable: in a tf.function") as row:
        function = tf.function(lambda strings: elmo(strings, signature="elmo"))
        row.found = same((embed(HARD_TEXT)["elmo"], function(tf.constant(HARD_TEXT))))
    with check("Callable: in the map of tf.data") as row:
        dataset = tf.data.Dataset.from_tensor_slices(HARD_TEXT).batch(4)
        dataset = dataset.map(lambda strings: elmo(strings, as_dict=True))
        rows = [row for batch in dataset for row in sentences(arrays(batch))]
        require(len(rows) == len(HARD_TEXT), f"{len(rows)} of {len(HARD_TEXT)} sentences")
        row.found = same(*zip(sentences(embed(HARD_TEXT)), rows, strict=True))


def check_vectors(elmo: Any, embed: Embed, check: Check) -> None:
    """What is computed."""
    with check("Vectors: finite") as row:
        outputs = embed(HARD_TEXT)
        bad = [name for name, value in outputs.items() if not np.isfinite(value).all()]
        require(not bad, f"NaN or infinite: {', '.join(bad)}")
        row.found = f"largest {max(np.abs(v).max() for v in outputs.values() if v.ndim > 1):.3g}"
    with check("Vectors: zero past sequence_len") as row:
        words = [["a", "b", "c"], ["d", "e", "f"], ["g", "h", "i"]]
        of_tokens = arrays(elmo.signatures["tokens"](**tokens_of(words, [2, 0, 3])))
        lengths = elmo.tokenize(HARD_TEXT)["sequence_len"].numpy().tolist()
        for outputs, expected in ((embed(HARD_TEXT), lengths), (of_tokens, [2, 0, 3])):
            found = outputs["sequence_len"].tolist()
            require(found == expected, f"sequence_len is {found}, expected {expected}")
            for name, value in outputs.items():
                if value.ndim == 3:
                    past = np.arange(value.shape[1]) >= np.array(found)[:, np.newaxis]
                    require(not value[past].any(), f"{name} is not zero there")
                    require(value[~past].any(), f"{name} is zero everywhere")
        row.found = f"of {lengths} words"
    with check("Vectors: default is the mean of elmo") as row:
        rows = sentences(embed(HARD_TEXT))
        row.found = same(*((of["default"], of["elmo"].mean(0)) for of in rows))
    with check("Vectors: word_emb knows the word alone") as row:
        vectors = embed(["the cat saw the dog", "where is the cat", "cat"])["word_emb"]
        the, cat = [(0, 0), (0, 3), (1, 2)], [(0, 1), (1, 3), (2, 0)]
        pairs = [pair for word in (the, cat) for pair in itertools.combinations(word, 2)]
        row.found = same(*((vectors[a], vectors[b]) for a, b in pairs))
    with check("Vectors: lstm_outputs know the context") as row:
        for name, value in embed(["the cat sat", "where is the cat"]).items():
            if name.startswith("lstm_outputs"):
                equal = np.array_equal(value[0, 1], value[1, 3])
                require(not equal, f"{name} of a word is the same in two sentences")
        row.found = "they differ from sentence to sentence"


def check_batches(embed: Embed, check: Check) -> None:
    """A sentence is the same whatever else is computed."""
    words = " ".join(HARD_TEXT[:5]).split()
    made = [" ".join(words[i % 7 : i % 7 + 1 + i % 11]) for i in range(128 - len(HARD_TEXT))]
    many = made[:60] + HARD_TEXT + made[60:]
    long = [*HARD_TEXT[:3], "the cat is in the fog " * 84, *HARD_TEXT[3:]]
    batches = {"in a batch of 128": many, "in any order": many[::-1], "beside 500 words": long}
    for how, batch in batches.items():
        with check(f"Same alone and {how}") as row:
            together = sentences(embed(batch))
            pairs = [(embed([text]), batch.index(text)) for text in HARD_TEXT]
            row.found = same(*((sentences(alone)[0], together[i]) for alone, i in pairs))
    with check("Same in a second call") as row:
        first = embed(HARD_TEXT)
        embed(["something else came between"])
        row.found = same((first, embed(HARD_TEXT)))


def check_inputs(elmo: Any, embed: Embed, check: Check) -> None:
    """Inputs at the edge, and wrong ones."""
    with check("Input: an empty string has no words") as row:
        outputs, alone = embed(["", "   ", "the cat"]), embed([""])
        found = outputs["sequence_len"].tolist()
        require(found == [0, 0, 2], f"sequence_len is {found}")
        require(not outputs["default"][:2].any(), "its default is not zero")
        require(alone["elmo"].shape[:2] == (1, 0), f"alone: shape {alone['elmo'].shape}")
        require(not alone["default"].any(), "alone: its default is not zero")
        row.found = "default is zero"
    with check("Input: a batch of no sentences") as row:
        none = tokens_of(tf.zeros([0, 3], tf.string), [])
        for outputs in (embed([]), arrays(elmo.signatures["tokens"](**none))):
            rows = {name: len(value) for name, value in outputs.items()}
            require(not any(rows.values()), f"rows: {rows}")
        row.found = f"elmo of shape {embed([])['elmo'].shape}"
    with check("Input: spaces at the ends and in runs") as row:
        spaced = embed(["  the cat   is on the mat ", "dogs are in  the fog"])
        row.found = same((embed(TEXT), spaced))
    with check("Input: an empty token is a word") as row:
        outputs = arrays(elmo.embed_tokens(tokens_of([["a", "", "b"]], [3])))
        require(outputs["word_emb"][0, 1].any(), "its word_emb is zero")
        require(outputs["elmo"].shape[1] == 3, f"elmo has shape {outputs['elmo'].shape}")
        row.found = "it has a vector"
    with check("Input: a wrong sequence_len is an error") as row:
        calls = (lambda inputs: elmo.signatures["tokens"](**inputs), elmo.embed_tokens)
        for call, lengths in itertools.product(calls, ([7, 5], [6, -1], [6], [6, 5, 4])):
            try:
                call(tokens_of(WORDS, lengths))
            except (tf.errors.OpError, ValueError):
                continue
            raise AssertionError(f"{lengths} for 2 sentences of at most 6 words was taken")
        row.found = "below 0, past max_length, too few, too many"


def check_training(elmo: Any, embed: Embed, check: Check) -> None:
    """Variables, gradients and losses."""
    every = list(getattr(elmo, "variables", ()))
    trainable = list(getattr(elmo, "trainable_variables", ()))
    ids = {id(variable) for variable in trainable}
    with check("Training: trainable ones among variables") as row:
        require(every, "there are no variables")
        require(ids <= {id(variable) for variable in every}, "some are not")
        require(all(variable.trainable for variable in trainable), "some are marked not trainable")
        sizes = [sum(int(np.prod(variable.shape)) for variable in of) for of in (trainable, every)]
        row.found = f"{len(trainable)} of {len(every)}; {sizes[0]:,} of {sizes[1]:,} numbers"
    with check("Training: gradients by a GradientTape") as row:
        with tf.GradientTape() as tape:
            vectors = elmo(tf.constant(HARD_TEXT), training=True, signature="elmo")
            loss = tf.reduce_sum(tf.square(vectors - 1.0))
        others = {id(variable) for variable in tape.watched_variables()} - ids
        require(not others, "others are watched, too")
        gradients = tape.gradient(loss, trainable)
        for variable, gradient in zip(trainable, gradients, strict=True):
            require(gradient is not None, f"none for {variable.name}")
            finite = np.isfinite(tf.convert_to_tensor(gradient).numpy()).all()
            require(finite, f"NaN or infinite for {variable.name}")
        row.found = f"{len(gradients)} gradients" if gradients else "there are none"
    with check("Training: a change changes the vectors") as row:
        old, before = embed(TEXT)["elmo"], [variable.numpy() for variable in trainable]
        for seed, variable in enumerate(trainable):
            variable.assign_add(tf.random.stateless_normal(variable.shape, [seed, 0], stddev=0.1))
        new = embed(TEXT)["elmo"]
        signature = elmo.signatures["elmo"](strings=tf.constant(TEXT))["elmo"]
        for variable, value in zip(trainable, before, strict=True):
            variable.assign(value)
        same((new, signature), (old, embed(TEXT)["elmo"]))
        change = np.abs(old - new).max()
        require(change > TOLERANCE or not trainable, "it does not")
        row.found = f"by {change:.0e}, in the signatures as well" if trainable else "there are none"
    with check("Training: regularization_losses") as row:
        values = [loss() for loss in elmo.regularization_losses]
        require(all(value.shape == () for value in values), "not of a scalar")
        row.found = ", ".join(f"{value.numpy():.3g}" for value in values) or "there are none"


def check_saved_again(elmo: Any, embed: Embed, check: Check) -> None:
    """A SavedModel of the loaded object."""
    with check("Saved again, it is the same") as row, tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(elmo, folder, signatures=elmo.signatures)
        again, strings = hub.load(folder), tf.constant(HARD_TEXT)
        names = sorted(again.signatures)
        require(names == sorted(elmo.signatures), f"has {names}")
        counts = [len(of.trainable_variables) for of in (elmo, again)]
        require(counts[0] == counts[1], f"{counts[1]} trainable variables, not {counts[0]}")
        found = again(strings, as_dict=True), again.signatures["default"](strings=strings)
        row.found = same(*((embed(HARD_TEXT), outputs) for outputs in found))
