"""benchmarks/quality.py on data small enough to compute its figures by hand."""

import json

import numpy as np
import pytest
import quality
import typer
from quality_data import (
    AmbiguousWord,
    Instance,
    TaggedSentence,
    Treebank,
    read_conllu,
    read_treebank,
    read_wsd,
)
from quality_tasks import (
    most_frequent_senses,
    most_frequent_tags,
    parts_of_speech,
    probe,
    tell_senses,
    whiten,
    word_senses,
)
from quality_vectors import embed, make_encoders, views
from typer.testing import CliRunner

from elmo_tf2.config import ElmoConfig
from elmo_tf2.weights import read_model_folder
from tests.cli_fixtures import write_model_folder

BASELINE_MICRO, BASELINE_MACRO = 2 / 4, (1 / 3 + 1) / 2

WSD_FILES = {
    "bank/train.data.txt": "1\tmud bank\n1\tmoney bank\n2\tthe money bank\n1\tmoney bank .\n"
    "1\triver bank\n",
    "bank/train.gold.txt": "shore\nfirm\nfirm\nfirm\nshore\n",
    "bank/test.data.txt": "1\tstream bank\n1\tsilt bank\n2\tmy cash bank\n",
    "bank/test.gold.txt": "shore\nshore\nfirm\n",
    "bass/train.data.txt": "1\tmoney bass\n1\triver bass\n1\tmud bass\n",
    "bass/train.gold.txt": "music\nfish\nfish\n",
    "bass/test.data.txt": "1\tstream bass",  # the last line of a file may have no end
    "bass/test.gold.txt": "fish",
    "README.txt": "not a word",
}

CONLLU = """\
# text = I don't know
1\tI\tI\tPRON\tPRP\t_\t4\tnsubj\t_\t_
2-3\tdon't\t_\t_\t_\t_\t_\t_\t_\t_
2\tdo\tdo\tAUX\tVBP\t_\t4\taux\t_\t_
3\tn't\tnot\tPART\tRB\t_\t4\tadvmod\t_\t_
3.1\tnever\tnever\tADV\tRB\t_\t_\t_\t_\t_
4\tknow\tknow\tVERB\tVB\t_\t0\troot\t_\t_

# text = 10 000
1\t10 000\t10000\tNUM\tCD\t_\t0\troot\t_\t_
"""
SENTENCES = [
    TaggedSentence(["I", "do", "n't", "know"], ["PRON", "AUX", "PART", "VERB"]),
    TaggedSentence(["10 000"], ["NUM"]),
]

VECTORS = {
    "river": (1.0, 0.0),
    "money": (0.0, 1.0),
    "mud": (0.6, 0.8),
    "stream": (0.9, 0.1),
    "silt": (0.5, 0.9),
    "cash": (0.1, 1.0),
}


class Stub:
    """Two layers: a word's own vector, and that of the word before it."""

    layers = ["layer0", "layer1"]
    dim = 2

    def __init__(self, vectors):
        self.vectors = vectors

    def encode(self, batch):
        for sentence in batch:
            own = [self.vectors.get(word.decode(), (1.0, 1.0)) for word in sentence.words]
            yield np.array([own, [(1.0, 1.0), *own[:-1]]], np.float32)


