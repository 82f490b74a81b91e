"""The scripts in export/, run as their users run them."""

import contextlib
import dataclasses
import io
import re
import runpy
import shutil
import sys
from typing import NamedTuple
from unittest import mock

import pytest
import tensorflow as tf

from elmo_tf2.models import ElmoEmbeddings
from elmo_tf2.saved_model import export_saved_model
from elmo_tf2.weights import ElmoWeights, Mix, write_model_folder
from tests import REPOSITORY
from tests import numpy_reference as reference
from tests.processes import run_new_interpreter, run_python
from tests.small_elmo import CONFIG, GAMMA, W

pytestmark = pytest.mark.slow


def run(script, *arguments, package=False):
    """Runs a script of export/, where elmo_tf2 can be imported only if `package`."""
    script = REPOSITORY / "export" / f"{script}.py"
    if package:
        return run_python(script, *arguments, cwd="/", PYTHONPATH=str(REPOSITORY))
    return run_python(script, *arguments, cwd="/", blocked=["elmo_tf2"])


def run_without_tensorflow(script, *arguments):
    """Runs a script of export/, where neither elmo_tf2 nor TensorFlow can be imported."""
    start = (
        "import runpy, sys; sys.argv.pop(0); "
        "sys.modules.update(elmo_tf2=None, tensorflow=None); "
        "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    script = REPOSITORY / "export" / f"{script}.py"
    return run_new_interpreter("-c", start, script, *arguments)


class Result(NamedTuple):
    """What became of a script, as `subprocess.run` gives it."""

    returncode: int
    stdout: str
    stderr: str


def run_here(script, *arguments):
    """Runs a script of export/ in this process, which has imported TensorFlow already."""
    script = str(REPOSITORY / "export" / f"{script}.py")
    code = 0
    with (
        mock.patch.object(sys, "argv", [script, *map(str, arguments)]),
        contextlib.redirect_stdout(text_stream()) as stdout,
        contextlib.redirect_stderr(text_stream()) as stderr,
    ):
        try:
            runpy.run_path(script, run_name="__main__")
        except SystemExit as ended:
            code = ended.code or 0
    if isinstance(code, str):  # as Python does when a script ends with a message
        stderr.write(f"{code}\n")
        code = 1
    return Result(code, *(stream.buffer.getvalue().decode() for stream in (stdout, stderr)))


def text_stream():
    """As a process has it: a text stream over bytes."""
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)


def table(output):
    """The rows that check_saved_model.py prints: state and what was found, by title."""
    rows = {}
    for line in output.splitlines():
        title, *rest = line.split("  ", 1)
        state, _, found = "".join(rest).strip().partition(" ")
        if state in ("ok", "FAILED"):
            rows[title] = state, found.strip()
    return rows


def failed(output):
    return {title for title, (state, _) in table(output).items() if state == "FAILED"}


