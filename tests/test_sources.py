"""Models by archive, address, handle and published name, against a server of the tests' own."""

import contextlib
import hashlib
import http.server
import io
import json
import sys
import tarfile
import threading
import zipfile
from pathlib import Path

import h5py
import pytest
from typer.testing import CliRunner

from elmo_tf2.cli import app
from elmo_tf2.presets import preset_folder
from elmo_tf2.sources import archives, downloads, find_file, find_model, is_foreign
from elmo_tf2.sources.handles import hub_address
from elmo_tf2.sources.published import PUBLISHED, addresses_of
from elmo_tf2.weights import detect

OPTIONS = b'{"char_cnn": {}, "lstm": {}}'


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers with `server.files`: by path, bytes, or what is done with this object."""

    def do_GET(self):
        self.server.asked.append(self.path)
        answer = self.server.files.get(self.path, 404)
        if callable(answer):
            answer(self)
        elif isinstance(answer, int):
            self.send_error(answer)
        else:
            self.send(answer)

    def send(self, content, length=None, kind="application/octet-stream"):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serving():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.files, server.asked = {}, []
        server.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def server():
    with serving() as running:
        yield running


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ELMO_TF2_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(downloads, "WAIT", 0)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def weights():
    """The bytes of a file that is one of bilm-tf's weights by its groups."""
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        for group in ("CNN", "CNN_proj", "RNN_0", "RNN_1", "char_embed"):
            file.create_group(group)
    return memory.getvalue()


def zipped(files):
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return memory.getvalue()


def tarred(files, mode="w:gz", kinds=None):
    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode=mode) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            info.type = (kinds or {}).get(name, tarfile.REGTYPE)
            info.linkname = "/etc/passwd" if name in (kinds or {}) else ""
            archive.addfile(info, io.BytesIO(content))
    return memory.getvalue()


# Archives.


@pytest.mark.parametrize("prefix", ["", "./", "model/", "one/two/"])
@pytest.mark.parametrize("ending", ["zip", "tar", "tar.gz", "tgz"])
def test_an_archive_is_a_model_wherever_its_files_are(prefix, ending, weights, tmp_path):
    files = {f"{prefix}options.json": OPTIONS, f"{prefix}model.hdf5": weights}
    pack = zipped(files) if ending == "zip" else tarred(files, "w" if ending == "tar" else "w:gz")
    archive = tmp_path / f"144.{ending}"
    archive.write_bytes(pack)
    found = find_model(archive)
    assert detect(found) == "model folder"
    assert (found / "options.json").read_bytes() == OPTIONS
    assert is_foreign(archive, found)
    assert find_model(archive) == found


def test_an_archive_of_allennlp_is_a_model(weights, tmp_path):
    from elmo_tf2.weights.files import find_options

    key = "fta/model.text_field_embedder.token_embedders.elmo."
    files = {f"{key}options_file": OPTIONS, f"{key}weight_file": weights, "weights.th": b"x"}
    (tmp_path / "model.tar.gz").write_bytes(tarred(files))
    found = find_model("model.tar.gz")
    assert detect(found) == "model folder"
    assert find_options(next(found.glob("*.hdf5"))).read_bytes() == OPTIONS


def test_an_archive_of_several_models_names_them(weights, tmp_path):
    (tmp_path / "a.zip").write_bytes(zipped({"x/weights.hdf5": weights, "y/w.hdf5": weights}))
    with pytest.raises(ValueError, match="several models: x, y"):
        find_model("a.zip")


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/evil", "..\\evil", "C:\\evil"])
@pytest.mark.parametrize("pack", [zipped, tarred])
def test_an_archive_that_leaves_its_folder_is_refused(name, pack, tmp_path, cache):
    (tmp_path / "a.zip").write_bytes(pack({name: b"evil"}))
    with pytest.raises(ValueError, match="leads out of its folder"):
        find_model("a.zip")
    assert not [path for path in tmp_path.rglob("*evil*")]
    assert not list((cache / "unpacked").iterdir())


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
)
def test_a_link_or_device_in_a_tar_is_refused(kind, tmp_path):
    (tmp_path / "a.tar").write_bytes(tarred({"x": b""}, "w", {"x": kind}))
    with pytest.raises(ValueError, match="'x' in it is neither a file nor a folder"):
        find_model("a.tar")


def test_a_link_in_a_zip_is_refused(tmp_path):
    link = zipfile.ZipInfo("x")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(ValueError, match="'x' in it is neither a file nor a folder"):
        find_model("a.zip")


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_a_bomb_is_refused(pack, tmp_path, cache, monkeypatch):
    monkeypatch.setattr(archives, "MIN_BYTES", 1_000_000)
    (tmp_path / "a.zip").write_bytes(pack({"x": bytes(5_000_000)}))
    with pytest.raises(ValueError, match="unpacks to more than"):
        find_model("a.zip")
    assert not list((cache / "unpacked").iterdir())


