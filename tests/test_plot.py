"""A word's vectors drawn: where it is found, its groups, the picture, the page, the command."""

import gzip
import html.parser
import re
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from elmo_tf2.plot import Group, Quote, occurrences, plot_word, word
from elmo_tf2.plot.occurrences import find_occurrences
from elmo_tf2.plot.page import write_page
from elmo_tf2.plot.picture import draw_panels
from elmo_tf2.plot.styles import MAX_GROUPS, style_of
from elmo_tf2.plot.vectors import clusters_of, most_typical, plane_of
from tests.cli_fixtures import cached_encoder_of, expected_vectors, run, write_model_folder

SENTENCES = [
    "we eat an apple",
    "apple pays its workers",
    "no fruit here",
    "an apple , an apple , an apple",
    "the apple of the tree",
]
HOSTILE = [
    b'<script>alert(1)</script> "it\'s" </li> bank &amp; <img src=http://x.org/y>',
    b"bytes \xff\xfe and \x00 \x1b[31m at the bank \xc3",
    "\u202eליד bank של הנהר".encode(),
    b"word " * 2_000 + b"bank " + b"word " * 2_000,
    b"x" * 9_000 + b" bank " + b"y" * 9_000,
    b"$title ${panels} costs $5 at the bank and $6",
    "我们在 bank 取钱".encode(),
]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model_folder(tmp_path_factory.mktemp("plot") / "model")


@pytest.fixture(autouse=True)
def one_encoder(monkeypatch):
    monkeypatch.setattr(word, "encoder_of", cached_encoder_of)


@pytest.fixture
def text(tmp_path):
    (tmp_path / "text.txt").write_text("\n".join([*SENTENCES, ""]))
    return tmp_path / "text.txt"


def write(path, lines):
    path.write_bytes(b"\n".join(line.encode() if isinstance(line, str) else line for line in lines))
    return path


# Where the word is.


def places(found):
    return [(occurrence.place()[0], occurrence.place()[1]) for occurrence in found.drawn]


def test_every_occurrence_is_found_at_its_place(text):
    found = find_occurrences("apple", text, "spaces")
    assert (found.number, found.sentences) == (6, 4)
    assert places(found) == [
        (SENTENCES[0], 10),
        (SENTENCES[1], 0),
        *((SENTENCES[3], start) for start in (3, 14, 25)),
        (SENTENCES[4], 4),
    ]


def test_a_word_is_a_whole_one_of_the_tokenizer(tmp_path):
    text = write(tmp_path / "text", ["(cats)", "a cat's cat.", "Cat!", "ca\xadt", "concat"])
    found = find_occurrences("cat", text, "words")
    assert places(found) == [("a cat's cat.", 2), ("a cat's cat.", 8), ("cat", 0)]
    found = find_occurrences("cat", text, "words", ignore_case=True)
    assert found.number == 4 and ("Cat!", 0) in places(found)


def test_text_that_the_tokenizer_has_changed_is_shown_as_its_words(tmp_path):
    text = write(tmp_path / "text", [b"\xe2\x82 cat", b"cat"])
    first = find_occurrences("cat", text, "words").drawn[0]
    text, start, end = first.place()
    assert text[start:end] == "cat" and "�" in text


def test_compressed_text_is_read(tmp_path):
    (tmp_path / "text.gz").write_bytes(gzip.compress(b"a cat\nthe cat\n"))
    progress = []
    found = find_occurrences(
        "cat", tmp_path / "text.gz", "spaces", on_progress=lambda *x: progress.append(x)
    )
    size = (tmp_path / "text.gz").stat().st_size
    assert found.number == 2 and progress[-1] == (size, size)


def test_of_too_many_occurrences_some_are_drawn_all_over_the_text(tmp_path):
    text = write(tmp_path / "text", [f"{number} cat" for number in range(1_000)])
    found = find_occurrences("cat", text, "spaces", max_points=20)
    assert (found.number, found.sentences, len(found.drawn)) == (1_000, 1_000, 20)
    numbers = [int(occurrence.sentence.words[0]) for occurrence in found.drawn]
    assert numbers == sorted(set(numbers))
    assert numbers[0] < 250 and numbers[-1] > 750
    again = find_occurrences("cat", text, "spaces", max_points=20)
    assert again.drawn == found.drawn


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("aple", "does not have the word 'aple'. It has words that are like it: 'apple'"),
        ("Apple", "It has 'apple': take every case .*`--ignore-case`"),
        ("qqqq", "does not have the word 'qqqq'.$"),
        ("eat", "has the word 'eat' only once: 'we eat an apple'. Give more text"),
        ("an apple", "must be one word to the tokenizer `spaces`.*whose words are 'an', 'apple'"),
        ("", "must be one word.*whose words are none"),
    ],
)
def test_a_word_that_can_not_be_drawn_is_an_error_with_a_remedy(text, wanted, message):
    with pytest.raises(ValueError, match=message):
        find_occurrences(wanted, text, "spaces")


