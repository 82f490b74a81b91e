"""Python processes that need not import TensorFlow, which takes some eight seconds.

They are forked from a server that has imported it, but has not computed yet: no thread is lost.
Where there is no `forkserver` (Windows), they import it themselves.
"""

import gc
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import types
from pathlib import Path

from tests import REPOSITORY

# In place of `Model.run_eagerly`: what `fit` traces takes longer to make than to run a few times.
RUN_EAGERLY = property(lambda model: True, lambda model, value: None)
_HAS_SERVER = "forkserver" in multiprocessing.get_all_start_methods()
_context = multiprocessing.get_context("forkserver" if _HAS_SERVER else "spawn")
if _HAS_SERVER:
    _context.set_forkserver_preload(["tensorflow", "keras", "tensorflow_hub"])


class PythonProcess:
    """`python *arguments`, with the methods of `subprocess.Popen` that the tests need.

    Args:
        arguments: `script.py …`, `-m module …` or `-c code …`.
        cwd: its current folder.
        blocked: modules that it can't import.
        pipes: whether its input and output are the text files `stdin` and `stdout`.
        eagerly: whether `fit`, `evaluate` and `predict` run without graphs of their own.
        variables: environment variables beside those of this process. None removes one.
    """

    def __init__(
        self, *arguments, cwd=REPOSITORY, blocked=(), pipes=False, eagerly=False, **variables
    ):
        self.args = [str(argument) for argument in arguments]
        self._folder = tempfile.TemporaryDirectory()
        self._streams = [Path(self._folder.name, name) for name in ("stdout", "stderr")]
        stdin = Path(self._folder.name, "stdin") if pipes else None
        if pipes:
            os.mkfifo(stdin)
            os.mkfifo(self._streams[0])
        environment = {k: v for k, v in {**os.environ, **variables}.items() if v is not None}
        self._process = _context.Process(
            target=_run,
            args=(self.args, str(cwd), tuple(blocked), environment, stdin, self._streams, eagerly),
        )
        self._process.start()
        self.stdin = stdin and stdin.open("w")
        self.stdout = stdin and self._streams[0].open()
        self.pid = self._process.pid

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.kill()
        self._process.join()
        for pipe in filter(None, (self.stdin, self.stdout)):
            pipe.close()
        self._folder.cleanup()

    @property
    def returncode(self):
        return self._process.exitcode

    def poll(self):
        return self._process.exitcode

    def send_signal(self, number):
        os.kill(self.pid, number)

    def kill(self):
        self._process.kill()

    def communicate(self, timeout=600):
        """Waits for its end; what it printed to stdout and to stderr."""
        if self.stdin:
            self.stdin.close()
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(self.args, timeout, *map(_text, self._streams))
        return tuple(map(_text, self._streams))


def run_python(*arguments, timeout=600, **settings):
    """Runs `python *arguments` to its end, see `PythonProcess`."""
    with PythonProcess(*arguments, **settings) as process:
        stdout, stderr = process.communicate(timeout)
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def run_new_interpreter(*arguments, **variables):
    """Runs `python *arguments` where nothing is imported yet and TensorFlow is not silenced."""
    inherited = {key: value for key, value in os.environ.items() if key != "TF_CPP_MIN_LOG_LEVEL"}
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        env={**inherited, "PYTHONPATH": str(REPOSITORY), **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def _text(stream):
    return stream.read_text(encoding="utf-8", errors="replace") if stream.is_file() else ""


def _run(arguments, cwd, blocked, environment, stdin, streams, eagerly):
    """In the new process: becomes what `python *arguments` would be."""
    if stdin:
        os.dup2(os.open(stdin, os.O_RDONLY), 0)
        sys.stdin = open(0, encoding="utf-8", closefd=False)
    for number, (name, path) in enumerate(zip(("stdout", "stderr"), streams, strict=True), 1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
        setattr(sys, name, open(number, "w", buffering=1, encoding="utf-8", closefd=False))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    gc.freeze()  # what the server has imported
    gc.set_threshold(50_000, 20, 50)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    if eagerly:
        import keras
        import tf_keras

        keras.Model.run_eagerly = tf_keras.Model.run_eagerly = RUN_EAGERLY
    for module in blocked:
        sys.modules[module] = None
    first, *others = arguments
    path = environment.get("PYTHONPATH", "").split(os.pathsep)
    installed = [place for place in sys.path if place.startswith((sys.prefix, sys.base_prefix))]
    sys.path[:] = [*filter(None, path), *installed]
    if first == "-c":
        code, *others = others
        sys.argv = ["-c", *others]
        sys.path.insert(0, "")
        main = sys.modules["__main__"] = types.ModuleType("__main__")
        exec(compile(code, "<string>", "exec"), vars(main))
    elif first == "-m":
        module, *others = others
        sys.argv = ["-m", *others]
        sys.path.insert(0, cwd)
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        sys.path.insert(0, str(Path(first).parent))
        runpy.run_path(first, run_name="__main__")
