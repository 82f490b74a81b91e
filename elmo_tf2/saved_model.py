"""ELMo as a SavedModel, for people who have neither this package nor Keras."""

import contextlib
import itertools
import os
import tarfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import elmo_tf2.keras_backend  # noqa: F401

# isort: split
import keras
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from elmo_tf2.arguments import check_choice
from elmo_tf2.characters import checked_lengths, words_to_char_ids
from elmo_tf2.data.tokenizers import tokenize
from elmo_tf2.files import check_free, check_utf8, completed
from elmo_tf2.layers.ragged import from_padded, mean_of_rows, to_padded
from elmo_tf2.model_card import model_card
from elmo_tf2.models import ElmoEmbeddings
from elmo_tf2.models.precision import DTYPES, in_dtype
from elmo_tf2.models.word_table import WordTable

TRAINABLE = ("mix", "all", "none")

_MODEL_CARD = "model_card.md"
SAVED_MODEL_PARTS = ("assets", "fingerprint.pb", _MODEL_CARD, "saved_model.pb", "variables")

_STRINGS = tf.TensorSpec([None], tf.string, name="strings")
_TOKENS = tf.TensorSpec([None, None], tf.string, name="tokens")
_LENGTHS = tf.TensorSpec([None], tf.int32, name="sequence_len")
_BY_DICTIONARY = {"tokens": _TOKENS, "sequence_len": _LENGTHS}
# tf.RaggedTensor.row_lengths and tf.strings.length do not agree on a type
_LENGTHS_OF_INT64 = tf.TensorSpec([None], tf.int64, name="sequence_len")
_BY_DICTIONARY_OF_INT64 = {"tokens": _TOKENS, "sequence_len": _LENGTHS_OF_INT64}