def test_an_empty_text_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="is empty"):
        find_occurrences("cat", write(tmp_path / "text", []), "spaces")


def test_a_line_without_a_label_is_an_error(tmp_path):
    text = write(tmp_path / "text", ["animal\ta cat", "the cat"])
    with pytest.raises(ValueError, match="a label, a tab and a sentence.*Found: 'the cat'"):
        find_occurrences("cat", text, "spaces", labels=True)


def test_a_line_that_is_no_sentence_is_an_error(text, monkeypatch):
    monkeypatch.setattr(occurrences, "MAX_TOKENS", 4)
    with pytest.raises(ValueError, match="a line of 8 words that begins 'an apple , an apple"):
        find_occurrences("apple", text, "spaces")


# How it is grouped.

# Two bundles of directions, of different lengths.
VECTORS = np.array([[1, 0.1], [9, 1], [0.1, 1], [1, 0], [0.2, 4]])


def test_clusters_are_of_directions():
    clusters = clusters_of(VECTORS, 2)
    assert clusters[0] == clusters[1] == clusters[3] != clusters[2] == clusters[4]
    assert clusters_of(VECTORS, 1) == [0] * 5


def test_more_clusters_than_different_vectors_are_an_error():
    with pytest.raises(ValueError, match="4 clusters .* Found: 2 in 6 sentences"):
        clusters_of(np.array([[1, 0], [0, 1]] * 3), 4)


def test_the_most_typical_vector_is_nearest_to_the_mean_direction():
    assert most_typical(VECTORS[[0, 1, 3]]) == 0
    assert most_typical(np.array([[9, 0], [1, 1], [0, 1]])) == 1


def test_styles_differ_in_colour_and_mark_until_they_come_again():
    styles = [style_of(group) for group in range(MAX_GROUPS + 1)]
    assert len(set(styles)) == MAX_GROUPS and styles[-1] == styles[0]
    assert len({style.colour for style in styles[:7]}) == 7
    assert len({style.marker for style in styles[:7]}) == 7


# What is shown of a sentence.


@pytest.mark.parametrize(
    ("text", "length", "expected"),
    [
        ("one two three four five", 10, "…two three…"),
        ("one two three four five", 100, "one two three four five"),
        ("three", 2, "three"),
        ("一二三three四五六七八九十", 6, "一二三three…"),
    ],
)
def test_a_quote_is_clipped_round_its_word(text, length, expected):
    start = text.index("three")
    clipped = Quote(text, start, start + 5, "g").clipped(length)
    assert clipped.text == expected
    assert clipped.text[clipped.start : clipped.end] == "three"


# The whole.


def test_the_points_are_the_planes_of_the_words_own_vectors(model, text, tmp_path):
    progress = []
    plot = plot_word(
        model,
        "apple",
        text,
        tmp_path / "out.html",
        clusters=1,
        on_embed=lambda *numbers: progress.append(numbers),
    )
    assert progress[-1] == (21, 21)  # the words of four sentences
    expected = []
    for line in (SENTENCES[index] for index in (0, 1, 3, 4)):
        vectors = expected_vectors(line.split())
        expected += [vectors[:, at] for at, part in enumerate(line.split()) if part == "apple"]
    expected = np.stack(expected, axis=1)  # (layers, occurrences, dim)
    assert list(plot.planes) == ["without context", "layer 1", "layer 2"]
    assert not plot.planes["without context"].any()
    for points, vectors in zip(list(plot.planes.values())[1:], expected[1:], strict=True):
        plane = plane_of(vectors)
        signs = np.sign((points * plane).sum(axis=0))  # of a principal component it is arbitrary
        np.testing.assert_allclose(points, plane * signs, atol=1e-4)
    assert [quote.start for quote in plot.quotes] == [10, 0, 3, 14, 25, 4]
    assert [(group.name, group.size) for group in plot.groups] == [("cluster 1", 6)]


