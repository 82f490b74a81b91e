"""Every notebook runs from top to bottom, and is kept without outputs."""

from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


def read(path):
    nbformat = pytest.importorskip("nbformat", reason="needs the extra `notebooks`")
    return nbformat.read(path, as_version=4)


def test_there_are_notebooks():
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs(path):
    code = [cell for cell in read(path).cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in code)


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, monkeypatch):
    nbclient = pytest.importorskip("nbclient", reason="needs the extra `notebooks`")
    monkeypatch.setenv("MPLBACKEND", "agg")
    client = nbclient.NotebookClient(
        read(path), timeout=120, resources={"metadata": {"path": str(path.parent)}}
    )
    client.execute()