def test_too_many_files_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MAX_FILES", 2)
    (tmp_path / "a.zip").write_bytes(zipped({"x": b"", "y": b"", "z": b""}))
    with pytest.raises(ValueError, match="more than 2 files"):
        find_model("a.zip")


def test_a_name_that_comes_twice_is_refused(tmp_path):
    (tmp_path / "a.tar").write_bytes(tarred({"x": b"1", "./x": b"2"}, "w"))
    with pytest.raises(ValueError, match="holds './x' twice"):
        find_model("a.tar")


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz"])
def test_a_damaged_archive_is_refused(name, tmp_path, weights):
    pack = zipped if name.endswith("zip") else tarred
    content = pack({"weights.hdf5": weights + hashlib.sha512(b"x").digest() * 99})
    (tmp_path / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match="is no archive, or damaged"):
        find_model(name)


# Addresses.


def test_an_address_of_an_archive_is_a_model_and_then_needs_no_server(weights):
    with serving() as server:
        server.files["/20/1.zip"] = zipped({"options.json": OPTIONS, "weights.hdf5": weights})
        address = f"{server.address}/20/1.zip"
        found = find_model(address)
    assert detect(found) == "model folder"
    assert find_model(Path(address)) == found  # `Path` makes one slash of two
    assert server.asked == ["/20/1.zip"]


def test_a_weight_file_comes_with_the_options_beside_it(server, weights):
    server.files = {"/m_weights.hdf5": weights, "/m_options.json": OPTIONS}
    found = find_model(f"{server.address}/m_weights.hdf5")
    assert found.name == "m_weights.hdf5"
    assert (found.parent / "m_options.json").read_bytes() == OPTIONS
    assert find_file(f"{server.address}/m_options.json").read_bytes() == OPTIONS
    assert find_file(None) is None


def test_options_that_are_given_are_not_looked_for(server, weights):
    server.files["/m_weights.hdf5"] = weights
    find_model(f"{server.address}/m_weights.hdf5", with_options=False)
    assert server.asked == ["/m_weights.hdf5"]


def test_a_redirect_is_followed(server, weights):
    def elsewhere(handler):
        handler.send_response(302)
        handler.send_header("Location", "/there.hdf5")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    server.files = {"/here.hdf5": elsewhere, "/there.hdf5": weights}
    assert find_model(f"{server.address}/here.hdf5").read_bytes() == weights


@pytest.mark.parametrize("times", [1, 2])
def test_a_cut_connection_is_tried_again(times, server, weights):
    def cut(handler):
        handler.send(weights[:100], len(weights))
        if server.asked.count("/x.hdf5") == times:
            server.files["/x.hdf5"] = weights

    server.files["/x.hdf5"] = cut
    assert find_model(f"{server.address}/x.hdf5").read_bytes() == weights


def test_what_came_by_half_is_never_used(server, weights, cache):
    server.files["/x.hdf5"] = lambda handler: handler.send(weights, len(weights) + 1)
    with pytest.raises(OSError, match="could not be downloaded"):
        find_model(f"{server.address}/x.hdf5")
    assert len(server.asked) == downloads.TRIES
    assert not [path for path in cache.rglob("*") if path.is_file()]


@pytest.mark.parametrize("ending", ["hdf5", "zip", "tar.gz"])
def test_a_cut_file_of_no_stated_length_is_never_used(ending, server, weights, cache):
    files = {"weights.hdf5": weights, "options.json": OPTIONS}
    content = {"hdf5": weights, "zip": zipped(files), "tar.gz": tarred(files)}[ending]

    def cut(handler):
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(content[: len(content) // 2])

    server.files[f"/x.{ending}"] = cut
    with pytest.raises(OSError, match="could not be downloaded.*ends too early"):
        find_model(f"{server.address}/x.{ending}")
    assert not [path for path in cache.rglob("*") if path.is_file()]


def test_a_server_that_is_busy_is_asked_again(server, weights):
    def busy(handler):
        server.files["/x.hdf5"] = weights
        handler.send_error(503)

    server.files["/x.hdf5"] = busy
    assert find_model(f"{server.address}/x.hdf5").read_bytes() == weights


def test_what_is_not_there_is_an_error_at_once(server):
    with pytest.raises(FileNotFoundError, match="x.hdf5 can't be had: the server says 404"):
        find_model(f"{server.address}/x.hdf5")
    assert len(server.asked) == 1


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/zip"])
def test_a_web_page_is_no_model(kind, server, cache):
    page = b"\n<!DOCTYPE html><html>Log in</html>"
    server.files["/x.zip"] = lambda handler: handler.send(page, kind=kind)
    with pytest.raises(ValueError, match="x.zip is a web page and no model"):
        find_model(f"{server.address}/x.zip")
    assert not [path for path in cache.rglob("*") if path.is_file()]


def test_offline_is_one_sentence():
    with serving() as server:
        address = f"{server.address}/x.hdf5"
    with pytest.raises(OSError, match="x.hdf5 could not be downloaded; is this computer offline"):
        find_model(address)


def test_another_content_later_is_an_error(server, weights):
    server.files["/x.hdf5"] = weights
    address = f"{server.address}/x.hdf5"
    find_model(address).unlink()
    server.files["/x.hdf5"] = weights + b"more"
    with pytest.raises(ValueError, match="another content than expected"):
        find_model(address)


def test_a_damaged_file_of_the_cache_is_downloaded_again(server, weights):
    server.files["/x.hdf5"] = weights
    address = f"{server.address}/x.hdf5"
    find_model(address).write_bytes(b"damaged")
    assert find_model(address).read_bytes() == weights


def test_a_known_sha256_is_checked(server, weights):
    server.files["/x.hdf5"] = weights
    with pytest.raises(ValueError, match="another content than expected"):
        downloads.download(f"{server.address}/x.hdf5", "0" * 64)
    sha256 = hashlib.sha256(weights).hexdigest()
    assert downloads.download(f"{server.address}/x.hdf5", sha256).read_bytes() == weights


def test_progress_is_reported(server, weights):
    server.files["/x.hdf5"] = weights
    reports = []
    find_model(f"{server.address}/x.hdf5", on_progress=lambda *report: reports.append(report))
    assert reports[-1] == (len(weights), len(weights))


# Names and handles.


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("google/elmo/3", "https://tfhub.dev/google/elmo/3"),
        ("https://tfhub.dev/google/elmo/3", "https://tfhub.dev/google/elmo/3"),
        (
            "google/elmo/TensorFlow1/elmo/3",
            "https://www.kaggle.com/models/google/elmo/TensorFlow1/elmo/3",
        ),
        ("allennlp/small", None),
        ("./google/elmo/3", None),
        ("/google/elmo/3", None),
        ("runs/elmo/3", None),
    ],
)
def test_handles_are_known(name, address, tmp_path):
    (tmp_path / "runs").mkdir()  # a path of one's own, mistyped
    assert hub_address(name) == address