def test_labels_are_the_groups_and_the_largest_comes_first(model, tmp_path):
    lines = ["fruit\tan apple", "company\tapple pays", "fruit\tthe apple", "fruit\tno sense"]
    text = write(tmp_path / "text", lines)
    plot = plot_word(model, "apple", text, tmp_path / "out.html", labels=True)
    assert [(group.name, group.size) for group in plot.groups] == [("fruit", 2), ("company", 1)]
    assert [(quote.text, quote.group) for quote in plot.quotes] == [
        ("an apple", "fruit"),
        ("the apple", "fruit"),
        ("apple pays", "company"),
    ]
    assert plot.groups[1].example.text == "apple pays"


def test_more_labels_than_can_be_told_apart_are_an_error(model, tmp_path):
    text = write(tmp_path / "text", [f"label{number}\tapple {number}" for number in range(50)])
    with pytest.raises(ValueError, match="at most 49 groups.*Found: 50, such as 'label"):
        plot_word(model, "apple", text, tmp_path / "out.html", labels=True)
    assert not (tmp_path / "out.html").exists()


# The page.


class Page(html.parser.HTMLParser):
    """What is in a page."""

    def __init__(self, path):
        super().__init__()
        self.starts, self.texts = [], []
        self.feed(path.read_text(encoding="utf-8"))
        self.close()

    def handle_starttag(self, tag, attrs):
        self.starts.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.texts.append(data)

    def of(self, tag):
        return [attributes for name, attributes in self.starts if name == tag]


def test_the_page_marks_every_occurrence_in_every_layer_and_in_the_list(model, text, tmp_path):
    plot_word(model, "apple", text, tmp_path / "out.html")
    page = Page(tmp_path / "out.html")
    numbers = [str(number) for number in range(6)]
    points = [attributes["data-i"] for attributes in page.of("g")]
    assert points == numbers * 3
    assert [attributes["data-i"] for attributes in page.of("li")] == numbers
    assert all(attributes["tabindex"] == "0" for attributes in page.of("g") + page.of("li"))
    assert page.texts.count("apple") == 6  # in bold
    assert len(page.of("figure")) == 3 and page.of("figure")[0] == {"class": "flat"}


def test_the_page_needs_nothing_else(model, text, tmp_path):
    plot_word(model, "apple", text, tmp_path / "out.html")
    written = (tmp_path / "out.html").read_text(encoding="utf-8")
    assert not re.search(r"https?:|src=|href=|@import|url\(", written)
    assert "default-src 'none'" in written


def test_hostile_sentences_are_text(model, tmp_path):
    lines = [b'<b>"&\t' + line for line in HOSTILE]
    write(tmp_path / "text", lines)
    plot = plot_word(model, "bank", tmp_path / "text", tmp_path / "out.html", labels=True)
    assert plot.number == len(HOSTILE)
    page = Page(tmp_path / "out.html")
    assert len(page.of("script")) == 1 and not page.of("img")
    assert len(page.of("b")) == len(page.of("li")) == len(HOSTILE)
    assert {attributes["dir"] for attributes in page.of("li")} == {"auto"}
    shown = "".join(page.texts)
    assert '<script>alert(1)</script> "it\'s" </li> bank &amp; <img' in shown
    assert "$title ${panels} costs $5" in shown and '<b>"&' in shown
    assert not re.search(r"[\x00-\x09\x0b-\x1f]", shown)
    assert (tmp_path / "out.html").stat().st_size < 40_000


def test_points_of_one_coordinate_lie_within_their_panel(tmp_path):
    quotes = [Quote("cat", 0, 3, "g")] * 3
    planes = {"line": np.array([[0.0, 1], [0, 2], [0, 3]])}
    write_page(tmp_path / "out.html", "title", planes, [Group("g", 3, quotes[0])], quotes)
    points = [attributes["transform"] for attributes in Page(tmp_path / "out.html").of("g")]
    assert points == ["translate(160.0 264.0)", "translate(160.0 140.0)", "translate(160.0 16.0)"]


# The picture.