def write(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return folder


@pytest.fixture
def wsd(tmp_path):
    return write(tmp_path / "wsd", WSD_FILES)


@pytest.fixture
def ud(tmp_path):
    return write(tmp_path / "ud", {"en-train.conllu": CONLLU, "en-test.conllu": CONLLU})


# Word senses


def test_instances_are_read_with_their_senses(wsd):
    bank, bass = read_wsd(wsd)
    assert (bank.name, bass.name) == ("bank", "bass")
    assert [len(bank.train), len(bank.test), len(bass.train), len(bass.test)] == [5, 3, 3, 1]
    assert bank.test[2] == Instance(["my", "cash", "bank"], 2, "firm")


def test_the_most_frequent_sense_is_that_of_train(wsd):
    baseline = most_frequent_senses(read_wsd(wsd))
    assert baseline == {
        "micro": BASELINE_MICRO,
        "macro": BASELINE_MACRO,
        "words": {"bank": 1 / 3, "bass": 1.0},
    }


def test_a_layer_that_sees_the_context_tells_the_senses(wsd):
    # By hand: of "bank", "silt" is nearest to "mud", a shore, with a cosine of 0.991. But the mean
    # of "mud" and "river", (0.8, 0.4), is farther (0.825) than "money", the mean of firms (0.874).
    results = word_senses(Stub(VECTORS), read_wsd(wsd), "")
    assert results["layer 1"]["1-NN"] == {
        "micro": 1.0,
        "macro": 1.0,
        "words": {"bank": 1.0, "bass": 1.0},
    }
    assert results["layer 1"]["centroid"] == {
        "micro": 3 / 4,
        "macro": (2 / 3 + 1) / 2,
        "words": {"bank": 2 / 3, "bass": 1.0},
    }


def test_a_layer_without_context_gives_the_most_frequent_sense(wsd):
    words = read_wsd(wsd)
    results = word_senses(Stub(VECTORS), words, "")
    assert results["layer 0"] == dict.fromkeys(("1-NN", "centroid"), most_frequent_senses(words))


def test_rounding_does_not_decide_between_equal_vectors(rng):
    vector = rng.standard_normal(64)
    vectors = (vector + 1e-7 * rng.standard_normal((7, 64))).astype(np.float32)
    answers = tell_senses(vectors[:5], ["b", "a", "a", "b", "a"], vectors[5:])
    assert {method: list(each) for method, each in answers.items()} == {
        "1-NN": ["a", "a"],
        "centroid": ["a", "a"],
    }


def test_a_sense_that_train_does_not_have_is_an_error_of_the_model():
    train = [Instance(["river", "bank"], 1, "shore")]
    test = [Instance(["river", "bank"], 1, "shore"), Instance(["money", "bank"], 1, "firm")]
    results = word_senses(Stub(VECTORS), [AmbiguousWord("bank", train, test)], "")
    assert results["layer 1"]["1-NN"]["micro"] == 1 / 2


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("bank/test.data.txt", "1 stream bank\n\n\n", r"test\.data\.txt, line 1: expected the pos"),
        ("bank/test.data.txt", "1\ta b\n-1\ta b\n0\ta", r"line 2: .* Found: '-1\\ta b'"),
        ("bank/test.data.txt", "1\ta b\n0\ta b\n2\ta b", r"line 3: .* Found: '2\\ta b'"),
        ("bass/train.data.txt", "", r"train\.gold\.txt must have a line for each of the 1 of"),
        ("bank/test.gold.txt", "shore\n", r"gold\.txt must have .* 3 of test\.data.* Found: 1"),
    ],
)
def test_a_broken_file_of_word_senses_is_named(wsd, name, text, message):
    write(wsd, {name: text})
    with pytest.raises(ValueError, match=message):
        read_wsd(wsd)


def test_a_missing_file_of_word_senses_is_named(wsd):
    (wsd / "bass" / "test.gold.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"bass.test\.gold\.txt'\. .*QUALITY\.md"):
        read_wsd(wsd)


def test_a_folder_without_words_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"is not CoarseWSD-20\. .*QUALITY\.md"):
        read_wsd(tmp_path)


# Parts of speech


def test_words_are_those_of_the_syntax(ud):
    assert read_treebank(ud) == Treebank(SENTENCES, SENTENCES)