# --- export_hub.py, and check_saved_model.py on what it made


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model folder."""
    folder = tmp_path_factory.mktemp("scripts") / "model"
    # One layer, for less of the time that goes into making graphs.
    config = dataclasses.replace(CONFIG, num_layers=1)
    arrays = reference.random_arrays(config.to_options())
    write_model_folder(ElmoWeights(config, arrays, mix=Mix(W[:2], GAMMA)), folder)
    return folder


@pytest.fixture(scope="module")
def exported(model):
    """What the exporting script did, with all of its flags."""
    flags = ["--options", model / "options.json", "--trainable", "all", "--tar", "--overwrite"]
    return run_here("export_hub", model / "weights.hdf5", model.with_name("exported"), *flags)


@pytest.fixture(scope="module")
def check_of_good(exported, model):
    """What the checking script says of it."""
    return run("check_saved_model", model.with_name("exported"))


@pytest.fixture(scope="module")
def check_of_broken(model):
    """What it says of an export with damages that loading it does not show."""
    folder = model.with_name("broken")
    # Its encoder does not learn: such a one is checked in half the time.
    whole = export_saved_model(ElmoEmbeddings.from_folder(model), model.with_name("whole"))
    elmo = tf.saved_model.load(str(whole))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="strings")])
    def shifted(strings):
        outputs = dict(elmo.default(strings))
        outputs["default"] += 1e-3
        return outputs

    elmo.trainable_variables = elmo.trainable_variables[1:]
    signatures = {"default": shifted, "elmo": elmo.signatures["elmo"], "serving_default": shifted}
    tf.saved_model.save(elmo, str(folder), signatures=signatures)
    return run("check_saved_model", folder)


def test_the_export_says_what_it_wrote(exported, model):
    assert exported.returncode == 0
    assert f"Exported {model / 'weights.hdf5'} to {model.with_name('exported')}" in exported.stdout
    assert 'signature="default", as_dict=True' in exported.stdout


def test_the_export_writes_folder_archive_and_card(exported, model):
    folder = model.with_name("exported")
    assert (folder / "saved_model.pb").is_file()
    assert folder.with_name("exported.tar.gz").is_file()
    card = (folder / "model_card.md").read_text(encoding="utf-8")
    assert "| trainable | the weighted sum and the encoder |" in card
    assert "| weights from | weights.hdf5 |" in card
    assert str(model) not in card  # where its maker keeps it is nobody's concern


def test_a_good_export_passes_every_check(check_of_good):
    assert failed(check_of_good.stdout) == set(), check_of_good.stdout
    assert check_of_good.returncode == 0
    number = len(table(check_of_good.stdout))
    assert number > 25
    assert check_of_good.stdout.splitlines()[-1] == f"All {number} checks held."


def test_the_table_is_aligned_and_nothing_else_is_printed(check_of_good):
    heading, blank, *rows, blank_again, _ = check_of_good.stdout.splitlines()
    assert "TensorFlow" in heading
    assert blank == blank_again == ""
    assert len({re.search("  (ok|FAILED)  ", row).start() for row in rows}) == 1
    assert check_of_good.stderr == ""


def test_a_check_tells_what_it_found(check_of_good):
    found = table(check_of_good.stdout)
    assert found["Types: signature default"][1] == "5 outputs, elmo of 8"
    assert "19 of 19" in found["Training: trainable ones among variables"][1]


def test_a_broken_export_fails_the_checks_that_it_breaks(check_of_broken):
    assert check_of_broken.returncode == 1
    found = table(check_of_broken.stdout)
    for title, detail in (
        ("A model card is there", "there is none"),
        ("Names: signatures", "missing: tokens"),
        ("Signatures: agree with the callable", "default differs by 1.0e-03"),
        ("Training: gradients by a GradientTape", "others are watched, too"),
    ):
        assert found[title] == ("FAILED", detail)
    assert found["Callable: hub.Module's line"][0] == "ok"
    number = len(failed(check_of_broken.stdout))
    assert check_of_broken.stdout.splitlines()[-1] == f"{number} of {len(found)} checks FAILED."


def test_a_broken_export_gets_no_traceback(check_of_broken):
    assert "Traceback" not in check_of_broken.stdout + check_of_broken.stderr
    assert all(len(line) < 400 for line in check_of_broken.stdout.splitlines())


# --- what is no exported model


@pytest.fixture(scope="module")
def other_saved_model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("other") / "doubler"
    module = tf.Module()
    module.double = tf.function(lambda x: 2 * x, input_signature=[tf.TensorSpec([None])])
    tf.saved_model.save(module, str(folder), signatures=module.double)
    return folder


def assert_one_clear_line(result, *words):
    assert result.returncode == 1
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    for word in words:
        assert word in line


def test_a_folder_that_is_not_there_gets_one_clear_line(tmp_path):
    assert_one_clear_line(
        run_without_tensorflow("check_saved_model", tmp_path / "x"), "There is no folder"
    )


def test_a_file_gets_one_clear_line(tmp_path):
    (tmp_path / "elmo.tar.gz").touch()
    result = run_without_tensorflow("check_saved_model", tmp_path / "elmo.tar.gz")
    assert_one_clear_line(result, "is a file", "tar xzf")


def test_a_model_folder_gets_one_clear_line(model):
    result = run_without_tensorflow("check_saved_model", model)
    assert_one_clear_line(result, "no saved_model.pb", "elmo-tf2 export")


def test_a_tf1_hub_module_gets_one_clear_line(golden):
    result = run_without_tensorflow("check_saved_model", golden / "tf1_hub")
    assert_one_clear_line(result, "module of TensorFlow 1", "elmo-tf2 export")


def test_a_module_of_tf1_without_its_mark_gets_one_clear_line(golden, tmp_path):
    shutil.copytree(golden / "tf1_hub", tmp_path / "module", copy_function=shutil.copyfile)
    (tmp_path / "module").chmod(0o755)
    (tmp_path / "module" / "tfhub_module.pb").unlink()
    result = run_here("check_saved_model", tmp_path / "module")
    assert_one_clear_line(result, "module of TensorFlow 1")


def test_another_saved_model_gets_one_clear_line(other_saved_model):
    result = run_here("check_saved_model", other_saved_model)
    assert_one_clear_line(result, "of no ELMo", "Found: serving_default")


def test_a_damaged_saved_model_gets_one_clear_line(other_saved_model, tmp_path):
    shutil.copytree(other_saved_model, tmp_path / "damaged")
    (tmp_path / "damaged" / "saved_model.pb").write_bytes(b"no graph")
    result = run_here("check_saved_model", tmp_path / "damaged")
    assert_one_clear_line(result, "can't be loaded")


# --- help and mistakes


def test_the_help_of_the_check_comes_at_once_and_teaches():
    result = run_without_tensorflow("check_saved_model", "--help")
    assert result.returncode == 0, result.stderr
    for word in ("PATH", "tensorflow_hub", "exit code", "1e-5"):
        assert word in result.stdout


def test_the_help_of_the_export_teaches():
    result = run_here("export_hub", "--help")
    assert result.returncode == 0
    flags = ("--options", "--trainable", "--tar", "--overwrite", "--no-prove")
    for word in ("MODEL", "OUT", *flags, "google/elmo/3"):
        assert word in result.stdout


def test_the_export_runs_as_a_script(model, tmp_path):
    result = run("export_hub", model, tmp_path / "out", package=True)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "out" / "saved_model.pb").is_file()
    assert not (tmp_path / "out.tar.gz").exists()


def test_a_mistake_in_exporting_gets_one_clear_line(tmp_path):
    result = run_here("export_hub", tmp_path / "nothing", tmp_path / "out")  # not an exception
    assert result.returncode != 0
    assert str(tmp_path / "nothing") in result.stderr.splitlines()[-1]