def test_a_picture_shows_text_as_it_is(tmp_path):
    texts = ["costs $5 and $6", "<b> & \\frac{1}{2}", "_third"]
    planes = {"one": np.array([[0.0, 1], [1, 2], [2, 0]])}
    draw_panels(tmp_path / "out.svg", "a $title$", planes, ["_a", "_b", "_b"], texts)
    root = ET.parse(tmp_path / "out.svg").getroot()
    found = {element.text for element in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {*texts, "a $title$", "one", "_a", "_b"} <= found


def test_a_picture_of_many_points_has_few_texts(tmp_path, rng):
    texts = [f"text{number}" for number in range(100)]
    planes = {"one": rng.normal(size=(100, 2))}
    draw_panels(tmp_path / "out.svg", "title", planes, ["a"] * 100, texts)
    written = (tmp_path / "out.svg").read_text(encoding="utf-8")
    assert len(re.findall(r">text\d+<", written)) == 13


def test_letters_without_a_font_are_told_once(tmp_path, caplog):
    planes = {"one": np.array([[0.0, 1], [1, 2]])}
    letters = ["\U0001f3e6", "\U00010900"]  # a picture, and Phoenician
    draw_panels(tmp_path / "out.png", "title", planes, ["a", "a"], letters)
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")
    (record,) = caplog.records
    assert "some are boxes in out.png" in record.message


# The command.


def test_plot_tells_what_it_found_and_made(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "text.txt", [f"{letter} the cat" for letter in "abcdefgh" * 3])
    said = run("plot", "cat", "text.txt", "--model", model, "--max-points", 10)
    assert "cat: 24 times in 24 sentences of text.txt" in said
    assert "10 of them, chosen at random, are drawn; 14 are left out (--max-points)." in said
    sizes = [int(size) for size in re.findall(r"cluster \d +(\d+)  \w the cat", said)]
    assert sum(sizes) == 10 and sizes == sorted(sizes, reverse=True) and len(sizes) == 2
    assert said.endswith("Wrote plot.html.\n") and (tmp_path / "plot.html").exists()
    assert "exists already" in run("plot", "cat", "text.txt", "--model", model, exit_code=1)
    run("plot", "cat", "text.txt", "--model", model, "--overwrite", "--clusters", 3)


def test_plot_makes_pictures(model, text, tmp_path):
    for ending, start in ((".png", b"\x89PNG"), (".SVG", b"<?xml")):
        out = tmp_path / f"out{ending}"
        run("plot", "apple", text, "--model", model, "--out", out)
        assert out.read_bytes().startswith(start)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{tmp}/nothing", "--out", "{tmp}/out.html"], "There is no text file"),
        (["{text}", "--out", "{tmp}/out.gif"], "ending .*html, .png, .svg. Found: .gif"),
        (["{text}", "--out", "{tmp}/out"], "Found: none"),
        (["{text}", "--out", "{tmp}/out.html", "--layer", "3"], "from 0 to 2. Received: layer=3"),
        (["{text}", "--out", "{tmp}/out.html", "--layer", "0"], "Found: 1 in 6 sentences"),
        (["{text}", "--out", "{tmp}/out.html", "--labels"], "a label, a tab and a sentence"),
    ],
)
def test_a_mistake_is_told_in_a_line_and_leaves_nothing(model, text, tmp_path, arguments, message):
    arguments = [argument.format(tmp=tmp_path, text=text) for argument in arguments]
    (line,) = run("plot", "apple", *arguments, "--model", model, exit_code=1).splitlines()
    assert line.startswith("Error: ") and re.search(message, line)
    assert [path.name for path in tmp_path.iterdir()] == ["text.txt"]


@pytest.mark.parametrize(
    ("module", "out", "message"),
    [("matplotlib", "out.png", "out.png needs matplotlib"), ("sklearn", "out.html", "Clusters")],
)
def test_a_missing_library_is_told_with_the_command_that_installs_it(
    model, text, tmp_path, monkeypatch, module, out, message
):
    monkeypatch.setitem(sys.modules, module, None)
    said = run("plot", "apple", text, "--model", model, "--out", tmp_path / out, exit_code=1)
    assert message in said and "pip install 'elmo_tf2[plots]'" in said


def test_a_page_without_clusters_needs_no_other_library(model, text, tmp_path, monkeypatch):
    for module in ("matplotlib", "sklearn"):
        monkeypatch.setitem(sys.modules, module, None)
    out = tmp_path / "out.html"
    run("plot", "apple", text, "--model", model, "--out", out, "--clusters", 1)
    assert out.exists()
