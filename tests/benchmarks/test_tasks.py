"""benchmarks/tasks on tiny data in each set's own format, with a tiny model of random weights."""

import json
import warnings

import numpy as np
import pytest

pytest.importorskip("seqeval")

import tensorflow as tf
from quality_data import HOW_TO_GET
from quality_vectors import embed
from rich.progress import Progress
from tasks import batches, data, head_task, run, search, training
from tasks.corpus import CHARS, Corpus
from tasks.metrics import measure
from tasks.networks import Networks
from tasks.registry import TASKS, open_task
from tasks.results import Results
from typer.testing import CliRunner

from elmo_tf2.layers import ScalarMix
from elmo_tf2.weights import read_model_folder
from tests.cli_fixtures import write_model_folder

WORDS = ["the", "cat", "sat", "on", "Mats", "."]
TAGS = ["DET", "NOUN", "VERB", "ADP", "PROPN", "PUNCT"]


def conllu(number):
    rows = [
        f"{place}\t{word}\t{word}\t{tag}\t_\t_\t0\troot\t_\t_"
        for place, (word, tag) in enumerate(zip(WORDS, TAGS, strict=True), 1)
    ]
    return "\n".join([*rows[:number], "", *rows[number:], ""])


WNUT = "the\tO\nEmpire\tB-location\nState\tI-location\n\t\nand\tO\nESB\tB-location\n"
WIKIGOLD = "\n\n".join(
    f"The O\nMad{number} I-ORG\n\nJapanese I-MISC\nband O\n\n-DOCSTART- O" for number in range(5)
)
QUESTIONS = "NUM:dist How far is Aspen ?\nLOC:city What sister\xf0city ?\n"
SIMILAR = '"Yes, it rains.",It rains.,4.2\nA cat.,A dog.,1\nNo.,A plane.,0.0\n'
SENSES = "".join(f"1\t{'river' if number % 3 else 'my'} bank {number}\n" for number in range(10))
GOLD = "".join(f"{'shore' if number % 3 else 'firm'}\n" for number in range(10))

FILES = {
    **{f"UD_English-EWT/en_ewt-ud-{part}.conllu": conllu(2) for part in data.PARTS},
    "emerging_entities_17/wnut17train.conll": WNUT,
    "emerging_entities_17/emerging.dev.conll": WNUT,
    "emerging_entities_17/emerging.test.annotated": WNUT,
    f"{TASKS['wikigold'].folder}/wikigold.conll.txt": WIKIGOLD,
    "qc/train.txt": QUESTIONS * 5,
    "qc/test.txt": QUESTIONS,
    "subjectivity/quote.tok.gt9.5000": "a clich\xe9d film .\n" * 10,
    "subjectivity/plot.tok.gt9.5000": "she finds a cat .\n" * 10,
    **{f"stsb-multi-mt/data/stsb-en-{part}.csv": SIMILAR for part in data.PARTS},
    f"{TASKS['wsd-1nn'].folder}/bank/train.data.txt": SENSES,
    f"{TASKS['wsd-1nn'].folder}/bank/train.gold.txt": GOLD,
    f"{TASKS['wsd-1nn'].folder}/bank/test.data.txt": SENSES,
    f"{TASKS['wsd-1nn'].folder}/bank/test.gold.txt": GOLD,
}
LATIN = ("qc", "subjectivity")


def write(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "latin-1" if name.startswith(LATIN) else "utf-8")
    return folder


@pytest.fixture
def folder(tmp_path):
    return write(tmp_path / "data", FILES)


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    return write_model_folder(tmp_path_factory.mktemp("tasks") / "model", with_mix=False)


@pytest.fixture(scope="session")
def networks(model):
    return Networks("tiny", read_model_folder(model))


@pytest.fixture(scope="session")
def opened(tmp_path_factory, networks):
    """Every task on the tiny data; the vectors are computed once."""
    folder = write(tmp_path_factory.mktemp("tasks") / "data", FILES)
    bar = Progress(disable=True)
    return {name: open_task(name, folder, networks, bar) for name in TASKS}


