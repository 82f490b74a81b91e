"""The wheel: what `pip install` puts into an environment, and nothing else."""

import email
import shutil
import subprocess
import sys
import zipfile

import pytest

from tests import REPOSITORY

pytestmark = pytest.mark.slow

# What pip says when it has no index to fetch the build's requirements from.
NO_NETWORK = (
    "Could not find a version that satisfies the requirement setuptools",
    "No matching distribution found for setuptools",
    "Temporary failure in name resolution",
    "Connection refused",
    "Network is unreachable",
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel built from a copy of the tree, so that nothing is left in the tree."""
    if subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True).returncode:
        pytest.skip("pip is not here to build a wheel")
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    left_out = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__", "*venv*")
    shutil.copytree(REPOSITORY, source, ignore=left_out)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", str(folder)]
    build = subprocess.run(
        [*command, str(source)], capture_output=True, text=True, timeout=600, check=False
    )
    if build.returncode and any(sign in build.stderr for sign in NO_NETWORK):
        pytest.skip("setuptools, which builds the wheel, cannot be fetched without a network")
    assert build.returncode == 0, build.stderr
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        yield archive


def metadata(wheel):
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    return email.message_from_bytes(wheel.read(name))


def test_it_holds_the_package_and_its_metadata_alone(wheel):
    top_level = {name.partition("/")[0] for name in wheel.namelist()}
    (dist_info,) = (name for name in top_level if name.endswith(".dist-info"))
    assert top_level == {"elmo_tf2", dist_info}


def test_it_holds_every_file_of_the_package(wheel):
    modules = {
        path.relative_to(REPOSITORY).as_posix() for path in REPOSITORY.glob("elmo_tf2/**/*.py")
    }
    assert {name for name in wheel.namelist() if name.endswith(".py")} == modules


def test_it_says_that_the_package_is_typed(wheel):
    assert "elmo_tf2/py.typed" in wheel.namelist()


def test_it_holds_the_licence(wheel):
    (name,) = (name for name in wheel.namelist() if name.endswith("/LICENSE"))
    assert ".dist-info/" in name
    assert wheel.read(name) == (REPOSITORY / "LICENSE").read_bytes()
    fields = metadata(wheel)
    assert (fields["License-Expression"] or fields["License"]) == "Apache-2.0"


def test_it_holds_no_tests_and_no_scripts(wheel):
    for name in wheel.namelist():
        assert not {"tests", "export", "notebooks", "benchmarks"} & set(name.split("/"))


def test_it_holds_every_file_of_the_presets_and_of_pictures(wheel):
    files = [path for path in REPOSITORY.glob("elmo_tf2/presets/[!_]*/*") if path.is_file()]
    files += REPOSITORY.glob("elmo_tf2/demo/*.json")
    files += REPOSITORY.glob("elmo_tf2/plot/*.html")
    names = {path.relative_to(REPOSITORY).as_posix() for path in files}
    assert "elmo_tf2/presets/elmo_mini_en/config.yaml" in names
    assert {"elmo_tf2/demo/senses_en.json", "elmo_tf2/plot/page.html"} <= names
    assert names <= set(wheel.namelist())


def test_it_holds_nothing_large_but_presets_of_45_mb_in_all(wheel):
    sizes = {True: 0, False: 0}
    for info in wheel.infolist():
        sizes[info.filename.startswith("elmo_tf2/presets/")] += info.compress_size
    assert sizes[True] <= 45_000_000
    assert sizes[False] < 1_000_000


def test_it_keeps_setuptools_where_tensorflow_hub_can_be_imported(wheel):
    # tensorflow_hub 0.16 imports pkg_resources, which setuptools 82 removed.
    (requirement,) = (
        line for line in metadata(wheel).get_all("Requires-Dist") if line.startswith("setuptools")
    )
    assert requirement == "setuptools<81"
