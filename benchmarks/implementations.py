"""The ELMo implementations that are compared, and a running process of one of them."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RUNNERS = Path(__file__).parent / "runners"


# What the commands of elmo_tf2 do by themselves, and the README advises for exported models.
OUR_ENVIRONMENT = {"TF_NUM_INTRAOP_THREADS": str(max(1, (os.cpu_count() or 1) // 2))}

CORPUS = "corpus"  # the column of a whole text in any order, among those of batch sizes
MODEL = "model"  # the folder of options.json and weights.hdf5


@dataclass(frozen=True)
class Implementation:
    """One implementation, of ELMo or of something else that gives vectors.

    Args:
        name: what tables call it.
        runner: file below `runners/`.
        environment: folder that `make_environments.py` makes for it; None for the environment
            this process runs in, which serves ours too as long as their own is not made.
        arguments: of the runner.
        export: options of the `elmo-tf2 export` that makes what it loads; None: it loads the
            model folder itself.
        is_corpus: whether it takes a whole corpus at once, and chooses its batches.
        kind: "peer", "ours", or "other" of what is no ELMo and not compared.
        is_exact: whether its vectors are to equal those of the others.
    """

    name: str
    runner: str
    environment: str | None
    arguments: tuple[str, ...] = ()
    export: tuple[str, ...] | None = None
    is_corpus: bool = False
    kind: str = "peer"
    is_exact: bool = True

    @property
    def model(self) -> str:
        """Name of the folder that it loads."""
        return MODEL if self.export is None else "saved_model" + "".join(self.export)

    def interpreter(self, environments: Path) -> Path:
        """Returns the Python that runs it, whether it exists or not."""
        here = Path(sys.executable)
        if self.environment is None:
            return here
        own = environments / self.environment / "bin" / "python"
        return here if self.kind == "ours" and not own.exists() else own

    def columns(self, batch_sizes: list[int]) -> list[int | str]:
        """Returns what it is measured at."""
        return [CORPUS] if self.is_corpus else [*batch_sizes]


def _ours(name: str, export: tuple[str, ...] | None, *arguments: str) -> Implementation:
    bfloat16 = "bfloat16" in (*(export or ()), *arguments)
    return Implementation(
        name,
        "elmo_tf2_embed.py" if export is None else "elmo_tf2_saved_model.py",
        None if export is None else "saved-model",
        arguments=arguments,
        export=export,
        is_corpus=export is None,
        kind="ours",
        is_exact=not bfloat16,
    )


ELMO_TF2 = _ours("elmo_tf2", ())
OURS = (
    ELMO_TF2,
    _ours("elmo_tf2, --vocab", ("--vocab",)),
    _ours("elmo_tf2, bfloat16", ("--dtype", "bfloat16")),
    _ours("elmo_tf2, bfloat16, --vocab", ("--dtype", "bfloat16", "--vocab")),
    _ours("elmo_tf2 embed", None),
    _ours("elmo_tf2 embed, bfloat16", None, "bfloat16"),
)
PEERS = (
    Implementation("bilm-tf", "bilm_tf.py", "bilm"),
    Implementation("AllenNLP", "allennlp_elmo.py", "allennlp"),
    Implementation("simple_elmo", "simple_elmo_tf.py", "simple-elmo"),
)
OTHERS = (
    Implementation("BERT-base's shape", "bert.py", "transformers", ("base",), kind="other"),
    Implementation("all-MiniLM-L6-v2", "bert.py", "transformers", ("minilm",), kind="other"),
)
IMPLEMENTATIONS = {each.name: each for each in (*PEERS, *OURS, *OTHERS)}


class RunnerError(RuntimeError):
    """A runner answered with an error, or ended without an answer."""


class Runner:
    """A process of one implementation with a model loaded; a context manager.

    Args:
        implementation: what to run.
        model: folder it loads.
        environments: folder of the environments.
        max_batch_size: largest batch that will be asked for.
        log: file that gets all it prints.

    Attributes:
        load_seconds: from starting the process to the model being loaded.
        versions: dict of package versions in its environment.
    """

    def __init__(
        self,
        implementation: Implementation,
        model: Path,
        environments: Path,
        max_batch_size: int,
        log: Path,
    ):
        self._name = implementation.name
        self._log = log
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        # All on the CPU: two of the peers have no code for anything else here.
        environment |= {
            "PYTHONUTF8": "1",
            "CUDA_VISIBLE_DEVICES": "-1",
            "TF_CPP_MIN_LOG_LEVEL": "2",
        }
        if implementation.kind == "ours":
            environment = OUR_ENVIRONMENT | environment
        start = time.perf_counter()
        with log.open("a", encoding="utf-8") as errors:
            self._process = subprocess.Popen(
                [
                    implementation.interpreter(environments),
                    RUNNERS / implementation.runner,
                    *implementation.arguments,
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment,
                text=True,
            )
        try:
            answer = self._request(command="load", model=str(model), max_batch_size=max_batch_size)
        except BaseException:
            self.close()
            raise
        self.load_seconds = time.perf_counter() - start
        self.versions: dict[str, str] = answer["versions"]

    def __enter__(self) -> "Runner":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the process; it ends by itself when its input does."""
        self._process.communicate()

    def embed(self, sentences: Path, batch_size: int, output: Path | None = None) -> dict[str, Any]:
        """Embeds a file of sentences; see `runners/protocol.py` for the answer."""
        return self._request(
            command="embed",
            sentences=str(sentences),
            batch_size=batch_size,
            output=output and str(output),
        )

    def _request(self, **request: Any) -> dict[str, Any]:
        stdin, stdout = self._process.stdin, self._process.stdout
        try:
            stdin.write(json.dumps(request) + "\n")
            stdin.flush()
            answer = json.loads(stdout.readline() or "{}")
        except BrokenPipeError:
            answer = {}
        if "error" in answer or not answer:
            message = answer.get("error", "ended without an answer")
            lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:]
            raise RunnerError(f"{self._name}: {message}\n" + "\n".join(lines))
        return answer