@pytest.fixture
def short(monkeypatch):
    """One update, without a graph: to make it would take longer than all else."""
    monkeypatch.setattr(training, "MOST_EPOCHS", 1)
    monkeypatch.setattr(batches, "LEAST_UPDATES", 1)
    tf.config.run_functions_eagerly(True)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Even though the `tf.config.experimental_run_funct")
        yield
    tf.config.run_functions_eagerly(False)


# Data


def test_a_post_ends_at_a_line_without_words(folder):
    train = data.read_wnut17(folder / "emerging_entities_17").train
    assert train == [
        data.Example((["the", "Empire", "State"],), ["O", "B-location", "I-location"]),
        data.Example((["and", "ESB"],), ["O", "B-location"]),
    ]


def test_wikigold_is_split_by_documents(folder):
    parts = data.read_wikigold(folder / TASKS["wikigold"].folder)
    assert [[each.sentences[0][1] for each in part[::2]] for part in parts] == [
        ["Mad0", "Mad1", "Mad2"],
        ["Mad3"],
        ["Mad4"],
    ]


def test_of_a_question_the_coarse_class_is_taken_and_the_tenth_is_dev(folder):
    train, dev, test = data.read_trec(folder / "qc")
    assert (len(train), len(dev), len(test)) == (9, 1, 2)
    assert test[1] == data.Example((["What", "sister\xf0city", "?"],), "LOC")


def test_both_files_of_subj_are_in_every_part(folder):
    parts = data.read_subj(folder / "subjectivity")
    assert [len(part) for part in parts] == [16, 2, 2]
    assert [each.label for each in parts.test] == ["subjective", "objective"]
    assert parts.test[0].sentences == (["a", "clich\xe9d", "film", "."],)


def test_pairs_are_split_into_words_and_scores_are_from_0_to_1(folder):
    first = data.read_stsb(folder / TASKS["stsb"].folder).dev[0]
    assert first.sentences == (["Yes", ",", "it", "rains", "."], ["It", "rains", "."])
    assert first.label == pytest.approx(0.84)


@pytest.mark.parametrize(
    ("task", "name", "text", "message"),
    [
        ("upos", "en_ewt-ud-dev.conllu", "1 I I PRON\n", "line 1: expected the 10 columns"),
        (
            "wnut17",
            "emerging.dev.conll",
            "a\tO\nb O\n",
            r"dev\.conll, line 2: expected a word, '\\t",
        ),
        ("wnut17", "wnut17train.conll", "\n", r"train\.conll has no words"),
        ("wikigold", "wikigold.conll.txt", "a O\n", r"at least 5 documents.* Found: 1"),
        ("wikigold", "wikigold.conll.txt", "a PER\n", r"line 1: .* Found: 'a PER'"),
        ("trec", "train.txt", "What ?\n", r"train\.txt, line 1: expected a question after its cl"),
        ("stsb", "stsb-en-test.csv", "a,b,1\na,b\n", r"test\.csv, row 2: expected two sentences"),
        ("stsb-cosine", "stsb-en-dev.csv", "a,b,much\n", r"dev\.csv, row 1: expected two sen"),
        ("wsd-1nn", "bank/test.gold.txt", "shore\n", "must have a line for each of the 10"),
    ],
)
def test_a_broken_file_is_named(folder, networks, task, name, text, message):
    write(folder / TASKS[task].folder, {name: text})
    with pytest.raises(ValueError, match=message):
        open_task(task, folder, networks, Progress())


def test_word_senses_need_instances_to_choose_by(folder, networks):
    few = {f"bank/train.{kind}.txt": text for kind, text in (("data", "0\tb"), ("gold", "x"))}
    write(folder / TASKS["wsd-1nn"].folder, few)
    with pytest.raises(ValueError, match="must have a word with 10 instances"):
        open_task("wsd-logistic", folder, networks, Progress())


@pytest.mark.parametrize("name", TASKS)
def test_data_that_are_missing_are_named(tmp_path, networks, name):
    with pytest.raises(
        FileNotFoundError, match=f"There is no folder .* for {name}\\. {HOW_TO_GET}"
    ):
        open_task(name, tmp_path, networks, Progress())
    (tmp_path / TASKS[name].folder).mkdir(parents=True)
    with pytest.raises((FileNotFoundError, ValueError), match=HOW_TO_GET):
        open_task(name, tmp_path, networks, Progress())


# Words and batches


def test_a_word_is_known_that_train_has_twice_in_whatever_case():
    corpus = Corpus([["The", "cat", "the"], ["cat", "The"]])
    assert corpus.word_ids([0]).tolist() == [0, 2, 1, 2, 1, 2]


def test_padding_is_the_first_place():
    assert Corpus([["a", "b", "c"], ["d"]]).places([1, 0]).tolist() == [[4, 0, 0], [1, 2, 3]]


def test_a_long_word_keeps_its_beginning_and_its_end():
    table = Corpus([["ab", "x" * 40 + "ing"]]).char_ids()
    assert table[0].tolist() == [0] * CHARS
    assert table[1].tolist() == [257, 98, 99, 258, *[0] * (CHARS - 4)]
    assert table[2].tolist()[-4:] == [each + 1 for each in (*b"ing", 257)]


def test_layers_are_scaled_by_what_train_has(networks, opened):
    corpus = Corpus([["a", "b"], ["c"]])
    layers, deviations = corpus.vectors(networks.trained, 1, "", Progress(disable=True))
    assert list(layers) == ["layer0", "layer1", "layer2"]
    computed = dict(embed(networks.trained, corpus.sentences, "", Progress(disable=True)))
    for layer, deviation, expected in zip(layers.values(), deviations, computed[0], strict=True):
        np.testing.assert_allclose(layer[1:3] * deviation, expected, atol=1e-3)
    for layer in layers.values():
        assert layer[1:3].std(dtype=np.float64) == pytest.approx(1, abs=2e-3)  # float16
        assert not layer[0].any()


def test_a_smaller_share_is_a_part_of_a_larger_one():
    examples = list(range(200))
    one, ten, all_of_them = (batches.subset(examples, share, 3) for share in (0.01, 0.1, 1))
    assert (len(one), len(ten)) == (2, 20)
    assert set(one) < set(ten) < set(all_of_them) == set(examples)
    assert set(ten) != set(batches.subset(examples, 0.1, 4))


# Metrics, by hand


def test_tags_count_by_words():
    assert measure("tags", [["A", "B"], ["A"]], [["A", "A"], ["A"]]) == {"accuracy": 2 / 3}


def test_entities_count_as_a_whole_in_either_notation():
    gold = [["B-PER", "I-PER", "O"], ["I-LOC", "I-LOC", "O", "I-ORG"]]
    answers = [["B-PER", "I-PER", "O"], ["I-LOC", "O", "O", "I-ORG"]]
    assert measure("entities", gold, answers)["F1"] == pytest.approx(2 / 3)  # 2 of 3, and of 3
    assert measure("entities", gold, [["O"] * 3, ["O"] * 4]) == {"F1": 0.0}


def test_the_mean_of_f1_counts_classes_alike():
    found = measure("class", ["a", "a", "a", "b"], ["a", "a", "a", "a"])
    assert found == {"accuracy": 3 / 4, "macro F1": pytest.approx((6 / 7 + 0) / 2)}


def test_correlations_of_scores_and_of_ranks():
    # Deviations (-1, 0, 1) and (-2, -1, 3): 5 / sqrt(2 * 14).
    found = measure("score", [0, 1, 2], [1, 2, 6])
    assert found == {"Pearson": pytest.approx(5 / 28**0.5), "Spearman": pytest.approx(1)}
    assert measure("score", [0, 1], [3, 3]) == {"Pearson": 0.0, "Spearman": 0.0}


# Every task and variant


def check(task, name, variant):
    settings = [TASKS[name].settings(each, quick=True)[0] for each in ("mix", variant)]
    learned = task.run(variant, 1.0, 1, settings[0] | settings[1])
    assert learned.epochs == (1 if TASKS[name].has_head else 0) + (variant == "fine-tuned")
    for metrics in (learned.dev, learned.test):
        assert all(-1 <= value <= 1 for value in metrics.values())


@pytest.mark.parametrize("variant", ["none", "layer1", "fine-tuned", "untrained"])
def test_every_variant_learns(short, opened, variant):
    check(opened["trec"], "trec", variant)


def test_fine_tuning_begins_as_the_frozen_model_ended(opened, monkeypatch):
    models = []

    def train(model, batches, data, *_):
        mixes = [layer for layer in model.layers if isinstance(layer, ScalarMix)]
        for mix in mixes:
            mix.set_weights([np.array([0.5, -0.5, 0.0]), np.array(-1.5)])
        models.append(model(batches.inputs(data.test)).numpy())
        return {}, {}, 1

    monkeypatch.setattr(training, "_train", train)
    opened["stsb"].run("fine-tuned", 1.0, 1, {**head_task.QUICK[0], "fine_tuning_rate": 0.01})
    assert np.ptp(models[0]) > 1e-3
    np.testing.assert_allclose(*models, atol=1e-3)  # float16


@pytest.mark.parametrize("name", TASKS)
def test_every_task_is_done(short, opened, networks, name):
    with_head = TASKS[name].has_head
    for variant in ["mix"] if with_head else set(networks.variants) - {"fine-tuned"}:
        check(opened[name], name, variant)


@pytest.mark.slow
def test_a_seed_gives_the_same_again_and_padding_changes_nothing(short, opened, monkeypatch):
    setting = search.grid(learning_rate=(0.1,), units=(4,), dropout=(0.2,))[0]
    first = opened["stsb"].run("mix", 1.0, 1, setting)
    monkeypatch.setattr(batches, "TEST_BATCH", 1)
    again = opened["stsb"].run("mix", 1.0, 1, setting)
    assert again.test == pytest.approx(first.test, abs=1e-4)  # float32


@pytest.mark.slow
@pytest.mark.parametrize("name", ["upos", "stsb"])
def test_a_model_learns_what_it_is_told(opened, name, monkeypatch):
    monkeypatch.setattr(training, "MOST_EPOCHS", 5)
    setting = search.grid(learning_rate=(0.05,), units=(8,), dropout=(0.0,))[0]
    learned = opened[name].run("mix", 1.0, 1, setting)
    assert next(iter(learned.test.values())) > 0.99


def test_bags_of_words_tell_senses_and_similarity_by_hand(opened):
    # Of the test sentences all words but the number tell the sense, and train has the same ones.
    assert opened["wsd-1nn"].run("none", 1.0, 0, {}).test["accuracy"] == 1.0
    # Cosines 3/sqrt(5 * 3), 2/3 and 1/sqrt(2 * 3) of scores 4.2, 1 and 0.
    cosines = [3 / 15**0.5, 2 / 3, 1 / 6**0.5]
    expected = np.corrcoef(cosines, [4.2, 1, 0])[0, 1]
    found = opened["stsb-cosine"].run("none", 1.0, 0, {})
    assert found.test["Pearson"] == pytest.approx(expected)


# Results, and the command


def command(*arguments):
    arguments = [str(each) for each in arguments]
    return CliRunner(env={"COLUMNS": "200"}).invoke(run.app, arguments)


@pytest.fixture
def arguments(folder, model, tmp_path):
    out = tmp_path / "results.jsonl"
    return ["--data", folder, "--out", out, "--model", model], out


def test_a_run_goes_on_where_it_was(arguments):
    arguments, out = arguments
    arguments += ["wsd-logistic", "stsb-cosine", "--variants", "none,layer1"]
    result = command(*arguments)
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    kinds = [line["kind"] for line in lines]
    assert kinds == [*["search", "search", "search", "result"] * 2, "result", "result"]
    by_c = {line["setting"]["C"]: line["dev"]["accuracy"] for line in lines[:3]}
    assert lines[3]["setting"]["C"] == max(by_c, key=by_c.get)
    assert lines[3]["versions"]["tensorflow"] == tf.__version__
    out.write_bytes(out.read_bytes()[:-40])
    result = command(*arguments)
    assert "its damaged last line was dropped" in result.output
    assert "10 models in all, 9 of them done before" in result.output
    assert len(out.read_bytes().splitlines()) == 10
    result = command(*arguments, "--quick")
    assert result.exit_code == 1
    assert "differ in 'quick'" in result.output


def test_the_search_is_the_same_for_every_variant_and_comes_first():
    jobs = run.plan(["trec", "wsd-1nn"], ["none", "mix", "fine-tuned"], None, 3, quick=False)
    none, mix = (
        [job for job in jobs if job.task == "trec" and job.variant == variant]
        for variant in ("none", "mix")
    )
    assert [job._replace(variant="mix") for job in none] == mix
    assert [job.kind for job in none] == ["search"] * len(head_task.GRID) + ["result"] * 9
    results = [(job.share, job.seed) for job in none if job.kind == "result"]
    assert results == [(share, seed) for share in (0.01, 0.1, 1.0) for seed in (1, 2, 3)]
    senses = [job for job in jobs if job.task == "wsd-1nn"]
    assert [(job.kind, job.variant) for job in senses] == [("result", "none"), ("result", "mix")]


def test_an_encoder_does_not_learn_from_a_large_train_unless_it_is_asked_to():
    usual, asked = (
        run.plan(["upos"], ["mix", "fine-tuned"], shares, 1, quick=False)
        for shares in (None, [1.0])
    )
    shares = [(job.variant, job.share) for job in usual if job.kind == "result"]
    assert shares == [
        ("mix", 0.01),
        ("mix", 0.1),
        ("mix", 1.0),
        ("fine-tuned", 0.01),
        ("fine-tuned", 0.1),
    ]
    assert ("fine-tuned", 1.0) in [(job.variant, job.share) for job in asked]


def test_a_first_look_has_no_search_and_few_labels():
    jobs = run.plan(["trec", "subj"], ["none"], None, 1, quick=True)
    assert [(job.task, job.share, job.kind) for job in jobs] == [
        ("trec", 0.01, "result"),
        ("trec", 0.1, "result"),
        ("subj", 0.1, "result"),
    ]


def test_a_damaged_line_before_the_last_is_told(tmp_path, networks):
    path = tmp_path / "results.jsonl"
    path.write_text('{"task": \n{}\n', "utf-8")
    with pytest.raises(ValueError, match=r"results\.jsonl, line 1 is no result.* Remove the line"):
        Results(path, networks.identity(False))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["chess"], "TASK has 'chess'. There are: upos"),
        (["trec", "--variants", "layer7"], "--variants has 'layer7'. There are: none"),
        (["trec", "--variants", "fine-tuned,none"], "fine-tuned begins as mix: name that before"),
        (["trec", "--shares", "0"], "--shares takes percentages above 0"),
        (["trec", "--shares", "some"], "--shares takes percentages above 0"),
        (["trec", "--model", "nothing"], "'nothing'"),
    ],
)
def test_the_command_tells_what_is_wrong(arguments, more, message):
    result = command(*arguments[0], *more)
    assert result.exit_code in (1, 2)
    assert message in result.output


def test_the_command_finds_a_missing_folder_and_missing_packages_first(arguments, monkeypatch):
    arguments, out = arguments
    arguments[3] = out.parent / "none" / "r.jsonl"
    assert "there is no folder" in command(*arguments).output
    monkeypatch.setattr(run.importlib.util, "find_spec", lambda name: None)
    assert "seqeval, scipy, sklearn must be installed" in command(*arguments).output
