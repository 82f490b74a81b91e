"""One comparison: its working folder, the model in it, and the processes it starts."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from implementations import MODEL, Implementation, Runner, RunnerError
from random_model import SIZES, write_random_model

WARM_UP_SENTENCES = 32


class Comparison:
    """One run: a working folder, the sentences, and the implementations that can run.

    Args:
        work: folder for everything that is written on the way.
        environments: folder of the environments.
        sentences: list of tokenised sentences, one string each.
    """

    def __init__(self, work: Path, environments: Path, sentences: list[str]):
        self._work = work
        self._environments = environments
        self.sentences = sentences
        self.model = work / MODEL

    def sentence_file(self, count: int) -> Path:
        """Returns a file of the first `count` sentences."""
        path = self._work / f"sentences_{count}.txt"
        if not path.exists():
            path.write_text("".join(f"{line}\n" for line in self.sentences[:count]), "utf-8")
        return path

    def warm_up_file(self, count: int) -> Path:
        """Returns a file of the first `count` sentences with every word written backwards.

        So they are as long, and a cache of words gains only those that are the same that way.
        """
        path = self._work / f"warm_up_{count}.txt"
        if not path.exists():
            lines = [" ".join(word[::-1] for word in line.split()) for line in self.sentences]
            path.write_text("".join(f"{line}\n" for line in lines[:count]), "utf-8")
        return path

    def prepare_model(self, size: str, folder: Path | None) -> dict[str, Any]:
        """Puts options, weights and a vocabulary of the sentences' words into `model`."""
        self.model.mkdir()
        if folder is None:
            write_random_model(self.model, SIZES[size])
        else:
            for name in ("options.json", "weights.hdf5"):
                (self.model / name).symlink_to((folder / name).resolve(strict=True))
        words = sorted({word for line in self.sentences for word in line.split()})
        lines = ["<S>", "</S>", "<UNK>", *words]
        (self.model / "vocab.txt").write_text("\n".join(lines) + "\n", "utf-8")
        return json.loads((self.model / "options.json").read_text("utf-8"))

    def export(self, implementation: Implementation) -> None:
        """Exports what an implementation loads with this package's own command."""
        options = list(implementation.export)
        if "--vocab" in options:
            options.insert(options.index("--vocab") + 1, self.model / "vocab.txt")
        target = self._work / implementation.model
        command = [sys.executable, "-m", "elmo_tf2", "export", self.model, target, *options]
        # Not from the current folder, where `-m` would find a package that is not installed.
        result = subprocess.run(command, capture_output=True, text=True, cwd=self._work)
        if result.returncode:
            output = (result.stdout + result.stderr)[-4000:]
            raise RunnerError(f"{implementation.name}: the export failed\n{output}")

    def start(self, implementation: Implementation, batch_size: int) -> Runner:
        """Returns a process with the model loaded, for batches of up to `batch_size`."""
        log = self._work / f"{implementation.name}.log"
        model = self._work / implementation.model
        return Runner(implementation, model, self._environments, batch_size, log)

    def outputs(self, implementation: Implementation, count: int, batch_size: int) -> np.ndarray:
        """Returns all layers of the first sentences, `(layers, all tokens, features)`."""
        path = self._work / "outputs.npy"
        with self.start(implementation, batch_size) as runner:
            runner.embed(self.sentence_file(count), batch_size, path)
        return np.load(path)

    def time_once(
        self, implementation: Implementation, batch_size: int, count: int
    ) -> dict[str, Any]:
        """Times one process that embeds the first `count` sentences.

        Returns:
            dict of what `Runner.embed` returns, `versions`, and `first_vector_seconds`: from
            starting the process to the vectors of one sentence.
        """
        with self.start(implementation, batch_size) as runner:
            first = runner.embed(self.sentence_file(1), 1)["seconds"]
            warm_up = min(batch_size, WARM_UP_SENTENCES, count)
            runner.embed(self.warm_up_file(warm_up), batch_size)
            answer = runner.embed(self.sentence_file(count), batch_size)
        return answer | {
            "first_vector_seconds": runner.load_seconds + first,
            "versions": runner.versions,
        }
