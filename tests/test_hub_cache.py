"""Exports in tensorflow_hub's cache, under the addresses of others."""

import shutil

import pytest
import tensorflow as tf
import tensorflow_hub as hub
from tensorflow_hub.compressed_module_resolver import HttpCompressedFileResolver

from elmo_tf2.hub_cache import cached_folder, copy_to_cache, descriptor_of
from tests.cli_fixtures import run

ADDRESS = "https://tfhub.dev/google/elmo/3"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def no_network(monkeypatch):
    def download(self, request):
        pytest.fail(f"{request} is downloaded")

    monkeypatch.setattr(HttpCompressedFileResolver, "_call_urlopen", download)


@pytest.fixture
def saved_model(tmp_path):
    """A SavedModel that tells itself from others."""
    module = tf.Module()
    module.answer = tf.function(lambda: tf.constant(42), input_signature=[])
    tf.saved_model.save(module, str(tmp_path / "saved_model"))
    return tmp_path / "saved_model"


@pytest.mark.parametrize(
    "address",
    [ADDRESS, f"{ADDRESS}/", f"{ADDRESS}?tf-hub-format=compressed", "http://localhost/m.tar.gz"],
)
def test_what_is_copied_is_loaded_by_its_address(address, cache, saved_model, no_network):
    folder = copy_to_cache(saved_model, address)
    assert hub.resolve(address) == str(folder)
    assert folder.parent == cache
    assert hub.load(address).answer() == 42
    assert descriptor_of(folder).read_text().startswith(f"Module: {address}\n")


def test_without_the_variable_it_is_the_folder_of_tensorflow_hub(monkeypatch, tmp_path):
    monkeypatch.delenv("TFHUB_CACHE_DIR", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    # the SHA-1 of the address, as `sha1sum` gives it
    name = "58051eb9ff2f7c649b7c541acc518dac54e786ca"
    assert cached_folder(ADDRESS) == tmp_path / "tfhub_modules" / name


@pytest.mark.parametrize("address", ["google/elmo/3", "", "gs://bucket/elmo", "tfhub.dev/elmo"])
def test_an_address_must_be_one_of_the_web(address, cache):
    with pytest.raises(ValueError, match="`address` .*must start with https://"):
        cached_folder(address)


def test_a_cache_that_is_no_folder_is_an_error(monkeypatch):
    monkeypatch.setenv("TFHUB_CACHE_DIR", "gs://bucket/cache")
    with pytest.raises(ValueError, match="TFHUB_CACHE_DIR must be a local folder. Found: gs://"):
        cached_folder(ADDRESS)


def test_what_is_there_is_replaced_only_on_demand(cache, saved_model):
    folder = copy_to_cache(saved_model, ADDRESS)
    (folder / "other").write_text("x")
    with pytest.raises(FileExistsError, match="exists already"):
        copy_to_cache(saved_model, ADDRESS)
    assert (folder / "other").exists()
    copy_to_cache(saved_model, ADDRESS, overwrite=True)
    assert not (folder / "other").exists()


@pytest.fixture
def exports(monkeypatch, saved_model):
    """Lets `elmo-tf2 export` write a SavedModel at once."""

    def export(elmo, path, **settings):
        if not path.exists():
            shutil.copytree(saved_model, path)
        return path

    monkeypatch.setattr("elmo_tf2.saved_model.export_saved_model", export)


def test_export_puts_a_copy_there_and_tells_how_to_undo_it(cache, exports, tmp_path, no_network):
    said = run("export", "elmo_mini_en", tmp_path / "out", "--as", ADDRESS)
    folder = cached_folder(ADDRESS)
    assert hub.load(ADDRESS).answer() == 42
    assert (tmp_path / "out" / "saved_model.pb").is_file()
    assert f"TFHUB_CACHE_DIR is {cache}" in said
    assert f"remove the folder {folder}\n" in said and descriptor_of(folder).name in said


def test_export_never_replaces_a_module_that_was_downloaded(cache, exports, tmp_path):
    folder = cached_folder(ADDRESS)
    folder.mkdir(parents=True)
    for name in ("saved_model.pb", "tfhub_module.pb"):
        (folder / name).write_text("precious")
    for options, message in (([], "exists already"), (["--overwrite"], "tfhub_module.pb")):
        arguments = "elmo_mini_en", tmp_path / "out", "--as", ADDRESS, *options
        assert message in run("export", *arguments, exit_code=1)
        assert not (tmp_path / "out").exists()
    assert (folder / "saved_model.pb").read_text() == "precious"


def test_export_refuses_what_is_no_address_before_the_work(cache, exports, tmp_path):
    said = run("export", "elmo_mini_en", tmp_path / "out", "--as", "google/elmo/3", exit_code=1)
    assert "(on the command line `--as`) must start with https://" in said
    assert not (tmp_path / "out").exists()
