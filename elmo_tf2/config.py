"""The sizes of an ELMo model, and their form in bilm-tf's `options.json`."""

import dataclasses
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from elmo_tf2.dictionary import Dictionary
from elmo_tf2.options import KEYS, NUM_CHARACTERS, options_to_values, read_options
from elmo_tf2.validation import (
    check_bool,
    check_choice,
    check_integer,
    check_positive,
    shown,
)

TOKEN_EMBEDDERS = ("char_cnn", "words", "elmoformanylangs")
ACTIVATIONS = ("relu", "tanh")
TOKENIZERS = ("spaces", "words")
ARCHITECTURES = ("separate", "merged")
MERGES = ("add", "concat")
_MARKS = ("<oov>", "<pad>", "<bow>", "<eow>")
MAX_LAYERS = 1000
MAX_CHARACTERS = 10_000
MAX_SIZE = 1_000_000


@dataclasses.dataclass(frozen=True)
class ElmoConfig:
    """Sizes of the encoder; frozen, validated, and equal to an `options.json` of bilm-tf.

    The defaults are those of the published "original" model (93.6 M parameters).

    Args:
        filters: pairs (width, number) of the character convolutions; every width is at most
            `max_characters`.
        char_embedding_dim: int > 0. Size of a character's vector.
        max_characters: int > 2. Length of a word's character ids, its two end marks included;
            a word is cut to `max_characters - 2` bytes.
        activation: "relu" or "tanh", applied after the maximum over positions.
        num_highway_layers: int >= 0.
        units: int > 0. Size of an LSTM's memory cell.
        projection_dim: int > 0 and at most `units`. Size of a word vector and of an LSTM's
            output; an LSTM has no projection when it equals `units`, but see `always_project`.
        num_layers: int > 0. LSTM layers a direction.
        cell_clip: float > 0 or None. Bound on the memory cell.
        projection_clip: float > 0 or None. Bound on the projected output.
        use_skip_connections: bool. Whether every LSTM layer but the first adds its input to
            its output. Always False of "merged", whose word vectors go to every layer instead.
        sentence_boundaries: bool. Whether a sentence is read between the words `<S>` and `</S>`.
            True of every bilm-tf model; an extension of `options.json` written only when False.
        tokenizer: "spaces" or "words", see `elmo_tf2.data.tokenizers`: what makes words of a
            sentence given as one string. An extension, too, written only when not "spaces".
        architecture: "separate", the published one: each direction's LSTMs read those of their own
            direction below. Or "merged": from the second layer on the LSTMs of both directions
            read both directions below and the word vector. An extension, too, written only when
            "merged": other programs cannot read such weights.
        merge: "add" or "concat". What a layer of "merged" reads: the word vector twice side by
            side added to [forward; backward] below, or all three side by side. Written only with
            "merged".
        always_project: bool. Whether an LSTM has a projection also where `projection_dim` equals
            `units`, as AllenNLP's has and bilm-tf's has not. Weights show it by their `W_P_0`; an
            extension, too, written only when True.

        token_embedder: "char_cnn", the published one: a word's vector comes from its bytes. Or
            "words", bilm-tf's models without `char_cnn`: it is a row of a table. Or
            "elmoformanylangs": a row of a table and a character CNN over code points, side by
            side, projected. Extensions of `options.json`, as the next three.
        words: the words that have rows; see `token_embedder`. In the configuration of a pretraining
            run none: they are its vocabulary's.
        word_dim: int >= 0. Size of the rows; of "words" `projection_dim`.
        characters: of "elmoformanylangs", the characters that have embeddings; none without
            `filters`.

    Raises:
        ValueError: if a value is out of its range, naming it.

    Example:
    >>> ElmoConfig(units=64, projection_dim=32).layer_dim
    64

    Reference:
     - [Peters et al., 2018](https://arxiv.org/abs/1802.05365)
    """

    filters: tuple[tuple[int, int], ...] = (
        (1, 32),
        (2, 32),
        (3, 64),
        (4, 128),
        (5, 256),
        (6, 512),
        (7, 1024),
    )
    char_embedding_dim: int = 16
    max_characters: int = 50
    activation: str = "relu"
    num_highway_layers: int = 2
    units: int = 4096
    projection_dim: int = 512
    num_layers: int = 2
    cell_clip: float | None = 3.0
    projection_clip: float | None = 3.0
    use_skip_connections: bool = True
    sentence_boundaries: bool = True
    tokenizer: str = "spaces"
    architecture: str = "separate"
    merge: str = "add"
    always_project: bool = False
    token_embedder: str = "char_cnn"
    words: Dictionary = Dictionary()  # noqa: RUF009
    word_dim: int = 0
    characters: Dictionary = Dictionary()  # noqa: RUF009

    def __post_init__(self) -> None:
        checked: dict[str, Any] = {
            "max_characters": check_integer(
                "max_characters", self.max_characters, 3, MAX_CHARACTERS
            ),
            "num_layers": check_integer("num_layers", self.num_layers, 1, MAX_LAYERS),
            "num_highway_layers": check_integer(
                "num_highway_layers", self.num_highway_layers, 0, MAX_LAYERS
            ),
        }
        for name in ("char_embedding_dim", "units", "projection_dim"):
            checked[name] = check_integer(name, getattr(self, name), maximum=MAX_SIZE)
        for name in ("cell_clip", "projection_clip"):
            checked[name] = check_positive(name, getattr(self, name))
        for name in ("use_skip_connections", "sentence_boundaries"):
            check_bool(name, getattr(self, name))
        check_choice("activation", self.activation, ACTIVATIONS)
        check_choice("tokenizer", self.tokenizer, TOKENIZERS)
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        self._check_token_embedder()
        if self.projection_dim > self.units:
            raise ValueError(
                "`projection_dim` must be at most `units`. Received: "
                f"projection_dim={self.projection_dim}, units={self.units}."
            )
        self._check_architecture()

    def _check_architecture(self) -> None:
        check_choice("architecture", self.architecture, ARCHITECTURES)
        check_choice("merge", self.merge, MERGES)
        check_bool("always_project", self.always_project)
        if self.is_merged:
            if self.token_embedder != "char_cnn":
                raise ValueError(
                    'architecture="merged" needs token_embedder="char_cnn": its masked words have '
                    f"a character of their own. Received: token_embedder={self.token_embedder!r}."
                )
            if self.num_layers < 2:
                raise ValueError(
                    '`num_layers` must be at least 2 with architecture="merged": what is merged is '
                    f"read by the second. Received: num_layers={self.num_layers}."
                )
            object.__setattr__(self, "use_skip_connections", False)
        elif self.merge != "add":
            raise ValueError(
                '`merge` is of architecture="merged" alone. Received: '
                f"merge={self.merge!r}, architecture={self.architecture!r}."
            )

    def _check_token_embedder(self) -> None:
        kind = check_choice("token_embedder", self.token_embedder, TOKEN_EMBEDDERS)
        if kind == "char_cnn":
            self._set(word_dim=check_integer("word_dim", self.word_dim, 0, 0))
        elif kind == "words":
            self._set(filters=(), num_highway_layers=0, word_dim=self.projection_dim)
        elif kind == "elmoformanylangs":
            self._set(always_project=True)
        if kind == "char_cnn" or self.filters:
            self._set(filters=check_filters(self.filters, self.max_characters))
        self._set(word_dim=check_integer("word_dim", self.word_dim, 0, MAX_SIZE))
        has_words, has_characters = self.word_dim > 0, kind == "elmoformanylangs" and self.filters
        needed = {
            "words": (*self.bos_eos, self.unknown_word) if has_words else (),
            "characters": (*self.bos_eos, *_MARKS) if has_characters else (),
        }
        for name, entries in needed.items():
            dictionary = getattr(self, name)
            if not isinstance(dictionary, Dictionary):
                dictionary = Dictionary(dictionary)
                self._set(**{name: dictionary})
            if kind == "words" and not len(dictionary):
                continue  # those of a pretraining run are its vocabulary's, set later
            missing = [entry for entry in entries if entry not in dictionary]
            if missing or bool(entries) != bool(len(dictionary)):
                raise ValueError(
                    f"`{name}` must be a dictionary with {', '.join(entries) or 'no entries'}. "
                    f"Missing: {', '.join(missing) or 'none'}. Received: {len(dictionary)} entries."
                )
        if not has_words and not self.filters:
            raise ValueError("A token embedder must have `filters` or `words`. Received: neither.")

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @property
    def bos_eos(self) -> tuple[str, str]:
        """The words that begin and end a sentence."""
        return ("<bos>", "<eos>") if self.token_embedder == "elmoformanylangs" else ("<S>", "</S>")

    @property
    def unknown_word(self) -> str:
        """The word whose row of a table words have that have none."""
        return "<oov>" if self.token_embedder == "elmoformanylangs" else "<UNK>"

    @property
    def num_characters(self) -> int:
        """Number of character embeddings, that of "no word" included."""
        is_of_bytes = self.token_embedder == "char_cnn"
        return NUM_CHARACTERS if is_of_bytes else len(self.characters) + 1

    @property
    def padding_id(self) -> int:
        """Id that fills a word up behind its last character."""
        return 261 if self.token_embedder == "char_cnn" else self.characters.index("<pad>") + 1

    @property
    def ids_per_word(self) -> int:
        """Number of ids that a token embedder takes for a word, see `elmo_tf2.word_ids`."""
        return (self.max_characters if self.filters else 0) + (1 if self.word_dim else 0)

    @property
    def projects_words(self) -> bool:
        """Whether a word's vector is projected before the LSTMs."""
        if self.token_embedder == "char_cnn":
            return self.num_filters != self.projection_dim
        return self.token_embedder == "elmoformanylangs"

    @property
    def is_merged(self) -> bool:
        """Whether the directions are merged between the layers."""
        return self.architecture == "merged"

    @property
    def has_projection(self) -> bool:
        """Whether an LSTM's output is projected."""
        return self.always_project or self.projection_dim < self.units

    @property
    def num_filters(self) -> int:
        """Number of character convolutions over all widths."""
        return sum(number for _, number in self.filters)

    @property
    def layer_dim(self) -> int:
        """Size of a layer's vector: forward and backward side by side."""
        return 2 * self.projection_dim

    @property
    def softmax_dim(self) -> int:
        """Size of the vector that a language model of this encoder predicts a word from."""
        return self.layer_dim if self.is_merged else self.projection_dim

    def lstm_input_dim(self, layer: int) -> int:
        """Size of the vectors that the LSTMs of a layer read.

        Args:
            layer: number of the layer, from 0 on.

        Returns:
            The size.
        """
        if not self.is_merged or layer == 0:
            return self.projection_dim
        return self.layer_dim + (self.projection_dim if self.merge == "concat" else 0)

    @classmethod
    def from_options(
        cls,
        options: Mapping[str, Any],
        source: str = "options",
        vocabulary: Sequence[str] | None = None,
    ) -> "ElmoConfig":
        """Reads the dictionary of a bilm-tf `options.json`.

        Keys of bilm-tf that only training needs are ignored. An unknown key is
        reported by a warning, and is an error where it looks like a misspelt one.

        Args:
            options: the dictionary.
            source: its name in messages, for example a path.
            vocabulary: the words of a word-based model, if the options do not have them.

        Returns:
            An `ElmoConfig`.

        Raises:
            ValueError: if a key is missing or misspelt or a value is out of its range.
        """
        values = options_to_values(options, source, vocabulary)
        try:
            return cls(**values)
        except ValueError as error:
            name = re.match(r"`(\w+)", str(error))
            key = KEYS.get(name[1]) if name else None
            place = f" In the file it is `{key}`." if key else ""
            raise ValueError(f"{source}: {error}{place}") from error

    @classmethod
    def from_file(
        cls, path: str | os.PathLike[str], vocabulary: Sequence[str] | None = None
    ) -> "ElmoConfig":
        """Reads an `options.json`.

        Args:
            path: the file.
            vocabulary: as in `from_options`.

        Returns:
            An `ElmoConfig`.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: if it is no JSON object, or as `from_options`.
        """
        return cls.from_options(read_options(path), str(path), vocabulary)

    def to_options(self) -> dict[str, Any]:
        """The dictionary of bilm-tf's `options.json`, as bilm-tf and AllenNLP read it.

        But for "merged", which they do not know: they fail on the shapes of its weights.
        """
        options: dict[str, Any] = {
            "lstm": {
                "cell_clip": self.cell_clip,
                "dim": self.units,
                "n_layers": self.num_layers,
                "proj_clip": self.projection_clip,
                "projection_dim": self.projection_dim,
                "use_skip_connections": self.use_skip_connections,
            },
        }
        if self.token_embedder != "words":
            options["char_cnn"] = {
                "activation": self.activation,
                "embedding": {"dim": self.char_embedding_dim},
                "filters": [list(pair) for pair in self.filters],
                "max_characters_per_token": self.max_characters,
                "n_characters": self.num_characters,
                "n_highway": self.num_highway_layers,
            }
        if self.token_embedder == "elmoformanylangs":
            options["token_embedder"] = self.token_embedder
            options["char_cnn"]["characters"] = list(self.characters)
        if self.word_dim:
            options["word_embedding"] = {"dim": self.word_dim, "words": list(self.words)}
            options["n_tokens_vocab"] = len(self.words)
        if not self.sentence_boundaries:
            options["sentence_boundaries"] = False
        if self.tokenizer != "spaces":
            options["tokenizer"] = self.tokenizer
        if self.always_project:
            options["lstm"]["always_project"] = True
        if self.is_merged:
            options |= {"architecture": self.architecture, "merge": self.merge}
        return options


def check_filters(filters: Any, max_characters: int | None = None) -> tuple[tuple[int, int], ...]:
    """Validates the character convolutions."""
    try:
        pairs = tuple((width, number) for width, number in filters)
    except (TypeError, ValueError):
        raise ValueError(
            f"`filters` must be pairs (width, number). Received: filters={shown(filters)}."
        ) from None
    if not pairs:
        raise ValueError("`filters` must have at least one pair (width, number). Received: none.")
    check_integer("filters: number of pairs", len(pairs), maximum=MAX_LAYERS)
    checked = tuple(
        (
            check_integer("filters: width", width, maximum=MAX_CHARACTERS),
            check_integer("filters: number", number, maximum=MAX_SIZE),
        )
        for width, number in pairs
    )
    widest = max(width for width, _ in checked)
    if max_characters is not None and widest > max_characters:
        raise ValueError(
            f"`filters` must be no wider than a word's {max_characters} characters. "
            f"Received: width={widest}."
        )
    return checked