def test_a_handle_is_resolved_by_tensorflow_hub(monkeypatch, tmp_path):
    folder = tmp_path / "hub"
    folder.mkdir()
    monkeypatch.setattr("tensorflow_hub.resolve", {"https://tfhub.dev/google/elmo/3": folder}.get)
    assert find_model("google/elmo/3") == folder
    assert is_foreign("google/elmo/3", folder)


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("hf://owner/name", "huggingface_hub"),
        ("https://www.kaggle.com/models/google/elmo/TensorFlow1/elmo/3", "kagglehub"),
    ],
)
def test_a_missing_package_is_named(name, module, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ValueError, match=f"pip install {module}"):
        find_model(Path(name))


@pytest.mark.parametrize("name", ["hf://owner", "hf://owner/name/../other"])
def test_a_wrong_handle_of_hugging_face_is_an_error(name):
    with pytest.raises(ValueError, match="Expected: hf://owner/name"):
        find_model(name)


def test_published_names_have_their_addresses():
    base = "https://allennlp.s3.amazonaws.com/models/elmo/"
    size = "2x4096_512_2048cnn_2xhighway"
    assert addresses_of("nlpl/193") == ("http://vectors.nlpl.eu/repository/20/193.zip",)
    assert addresses_of("allennlp/original-5.5B") == (
        f"{base}{size}_5.5B/elmo_{size}_5.5B_weights.hdf5",
        f"{base}{size}_5.5B/elmo_{size}_5.5B_options.json",
    )
    assert addresses_of("allennlp/biomed")[0] == (
        f"{base}contributed/pubmed/elmo_{size}_weights_PubMed_only.hdf5"
    )
    languages = {name: model.language for name, model in PUBLISHED.items()}
    assert (languages["nlpl/136"], languages["nlpl/144"]) == ("Arabic", "English")
    assert (languages["nlpl/179"], "nlpl/180" in languages) == ("Chinese", False)
    assert addresses_of("allennlp_small") is None
    with pytest.raises(FileNotFoundError, match="no published model of that name"):
        find_model("allennlp/smal")


def test_models_lists_what_is_published():
    result = CliRunner().invoke(app, ["models"])
    assert result.exit_code == 0
    assert all(name in result.stdout for name in PUBLISHED)


# The commands.


def test_a_command_takes_an_address_and_options_at_another(server, tmp_path):
    folder = preset_folder("elmo_mini_en")
    server.files["/a/weights.hdf5"] = (folder / "weights.hdf5").read_bytes()
    server.files["/b.json"] = (folder / "options.json").read_bytes()
    command = ["convert", f"{server.address}/a/weights.hdf5", "out"]
    result = CliRunner().invoke(app, [*command, "--options", f"{server.address}/b.json"])
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "out" / "options.json").read_text())
    assert "/a/options.json" not in server.asked


@pytest.mark.parametrize(
    ("prove", "is_local", "expected"),
    [(None, True, True), (None, False, False), (True, False, True), (False, True, False)],
)
def test_only_a_local_module_is_run_unasked(prove, is_local, expected, tmp_path):
    from elmo_tf2.cli.arguments import may_run

    found = Path("module") if is_local else tmp_path / "cache" / "module"
    assert may_run(prove, Path("module"), found) is expected