class ExportedElmo(tf.train.Checkpoint):
    """The object that `hub.load` gives: TF Hub's Reusable SavedModel interface.

    `__call__` also takes the arguments `signature` and `as_dict` of TF1's `hub.Module`. With
    `as_dict` it returns all outputs of the signature; without, the sentence vectors `default`
    `(batch, 2 * projection_dim)` or, of the signature "elmo", the word vectors `(batch, tokens,
    2 * projection_dim)`.

    `training` is taken, as the interface has it, and changes nothing: dropout is the consumer's.

    A `tf.train.Checkpoint`, since a `tf.Module` would not keep the variables of Keras layers.

    Args:
        elmo: an `ElmoEmbeddings` with one mix, built, in float32 or bfloat16.
        trainable: "mix" for the weighted sum alone, "all" for the encoder too, or "none".
        words: words whose vectors are looked up, see `WordTable`; none: all are computed.

    Attributes:
        variables: all variables, a list.
        trainable_variables: those that training may change, a list.
        regularization_losses: functions without arguments, one for the mix's L2 if it has any.
    """

    def __init__(self, elmo: ElmoEmbeddings, trainable: str, words: Sequence[str] = ()) -> None:
        super().__init__()
        (mix,) = elmo.mixes
        # Not their `variables`, which have the state of a dropout's random numbers among them.
        trained = {"mix": mix.weights, "all": elmo.weights, "none": []}[trainable]
        trained_ids = {id(weight) for weight in trained}
        # Variables of its own, since a Keras variable's tf.Variable is always marked trainable,
        # and in plain lists, since properties are lost on saving.
        self.variables = [
            tf.Variable(weight.value, trainable=id(weight) in trained_ids, name=weight.path)
            for weight in elmo.weights
        ]
        self.trainable_variables = [variable for variable in self.variables if variable.trainable]
        self.regularization_losses = []
        if trained and mix.l2:
            w = self.variables[[weight is mix.w for weight in elmo.weights].index(True)]
            self.regularization_losses = [
                tf.function(lambda: mix.l2 * tf.reduce_sum(tf.square(w)), input_signature=[])
            ]
        self._tokenizer = elmo.config.tokenizer
        self._table = WordTable(elmo.encoder, words) if words else None
        self._encode = _encoding(elmo, list(self.variables), self._table, trainable == "all")
        if self._table is not None:
            self.variables.append(self._table.vectors)
        self._is_listing = False

    @tf.function(input_signature=[_STRINGS], autograph=False)
    def default(self, strings: tf.Tensor) -> dict[str, tf.Tensor]:
        """Sentences to all outputs."""
        return self._encode(*tokenize(strings, self._tokenizer))

    @tf.function(input_signature=[_STRINGS], autograph=False)
    def elmo(self, strings: tf.Tensor) -> dict[str, tf.Tensor]:
        """Sentences to the weighted sum alone."""
        return _elmo_only(self.default(strings))

    @tf.function(input_signature=[_TOKENS, _LENGTHS], autograph=False)
    def tokens(self, tokens: tf.Tensor, sequence_len: tf.Tensor) -> dict[str, tf.Tensor]:
        """Words to all outputs."""
        return self._encode(tokens, checked_lengths("sequence_len", sequence_len, tokens))

    @tf.function(input_signature=[_STRINGS], autograph=False)
    def tokenize(self, strings: tf.Tensor) -> dict[str, tf.Tensor]:
        """Sentences to the words whose vectors the others give: `tokens` and `sequence_len`."""
        tokens, lengths = tokenize(strings, self._tokenizer)
        return {"tokens": tokens, "sequence_len": lengths}

    @tf.function(input_signature=[], autograph=False)
    def tokenizer(self) -> tf.Tensor:
        """The name of what makes words of sentences."""
        return tf.constant(self._tokenizer)

    @tf.function(input_signature=[_BY_DICTIONARY], autograph=False)
    def embed_tokens(self, inputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """As `tokens`, from one dictionary, for callers that pass one argument (TFSMLayer)."""
        return self.tokens(inputs["tokens"], inputs["sequence_len"])

    @tf.function(autograph=False)
    def __call__(
        self,
        inputs: Any,
        training: bool | tf.Tensor | None = False,
        signature: str = "default",
        as_dict: bool = False,
    ) -> Any:
        """Calls a signature as TF1's `hub.Module` did."""
        if self._is_listing:
            return tf.zeros([])
        if signature == "tokens":
            lengths = checked_lengths("sequence_len", inputs["sequence_len"], inputs["tokens"])
            outputs = self._encode(inputs["tokens"], lengths)
        else:
            outputs = self.default(inputs)
        if signature == "elmo":
            outputs = _elmo_only(outputs)
        if as_dict:
            return outputs
        return outputs["elmo" if signature == "elmo" else "default"]

    def list_calls(self) -> None:
        """Lists every combination of Python arguments: a SavedModel holds only those met before.

        Saving makes the graph of each anew, so here they are left empty, which takes a third of an
        export's time less. Hereafter the object is good for saving alone.
        """
        signatures = (
            ("default", _STRINGS),
            ("serving_default", _STRINGS),
            ("elmo", _STRINGS),
            ("tokens", _BY_DICTIONARY),
            ("tokens", _BY_DICTIONARY_OF_INT64),
        )
        either = tf.TensorSpec([], tf.bool, name="training")  # Python's True and False fit it, too
        self._is_listing = True
        for (signature, inputs), training, as_dict in itertools.product(
            signatures, (either, None), (False, True)
        ):
            self.__call__.get_concrete_function(
                inputs, training=training, signature=signature, as_dict=as_dict
            )
        self._is_listing = False


def _encoding(
    elmo: ElmoEmbeddings,
    variables: list[tf.Variable],
    table: WordTable | None,
    encoder_learns: bool,
) -> Callable[..., Any]:
    """The one graph that all others call: padded words and their numbers to all outputs.

    A function and not a method, so that the Keras layer is no part of the saved object.
    """
    encoder = elmo.encoder
    # The state after <S> is known beforehand as long as the encoder stays as it is.
    start = None if encoder_learns else encoder.start_state()

    @tf.function(input_signature=[_TOKENS, _LENGTHS], autograph=False)
    def encode(tokens: tf.Tensor, sequence_len: tf.Tensor) -> dict[str, tf.Tensor]:
        mask = tf.sequence_mask(sequence_len, tf.shape(tokens)[1])
        words = from_padded(tokens, mask)
        values = list(zip(elmo.weights, variables, strict=True))
        with keras.StatelessScope(state_mapping=values):
            if table is None:
                char_ids = words_to_char_ids(words.values, elmo.config.max_characters)
                word_vectors = encoder.char_cnn(char_ids)
            else:
                word_vectors = table.word_vectors(encoder, words.values)
            output = encoder.encode(
                words.with_values(
                    word_vectors if encoder_learns else tf.stop_gradient(word_vectors)
                ),
                start,
                return_state=False,
                gradient="recompute" if encoder_learns else "inference",
                use_boundaries=start is None,
            )
            layers = [tf.cast(layer.values, tf.float32) for layer in output.layers()]
            mixed = elmo.mixes[0](layers, training=False)
        by_token = {
            "word_emb": tf.cast(output.word_vectors.values, tf.float32),
            **{f"lstm_outputs{index}": layers[index] for index in range(1, len(layers))},
            "elmo": mixed,
        }
        return {
            **{name: to_padded(vectors, mask) for name, vectors in by_token.items()},
            "default": mean_of_rows(words.with_values(mixed)),
            "sequence_len": sequence_len,
        }

    return encode


def _elmo_only(outputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    return {name: outputs[name] for name in ("elmo", "sequence_len")}


def export_saved_model(
    elmo: ElmoEmbeddings,
    path: str | os.PathLike[str],
    trainable: str = "mix",
    tar: bool = False,
    overwrite: bool = False,
    source: str = "",
    words: Sequence[str] = (),
    dtype: str = "float32",
) -> Path:
    """Writes a SavedModel that `hub.load` takes, without need of this package.

    Signatures `default`, `elmo`, `tokens` and `serving_default`, outputs and the callable object
    are told in the model card that is written with it, `model_card.md`.

    Args:
        elmo: the layer to export, with one mix. It stays as it is.
        path: the folder to make.
        trainable: what a consumer's training may change: "mix" (the weighted sum), "all" (the
            encoder too) or "none".
        tar: whether to write `path` + ".tar.gz" too, as TF Hub lays an archive out.
        overwrite: whether an existing folder or archive may be replaced.
        source: where the weights come from, for the model card.
        words: words whose vectors are computed now and stored, `4 * projection_dim` bytes each (of
            bfloat16 half of it): they are looked up, and the character CNN is for all others. The
            vectors are the same, and sooner there.
        dtype: of the weights and the matrix products, "float32" or "bfloat16", which is half as
            large; on processors with instructions for it (AVX512-BF16, AMX) it is faster.
            Outputs are float32 in both; of bfloat16 about two digits are right, and as many are
            the same in another batch.

    Returns:
        The folder's path.

    Raises:
        FileExistsError: if there is something at `path` and `overwrite` is False, or what is there
            is more than a SavedModel.
        ValueError: if `trainable` or `dtype` is no such word; if `trainable` is "all" and there
            are `words`, whose stored vectors training would leave behind, or in bfloat16, whose
            steps are too coarse to learn by; or the layer has not exactly one mix.

    Example:
    >>> config = ElmoConfig(filters=((1, 8), (2, 8)), units=16, projection_dim=4)
    >>> folder = export_saved_model(ElmoEmbeddings(config), tempfile.mkdtemp())
    >>> tf.saved_model.load(str(folder))(["the cat"]).shape
    TensorShape([1, 8])

    Reference:
     - [Reusable SavedModels](https://www.tensorflow.org/hub/reusable_saved_models)
    """
    check_choice("trainable", trainable, TRAINABLE)
    check_choice("dtype", dtype, DTYPES)
    if dtype == "bfloat16" and trainable == "all":
        raise ValueError(
            "An encoder in bfloat16 can't be trained: its steps are too coarse. Received: dtype="
            '"bfloat16", trainable="all". Take dtype="float32", or trainable="mix" or "none".'
        )
    if words and trainable == "all":
        raise ValueError(
            "`words` (on the command line `--vocab`) have stored vectors, which an encoder that "
            'trains would leave behind. Received: trainable="all". Take "mix" or "none".'
        )
    if len(elmo.mixes) != 1:
        raise ValueError(
            "`elmo` must have one mix to be exported. Received a layer with "
            f"output={elmo.output_kind!r} and {len(elmo.mixes)} mixes."
        )
    path = Path(os.path.abspath(path))  # "." has no name
    archive = Path(f"{path}.tar.gz")
    check_utf8(path)
    check_free(path, overwrite, SAVED_MODEL_PARTS)
    if tar:
        check_free(archive, overwrite)
    exported = ExportedElmo(in_dtype(elmo, dtype), trainable, words)
    signatures = {
        "default": exported.default,
        "elmo": exported.elmo,
        "tokens": exported.tokens,
        "serving_default": exported.default,
    }
    exported.list_calls()
    with contextlib.ExitStack() as stack:  # neither is there before both are complete
        unfinished = stack.enter_context(completed(path, overwrite, SAVED_MODEL_PARTS))
        unfinished_archive = stack.enter_context(completed(archive, overwrite)) if tar else None
        tf.saved_model.save(exported, str(unfinished), signatures=signatures)
        _allow_positions(unfinished / "saved_model.pb")
        card = model_card(
            elmo.config,
            elmo.count_params(),
            trainable,
            source,
            elmo.mixes[0].layer_norm,
            len(set(words)),
            dtype,
        )
        (unfinished / _MODEL_CARD).write_text(card, encoding="utf-8")
        if unfinished_archive is not None:
            _write_archive(unfinished, unfinished_archive)
    return path


def _allow_positions(file: Path) -> None:
    """Lets signatures take lists and arrays by position too, as those of TF1 Hub modules do.

    TensorFlow saves the inputs of a signature as arguments that are given by name alone.
    """
    saved_model = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    nodes = saved_model.meta_graphs[0].object_graph_def.nodes
    (signatures,) = (c.node_id for c in nodes[0].children if c.local_name == "signatures")
    for child in nodes[signatures].children:
        spec = nodes[child.node_id].bare_concrete_function.function_spec.fullargspec
        of = {pair.key: pair.value.list_value for pair in spec.named_tuple_value.values}
        of["args"].CopyFrom(of["kwonlyargs"])
        of["kwonlyargs"].Clear()
    file.write_bytes(saved_model.SerializeToString(deterministic=True))


def _write_archive(folder: Path, archive: Path) -> None:
    """A .tar.gz with the folder's content at its root, without the maker's name."""

    def anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = 0
        member.uname = member.gname = ""
        return member

    with tarfile.open(archive, "w:gz") as tar:
        for entry in sorted(folder.iterdir()):
            tar.add(entry, arcname=entry.name, filter=anonymous)
