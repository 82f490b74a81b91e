"""Published weights, by name."""

import re
from typing import NamedTuple

_ALLENNLP = "https://allennlp.s3.amazonaws.com/models/elmo/"
_NLPL = "http://vectors.nlpl.eu/repository/20/{}.zip"


class Published(NamedTuple):
    """A published model.

    Attributes:
        addresses: of an archive; or of the weights and of the options.
        language: its name in English.
        licence: as its publisher names it, or None.
        parameters: of the encoder, or None.
        vector_dim: numbers in the vector of a word, or None.
        sha256: of the archive or the weight file, or None where unknown.
    """

    addresses: tuple[str, ...]
    language: str
    licence: str | None
    parameters: int | None
    vector_dim: int | None
    sha256: str | None = None


def _allennlp(stem: str) -> tuple[str, ...]:
    return tuple(f"{_ALLENNLP}{stem}_{part}" for part in ("weights.hdf5", "options.json"))


def _of_size(size: str, training: str = "") -> tuple[str, ...]:
    return _allennlp(f"{size}{training}/elmo_{size}{training}")


_LARGE = "2x4096_512_2048cnn_2xhighway"
_SMALL, _MEDIUM = "2x1024_128_2048cnn_1xhighway", "2x2048_256_2048cnn_1xhighway"
_PUBMED = f"{_ALLENNLP}contributed/pubmed/elmo_{_LARGE}"
_APACHE, _EN = "Apache-2.0", "English"

_MANY_LANGS = (
    "Arabic, Bulgarian, Catalan, Czech, Old Church Slavonic, Danish, German, Greek, English, "
    "Spanish, Estonian, Basque, Persian, Finnish, French, Irish, Galician, Ancient Greek, Hebrew, "
    "Hindi, Croatian, Hungarian, Indonesian, Italian, Japanese, Korean, Latin, Latvian, Dutch, "
    "Norwegian Bokmål, Norwegian Nynorsk, Polish, Portuguese, Romanian, Russian, Slovak, Slovene, "
    "Swedish, Turkish, Uyghur, Ukrainian, Urdu, Vietnamese, Chinese"
).split(", ")

PUBLISHED = {
    "allennlp/small": Published(_of_size(_SMALL), _EN, _APACHE, 13_600_000, 256),
    "allennlp/medium": Published(_of_size(_MEDIUM), _EN, _APACHE, 28_000_000, 512),
    "allennlp/original": Published(_of_size(_LARGE), _EN, _APACHE, 93_600_000, 1024),
    "allennlp/original-5.5B": Published(_of_size(_LARGE, "_5.5B"), _EN, _APACHE, 93_600_000, 1024),
    "allennlp/biomed": Published(
        (f"{_PUBMED}_weights_PubMed_only.hdf5", f"{_PUBMED}_options.json"),
        _EN,
        None,
        93_600_000,
        1024,
    ),
    # of ELMoForManyLangs, in the order of its README
    **{
        f"nlpl/{number}": Published((_NLPL.format(number),), language, None, None, 1024)
        for number, language in enumerate(_MANY_LANGS, start=136)
    },
    "nlpl/NNN": Published((_NLPL.format("NNN"),), "others", None, None, None),
}
"""Published models; "nlpl/NNN" stands for any number in NLPL's repository."""


def addresses_of(name: str) -> tuple[str, ...] | None:
    """Where a published model is, by its name; None if there is none of that name."""
    number = re.fullmatch(r"nlpl/(\d+)", name)
    if number:
        return (_NLPL.format(number[1]),)
    known = [other for other in PUBLISHED if other != "nlpl/NNN"]
    if name in known:
        return PUBLISHED[name].addresses
    if re.fullmatch(r"(allennlp|nlpl)/[^/]*", name):
        raise FileNotFoundError(
            f"There is no file or folder {name!r}, and no published model of that name. Published: "
            f"{', '.join(other for other in known if other.startswith('allennlp/'))}, and nlpl/NNN "
            "with a number for NNN."
        )
    return None
