"""Running text to sentences, and its normal forms, by tensorflow_text.

tensorflow_text ends a sentence at every full stop, question and exclamation mark of any script,
even after `Mr.`, in `example.com` and at what looks like an emoticon (10:30), and leaves closing
quotes to the next sentence. So its ends are only candidates here.
"""

import importlib
import re
from collections.abc import Iterator
from types import ModuleType

import tensorflow as tf

NORMAL_FORMS = ("none", "nfc", "nfkc")

# Chinese and Japanese sentences follow one another without a space.
_FULL_WIDTH_MARKS = "。！？｡"
_MARKS = ".!?…‼⁇⁈⁉" + _FULL_WIDTH_MARKS + "؟۔।॥։՜՞።፧፨။។៕᠃᠉\u037e"
_CLOSERS = "\"'`’”»›)]}>」』）】》〉"
_END = re.compile(rf"[{_MARKS}][{re.escape(_CLOSERS)}]*\s+$")
_FULL_WIDTH_END = re.compile(rf"[{_FULL_WIDTH_MARKS}][{re.escape(_CLOSERS)}]*\s*$")
# First the rest of a wide space, in which tensorflow_text begins a sentence.
_CLOSING = re.compile(rb"[\x80-\xBF]*(?:" + "|".join(map(re.escape, _CLOSERS)).encode() + rb")*\s*")

_WORD_BEGINS = r"(?:^|[\s\"'“‘(\[-])"
_NEVER_LAST = re.compile(
    rf"{_WORD_BEGINS}(?:Mr|Mrs|Ms|Dr|Prof|St|Gen|Col|Maj|Capt|Lt|Sgt|Sen|Rep|Gov|Rev|Hon|Messrs"
    r"|Mme|Mlle|Ft|Mt|vs|cf|viz|e\.g|i\.e|z\.B|d\.h)\.\s+$"
)
_NOT_LAST_BEFORE_A_NUMBER = re.compile(
    rf"{_WORD_BEGINS}(?:Nos?|pp?|Figs?|Vols?|Art|Secs?|Ch|Nr|S|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?"
    r"|Oct|Nov|Dec)\.\s+$"
)
# U.S., J., p.m., 1.: the last words of a sentence if the next word is one that often begins one.
_SELDOM_LAST = re.compile(
    rf"{_WORD_BEGINS}(?:(?:[^\W\d_]\.){{2,}}|(?:[^\W\d_I]|\d\d?|Inc|Ltd|Corp|Co|Bros|Jr|Sr|Ph\.D"
    r"|etc|al)\.)\s+$"
)
_OFTEN_FIRST = re.compile(
    r"[\"'“‘(\[]*(?:The|This|That|These|Those|There|It|He|She|They|We|You|His|Her|Their|Its|My|Our"
    r"|In|On|At|For|From|By|With|After|Before|As|While|When|Where|What|Who|Why|How|If|But|And|Or|So"
    r"|Then|Now|No|Not|Some|Many|Most|All|Both|One|Another|However|Although|Since|Because)\b"
)
_FIRST_CHARACTER = re.compile(r"[\"'`“‘„«‹(\[{¿¡<–—-]*\s*(.)")
_LETTER = re.compile(r"[^\W\d_]")

# The context that decides about a candidate.
_BYTES_BEFORE = 64
_BYTES_AFTER = 48


def normalize(strings: tf.Tensor, form: str) -> tf.Tensor:
    """Brings texts, UTF-8, into a normal form of Unicode, one of `NORMAL_FORMS`."""
    if form == "none":
        return strings
    return _tensorflow_text().normalize_utf8(strings, form.upper())


def break_sentences(strings: tf.Tensor) -> Iterator[bytes]:
    """Breaks texts `(batch,)`, UTF-8, into sentences; joined, those of a text are the text.

    A sentence ends at a mark such as ".", "?" or "。" and the quotes and brackets that close after
    it, if white space follows, and unless

    - the next word begins with a small letter, or the next character cannot begin a sentence (a
      comma);
    - the mark belongs to an abbreviation that does not end sentences (Mr., e.g., and No. before a
      number), or to one that seldom does (U.S., J., Inc., 1.) and the next word is not one that
      often begins sentences, such as "The";
    - there was no letter yet: "1." and "..." go with what follows.

    For 。！？ only the last exception holds, and no white space need follow.

    Example:
    >>> list(break_sentences(tf.constant(["Mr. Smith left. He was late."])))
    [b'Mr. Smith left. ', b'He was late.']
    """
    breaker = _tensorflow_text().StateBasedSentenceBreaker()
    starts = breaker.break_sentences_with_offsets(strings)[1]
    for text, candidates in zip(strings.numpy(), starts.to_list(), strict=True):
        begin = 0
        for start in candidates[1:]:
            closing = _CLOSING.match(text, start)
            end = closing.end() if closing and not text[start - 1 : start].isspace() else start
            if end > begin and _ends_sentence(
                text[max(begin, end - _BYTES_BEFORE) : end].decode("utf-8", "ignore"),
                text[end : end + _BYTES_AFTER].decode("utf-8", "ignore"),
            ):
                yield text[begin:end]
                begin = end
        yield text[begin:]


def _tensorflow_text() -> ModuleType:
    """Imports it where it is needed, since that is slow."""
    try:
        return importlib.import_module("tensorflow_text")
    except ImportError as error:
        raise ValueError(
            "Sentences and normal forms need tensorflow_text, which can't be imported here: "
            f"{error}. Install it, or give one sentence per line (`one_sentence_per_line=True`, on "
            "the command line `--one-sentence-per-line`), not normalized."
        ) from error


def _ends_sentence(before: str, after: str) -> bool:
    if not _LETTER.search(before):
        return False
    if _FULL_WIDTH_END.search(before):
        return True
    if not _END.search(before):
        return False
    first = _FIRST_CHARACTER.match(after)
    if first and (first[1].islower() or first[1] in ",;:.!?…)]}"):
        return False
    if _NEVER_LAST.search(before) or (
        first and first[1].isdigit() and _NOT_LAST_BEFORE_A_NUMBER.search(before)
    ):
        return False
    return not _SELDOM_LAST.search(before) or bool(_OFTEN_FIRST.match(after))