def test_the_most_frequent_tag_is_that_of_the_word_or_else_of_all():
    train = [
        TaggedSentence(["run", "run", "run"], ["VERB", "NOUN", "VERB"]),
        TaggedSentence(["cats", "dogs", "mice"], ["NOUN", "NOUN", "NOUN"]),
    ]
    test = [TaggedSentence(["run", "cats", "fish", "eat"], ["VERB", "NOUN", "NOUN", "VERB"])]
    assert most_frequent_tags(Treebank(train, test)) == 3 / 4


def test_a_probe_tells_what_a_layer_knows(rng):
    # A word's own vector tells its tag; the word before it tells nothing, for all begin sentences.
    vectors = {f"noun{i}": (1 + 0.1 * rng.random(), 0.0) for i in range(20)}
    vectors |= {f"verb{i}": (0.0, 1 + 0.1 * rng.random()) for i in range(10)}
    sentences = [TaggedSentence([word], [word[:4].upper()]) for word in vectors]
    order = rng.permutation(30)
    train, test = ([sentences[i] for i in part] for part in np.split(order, [20]))
    results = parts_of_speech(Stub(vectors), Treebank(train, test), "")
    assert list(results) == ["layer 0", "layer 1", "mean of 0-1"]
    nouns = sum(each.tags == ["NOUN"] for each in test)
    assert results == {"layer 0": 1.0, "layer 1": nouns / 10, "mean of 0-1": 1.0}


def test_a_probe_is_linear(rng):
    # XOR: no line has more than three of the four corners right.
    corners = np.array([[0, 0], [1, 1], [0, 1], [1, 0]], np.float32)
    tags = np.array(["X", "X", "Y", "Y"])
    assert probe(corners, tags, corners, tags) <= 3 / 4


def test_whitening_leaves_no_direction_ahead_and_adds_none(rng):
    vectors = rng.standard_normal((500, 2)) @ [[10.0, 3.0], [0.0, 1e-3]] + 7
    vectors = np.concatenate([vectors, vectors], axis=1)  # a layer 0 has every number twice
    train, test = whiten(vectors[:400], vectors[400:])
    variances = np.linalg.eigvalsh(np.cov(train, rowvar=False, bias=True))
    np.testing.assert_allclose(variances, [0, 0, 1, 1], atol=1e-5)  # float32
    np.testing.assert_allclose(train.mean(axis=0), 0, atol=1e-5)
    assert np.abs(test).max() < 10


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 I I PRON\n", r"conllu, line 1: expected the 10 columns of CoNLL-U"),
        (CONLLU.replace("4\tknow", "x\tknow"), r"line 7: expected the 10 columns"),
        (CONLLU.replace("PART", "_"), r"line 5: the word \"n't\" has no UPOS"),
        ("# nothing\n\n", r"conllu has no words"),
    ],
)
def test_a_broken_treebank_is_named(tmp_path, text, message):
    path = tmp_path / "x.conllu"
    path.write_text(text, "utf-8")
    with pytest.raises(ValueError, match=message):
        read_conllu(path)


def test_a_treebank_that_is_not_utf8_is_named(tmp_path):
    path = tmp_path / "x.conllu"
    path.write_bytes(b"\xff")
    with pytest.raises(ValueError, match=r"x\.conllu is not UTF-8 text"):
        read_conllu(path)


def test_a_treebank_has_one_train_and_one_test_file(ud):
    (ud / "fr-test.conllu").write_text(CONLLU, "utf-8")
    with pytest.raises(ValueError, match=r"one file that ends in test\.conllu\. Found: 2"):
        read_treebank(ud)
    (ud / "en-train.conllu").unlink()
    with pytest.raises(ValueError, match=r"one file that ends in train\.conllu\. Found: 0"):
        read_treebank(ud)


# Vectors


def test_every_sentence_gets_its_own_vectors():
    sentences = [["river"], ["money", "mud", "river"], ["mud", "mud"]]
    found = dict(embed(Stub(VECTORS), sentences, ""))
    assert sorted(found) == [0, 1, 2]
    for number, words in enumerate(sentences):
        expected = np.array([VECTORS[word] for word in words], np.float32)
        np.testing.assert_array_equal(found[number][0], expected)


