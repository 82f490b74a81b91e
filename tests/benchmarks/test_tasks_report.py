"""benchmarks/tasks/report.py, on results that are made up and on those of this repository."""

import json
from pathlib import Path

import pytest

pytest.importorskip("seqeval")

from tasks import report
from tasks.registry import TASKS

ROOT = Path(__file__).parents[2]

IDENTITY = {"model": "m", "fingerprint": "f", "quick": False, "versions": {"keras": "3"}}


def line(variant, value, seed=1, share=1.0, task="trec", **more):
    test = {"accuracy": value, "macro F1": 0.1}
    given = {"kind": "result", "task": task, "variant": variant, "share": share, "seed": seed}
    return {**given, "setting": {}, "dev": test, "test": test, **IDENTITY, **more}


def write_lines(path, *lines):
    path.write_text("".join(json.dumps(each) + "\n" for each in lines), "utf-8")
    return str(path)


def test_the_report_is_a_table_and_a_picture(tmp_path, capsys):
    path = write_lines(
        tmp_path / "results.jsonl",
        line("none", 0.5, kind="search"),
        line("none", 0.80, 1),
        line("none", 0.82, 2),
        line("mix", 0.90, 1),
        line("mix", 0.90, 2),
        line("none", 0.5, share=0.01),
        line("untrained", 0.4, task="wsd-1nn", seed=0),
    )
    assert list(report.TITLES) == list(TASKS)
    picture = tmp_path / "curves.png"
    report.main([path, "--plot", str(picture)])
    # By hand: the standard deviation of 80 and 82 is sqrt(2).
    assert capsys.readouterr().out.startswith(
        "| task | labels | none | mix | untrained |\n"
        "| --- | ---: | ---: | ---: | ---: |\n"
        "| question type, TREC: accuracy | 1 % | **50.0** |  |  |\n"
        "| question type, TREC: accuracy | 100 % | 81.0 ± 1.4 | **90.0** ± 0.0 |  |\n"
        "| word sense, CoarseWSD-20, 1-NN: accuracy | 100 % |  |  | **40.0** |\n"
        "\nm; main metric on test × 100, mean ± standard deviation of 2 seeds. keras 3."
    )
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "difference", [{"fingerprint": "other"}, {"versions": {"keras": "4"}}, {"quick": True}]
)
def test_a_report_is_of_one_model_and_of_one_version(tmp_path, difference):
    path = write_lines(tmp_path / "r.jsonl", line("none", 0.8), line("mix", 0.9, **difference))
    with pytest.raises(SystemExit, match=f"they differ in '{next(iter(difference))}'"):
        report.main([path])


def test_a_report_of_nothing_is_refused(tmp_path):
    with pytest.raises(SystemExit, match=r"no file .*run\.py writes it"):
        report.main([str(tmp_path / "none.jsonl")])
    path = write_lines(tmp_path / "r.jsonl", line("none", 0.8, kind="search"))
    with pytest.raises(SystemExit, match="There are no results yet"):
        report.main([path])
    path = write_lines(tmp_path / "r.jsonl", line("none", 0.8))
    with pytest.raises(SystemExit, match="no curve"):
        report.main([path, "--plot", str(tmp_path / "p.png")])


def test_a_report_of_some_variants(tmp_path, capsys):
    path = write_lines(tmp_path / "r.jsonl", line("none", 0.8), line("layer0", 0.9))
    report.main([path, "--variants", "mix,none"])
    assert capsys.readouterr().out.startswith("| task | labels | none |\n")
    with pytest.raises(SystemExit, match="no results of mix. There are: layer0, none"):
        report.main([path, "--variants", "mix"])


@pytest.mark.parametrize(
    ("document", "variants"),
    [
        ("README.md", "none,mix,fine-tuned,untrained"),
        ("README.zh-CN.md", "none,mix,fine-tuned,untrained"),
        ("benchmarks/README.md", None),
    ],
)
def test_the_documents_have_the_table_of_the_results(document, variants, capsys):
    results = sorted(str(path) for path in ROOT.glob("benchmarks/results/*.jsonl"))
    report.main(results if variants is None else [*results, "--variants", variants])
    rows = capsys.readouterr().out.split("\n\n")[0].splitlines()
    text = (ROOT / document).read_text("utf-8")
    # A translation has titles of its own.
    cells = [row.split("|", 2)[2] for row in rows[2:]]
    assert "\n".join(cells) in "\n".join(row.split("|", 2)[-1] for row in text.splitlines())
