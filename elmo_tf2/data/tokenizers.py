"""Text to words, by core TensorFlow operations alone: they go into exported SavedModels.

`spaces` splits at the space character, for text that is tokenized already. `words` splits running
text of any language.
"""

import re

import tensorflow as tf

from elmo_tf2.config import TOKENIZERS
from elmo_tf2.validation import check_choice


def tokenize(strings: tf.Tensor, tokenizer: str) -> tuple[tf.Tensor, tf.Tensor]:
    """Splits texts `(batch,)` by "spaces" or "words": tokens padded with "", and lengths, int32."""
    check_choice("tokenizer", tokenizer, TOKENIZERS)
    return split_words(strings) if tokenizer == "words" else split_at_spaces(strings)


def split_at_spaces(strings: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Splits texts `(batch,)` at the space character, as the published TF1 module google/elmo does.

    Returns tokens `(batch, tokens)` padded with "", and lengths `(batch,)`, int32. Runs of spaces
    count as one; tabs and line breaks are characters like any other.
    """
    indices, tokens, shape = tf.raw_ops.StringSplit(input=strings, delimiter=" ", skip_empty=True)
    padded = tf.sparse.to_dense(tf.SparseTensor(indices, tokens, shape), default_value="")
    lengths = tf.math.bincount(
        tf.cast(indices[:, 0], tf.int32), minlength=tf.size(strings), dtype=tf.int32
    )
    return padded, lengths


def ragged_words(strings: tf.Tensor) -> tf.RaggedTensor:
    """The words of `split_at_spaces` without padding, `(batch, (tokens))`."""
    indices, tokens, shape = tf.raw_ops.StringSplit(input=strings, delimiter=" ", skip_empty=True)
    return tf.RaggedTensor.from_value_rowids(tokens, indices[:, 0], shape[0], validate=False)


def split_words(strings: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Splits running text into words, much as the Penn treebank and the 1B Word Benchmark do.

    - White space of any kind, control characters and marks of direction split words; bytes that are
      not UTF-8 become U+FFFD; soft hyphens vanish.
    - Every punctuation mark and symbol is a word of its own, but runs of one of `.!?-–—…'=*_~#+`
      and the grave accent are one word; so are an emoji and a flag, of however many code points.
    - Han, Hiragana and Katakana characters are words of their own.
    - Hyphens, apostrophes and `&` between letters stay (well-known, O'Neil, AT&T), so do points,
      commas, colons and slashes between digits (1,000.5), web and mail addresses, abbreviations
      (U.S., e.g., Mr.) and, but at a text's end, the point of an initial (George W. Bush).
    - English clitics are words: do n't, ca n't, John 's, we 'll, with ' and ’ alike.

    Its own output, joined by spaces, is split the same again. So is other tokenized text, but where
    it deviates from the above: "@-@" and "<unk>" are split. So are "<S>" and "</S>": no text can
    hold a sentence's boundary. Nothing is normalized. Returns as `split_at_spaces`.

    Example:
    >>> split_words(tf.constant(["Don't!", "3.5% of it"]))[0].numpy().tolist()
    [[b'Do', b"n't", b'!', b''], [b'3.5', b'%', b'of', b'it']]
    """
    return split_at_spaces(put_words_apart(strings))


def put_words_apart(strings: tf.Tensor) -> tf.Tensor:
    """Texts with one space or more between the words of `split_words`, any shape."""
    strings = tf.strings.unicode_transcode(strings, "UTF-8", "UTF-8", errors="replace")
    for pattern, rewrite in _STEPS:
        strings = tf.strings.regex_replace(strings, pattern, rewrite)
    return strings


def token_lengths(tokens: tf.Tensor) -> tf.Tensor:
    """Lengths `(batch,)`, int32, of tokens `(batch, tokens)` padded with ""."""
    number = tf.range(1, tf.shape(tokens)[1] + 1)
    ends = tf.where(tf.not_equal(tokens, ""), number, 0)
    return tf.reduce_max(tf.pad(ends, [[0, 0], [1, 0]]), axis=1)


# The patterns of `words`, in the syntax of RE2, which has no look-ahead.

# White space but the space itself, control characters, and invisible ones between words: U+200B,
# marks of direction, the byte order mark.
_SPACES = (
    r"[\p{Cc}\x{A0}\x{61C}\x{1680}\x{180E}\x{2000}-\x{200B}\x{200E}\x{200F}\x{2028}-\x{202F}"
    r"\x{205F}-\x{206F}\x{3000}\x{FEFF}]"
)

# First, what is not ASCII and always a word of its own. The classes of Unicode are large: a pattern
# with many copies of them is slow.
_HYPHENS = r"\-_&\x{B7}\x{2010}\x{2011}"
_APOSTROPHES = r"'\x{2019}"
_SEPARATORS = r"\x{66B}\x{66C}"  # of Arabic numbers
_JOINERS = r"\x{200C}\x{200D}"  # inside words of Persian and of the scripts of India
_CJK = r"\p{Han}\p{Hiragana}\p{Katakana}\x{30FC}\x{FF70}"  # and the marks of long vowels
_NOT_ASCII_MARK = (
    rf"[^\x00-\x7F\p{{L}}\p{{M}}\p{{N}}{_JOINERS}{_HYPHENS}{_APOSTROPHES}{_SEPARATORS}]"
)
_EMOJI = r"\p{So}\p{M}*(?:[\x{1F3FB}-\x{1F3FF}\x{E0020}-\x{E007F}]|\x{200D}\p{So}\p{M}*)+"
_FLAG = r"[\x{1F1E6}-\x{1F1FF}]{2}"
_APART = rf"{_EMOJI}|{_FLAG}|(?:–+|—+|…+|[{_CJK}]|{_NOT_ASCII_MARK})\p{{M}}*"

# Then all others. Apart from spaces, ASCII marks and joiners, only letters and digits are left.
_DIGIT = r"[0-9\x{660}-\x{669}\x{6F0}-\x{6F9}]"
_NO_LETTERS = rf"\[-`{{-~{_HYPHENS}{_APOSTROPHES}{_SEPARATORS}"
_LETTER = rf"[^ -/:-@{_NO_LETTERS}]"  # or digit
_NUMBER = rf"(?:{_LETTER}*{_DIGIT}[.,:/{_SEPARATORS}])+{_DIGIT}{_LETTER}*"
_PART = rf"(?:{_NUMBER}|{_LETTER}+)"
_HYPHENED = rf"{_PART}(?:[{_HYPHENS}]{_PART}|\.[a-z]{_LETTER}*)*"
# Two apostrophes at most: the last step takes two clitics off, and none must be left.
_WORD = rf"{_HYPHENED}(?:[{_APOSTROPHES}]{_HYPHENED}){{0,2}}"

_ABBREVIATIONS = (
    "Mr Mrs Ms Dr Prof St Sr Jr Gen Col Maj Capt Lt Sgt Sen Rep Gov Rev Hon Messrs Ph.D Inc Ltd "
    "Corp Co Bros Jan Feb Mar Apr Jun Jul Aug Sept Sep Oct Nov Dec vs etc cf al"
).split()
_ENDED_BY_POINT = rf"(?:{'|'.join(map(re.escape, _ABBREVIATIONS))})\."
_OF_LETTERS = rf"(?:[^ -@{_NO_LETTERS}]\.){{2,}}(?:-{_LETTER}+)*"  # U.S., U.S.-led
_INITIAL = r"[A-ZÀ-ÖØ-ÞΑ-ΩА-Я]\. "  # a text that ends "plan B." keeps its last point

_CLITIC = rf"(?i:[{_APOSTROPHES}](?:s|d|m|ll|re|ve))"
_NOT_OR_CLITIC = rf"(?:(?i:n[{_APOSTROPHES}]t)|{_CLITIC})"

_WEB = r"(?i:https?://|ftp://|www\.)[-A-Za-z0-9._~:/?#@!$&*+,;=%]*[A-Za-z0-9/]"
_MAIL = r"[A-Za-z0-9][-A-Za-z0-9._+]*@(?:[A-Za-z0-9][-A-Za-z0-9]*\.)+[A-Za-z]{2,}"
_RUN = "|".join(re.escape(mark) + "+" for mark in ".!?-'`=*_~#+")

# The earlier goes before the later. None looks at what is outside its match (but at the end of the
# text), which is why a word that stands alone is matched as it was among others.
_TOKEN = "|".join(
    [
        _WEB,
        _MAIL,
        _ENDED_BY_POINT,
        _OF_LETTERS,
        _INITIAL,
        _WORD,
        rf"{_CLITIC}(?: |$)",
        _RUN,
        "[^ ]",
    ]
)

_STEPS = (
    (r"\x{AD}+", ""),
    (_SPACES, " "),
    (" +$", ""),
    (_APART, r" \0 "),
    (_TOKEN, r"\0 "),
    (rf"({_LETTER})({_NOT_OR_CLITIC})?({_NOT_OR_CLITIC}) ", r"\1 \2 \3 "),
)