def test_views_are_layers_and_means():
    assert views(4) == {
        "layer 0": slice(0, 1),
        "layer 1": slice(1, 2),
        "layer 2": slice(2, 3),
        "layer 3": slice(3, 4),
        "mean of 1-3": slice(1, 4),
        "mean of 0-3": slice(4),
    }
    assert list(views(2)) == ["layer 0", "layer 1", "mean of 0-1"]


def test_the_untrained_network_has_the_same_shape_and_the_seeds_weights(tmp_path):
    weights = read_model_folder(write_model_folder(tmp_path / "model"))
    one, again, other = (make_encoders(weights, seed) for seed in (1, 1, 2))
    assert one["trained"].fingerprint == other["trained"].fingerprint
    assert one["untrained"].layers == one["trained"].layers
    assert one["untrained"].dim == weights.config.layer_dim
    assert one["untrained"].fingerprint == again["untrained"].fingerprint
    assert one["untrained"].fingerprint != other["untrained"].fingerprint
    assert list(make_encoders(weights, None)) == ["trained"]


# The command


def run(*arguments):
    app = typer.Typer()
    app.command()(quality.main)
    return CliRunner(env={"COLUMNS": "120"}).invoke(app, [str(each) for each in arguments])


@pytest.mark.slow
def test_the_command_writes_a_report_and_a_picture(tmp_path, wsd, ud):
    model = write_model_folder(tmp_path / "model")
    report_path, picture = tmp_path / "report.json", tmp_path / "picture.png"
    outputs = "--json", report_path, "--plot", picture
    result = run(model, "--wsd", wsd, "--ud", ud, "--bfloat16", *outputs)
    assert result.exit_code == 0, result.output
    assert "most frequent sense " in result.output
    assert "most frequent tag of the word" in result.output
    assert picture.read_bytes().startswith(b"\x89PNG")
    report = json.loads(report_path.read_text("utf-8"))
    assert ElmoConfig.from_options(report["options"]) == read_model_folder(model).config
    assert report["word_senses"]["baseline"]["micro"] == BASELINE_MICRO
    for network in ("trained", "bfloat16", "untrained"):
        senses = report["word_senses"]["networks"][network]
        assert senses["layer 0"]["1-NN"]["micro"] == BASELINE_MICRO
        assert set(senses) == set(report["parts_of_speech"]["networks"][network])


def test_the_command_does_one_task_for_one_network(tmp_path, ud):
    report_path = tmp_path / "report.json"
    model = write_model_folder(tmp_path / "model")
    result = run(model, "--ud", ud, "--no-untrained", "--json", report_path)
    assert result.exit_code == 0, result.output
    report = json.loads(report_path.read_text("utf-8"))
    assert "word_senses" not in report
    assert list(report["parts_of_speech"]["networks"]) == ["trained"]
    assert report["untrained_seed"] is None


def test_the_command_tells_errors_in_one_line(tmp_path, ud):
    result = run(tmp_path / "nothing", "--ud", ud)
    assert result.exit_code == 1
    assert "nothing" in result.output
    assert "Traceback" not in result.output
    assert len(result.output.strip().splitlines()) == 1


def test_the_command_finds_faults_of_its_arguments_first(tmp_path, ud):
    result = run("model")
    assert result.exit_code == 2
    assert "at least one of" in result.output
    result = run("model", "--ud", ud, "--plot", tmp_path / "no_folder" / "picture.png")
    assert result.exit_code == 2
    assert "there is no folder" in result.output


def test_the_command_names_packages_that_are_missing(monkeypatch, ud):
    monkeypatch.setattr(quality.importlib.util, "find_spec", lambda name: None)
    result = run("model", "--ud", ud)
    assert result.exit_code == 2
    assert "matplotlib and sklearn must be installed" in result.output
