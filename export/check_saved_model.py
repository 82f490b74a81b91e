"""Verifies an exported ELMo as its users have it, and prints a table of what held.

    python export/check_saved_model.py PATH

PATH is the folder that `elmo-tf2 export` made. Nothing but TensorFlow and tensorflow_hub is used,
as by a user who has neither elmo_tf2 nor Keras code: the folder is loaded by `hub.load`, called in
all the ways that its model card promises, trained by a GradientTape and saved again. Every line is
a check, with `ok` or FAILED and what was found.

The exit code is 0 if all held, and 1 if one did not or PATH is no such folder. Numbers count as
equal within 1e-5. README.md beside this script has the contract that is checked. To run it on
another machine, copy saved_model_checks.py and contract.json with it.
"""

import argparse
import contextlib
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

Check = Callable[[str], AbstractContextManager[SimpleNamespace]]

# What elmo_tf2/saved_model/contract.py says.
CONTRACT = json.loads(Path(__file__).with_name("contract.json").read_text(encoding="utf-8"))
OF_TF1 = (
    "{path} is a module of TensorFlow 1. Make a SavedModel of TensorFlow 2 of it: elmo-tf2 export "
    "{path} OUT"
)


def check_path(path: str) -> None:
    """Exits if there is no exported ELMo, as far as that is seen without TensorFlow."""
    folder = Path(path)
    if folder.is_file():
        unpack = f" Unpack it: mkdir elmo && tar xzf {path} -C elmo" if ".t" in folder.name else ""
        sys.exit(f"{path} is a file, not the folder of a SavedModel.{unpack}")
    if not folder.is_dir():
        sys.exit(f"There is no folder {path}.")
    if not (folder / "saved_model.pb").is_file():
        sys.exit(
            f"{path} is no SavedModel: it has no saved_model.pb. Weights are exported by: elmo-tf2 "
            f"export {path} OUT"
        )
    if (folder / "tfhub_module.pb").exists():
        sys.exit(OF_TF1.format(path=path))


def load(path: str) -> Any:
    """Loads an exported ELMo; exits if it is something else."""
    import tensorflow_hub as hub

    try:
        elmo = hub.load(path)
    except Exception as error:
        sys.exit(f"{path} can't be loaded. {summary(error)}")
    if hasattr(elmo, "graph"):
        sys.exit(OF_TF1.format(path=path))
    signatures = sorted(getattr(elmo, "signatures", ()))
    if not {"default", "elmo", "tokens"} & set(signatures):
        sys.exit(
            f"{path} is a SavedModel, but of no ELMo: it has none of the signatures default, elmo "
            f"and tokens. Found: {', '.join(signatures) or 'no signature'}."
        )
    return elmo


def summary(error: Exception) -> str:
    """An error in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = f"{type(error).__name__}: {lines[0] if lines else 'no message'}"
    return text if len(text) <= 200 else f"{text[:200]}…"


# --- the table -----------------------------------------------------------------------------------


class Table:
    """Prints a row for each check, and counts them."""

    def __init__(self, verbose: bool) -> None:
        self.verbose, self.number, self.failed = verbose, 0, 0

    @contextlib.contextmanager
    def check(self, title: str) -> Iterator[SimpleNamespace]:
        """Prints `ok` and the `found` that was assigned, or FAILED and why."""
        row = SimpleNamespace(state="FAILED", found="")
        try:
            yield row
            row.state = "ok"
        except AssertionError as failure:
            row.found = str(failure)
        except Exception as error:
            row.found = summary(error)
            if self.verbose:
                row.found += "\n" + traceback.format_exc()
        self.number += 1
        self.failed += row.state == "FAILED"
        print(f"{title:<46}  {row.state:<6}  {row.found}", flush=True)


# --- names and types -----------------------------------------------------------------------------


def require(holds: Any, found: str) -> None:
    """Fails with `found` unless `holds`."""
    if not holds:
        raise AssertionError(found)


def require_names(expected: Iterable[str], has: Callable[[str], bool]) -> str:
    """Requires something of each name."""
    missing = [name for name in expected if not has(name)]
    require(not missing, f"missing: {', '.join(missing)}")
    return ", ".join(expected)


def require_types(
    specs: Mapping[str, Any], names: Iterable[str], layers: int = 1, dim: int = 0
) -> None:
    """Requires tensors of the contract's names and types; `dim` is the size of a word vector."""
    expected = {
        name.replace("{layer}", str(layer)): CONTRACT["types"][name]
        for name in names
        for layer in range(1, layers + 1 if "{layer}" in name else 2)
    }
    sizes = {dim: "projection", 2 * dim: "2·projection"}
    found = {}
    for name, spec in specs.items():
        axes = zip(["batch", "max_length", "?"], spec.shape, strict=False)
        shape = [axis if size is None else sizes.get(size, str(size)) for axis, size in axes]
        found[name] = f"{spec.dtype.name} [{', '.join(shape)}]"
    require(found == expected, f"{found}, expected {expected}")


def check_names_and_types(folder: Path, elmo: Any, check: Check) -> None:
    """What is seen without a call."""
    with check("A model card is there") as row:
        card = folder / "model_card.md"
        require(card.is_file(), "there is none")
        text = card.read_text(encoding="utf-8")
        require("hub.load" in text, "it does not say how to load the model")
        row.found = f"{len(text.splitlines())} lines"
    with check("Names: signatures") as row:
        row.found = require_names(CONTRACT["signatures"], elmo.signatures.__contains__)
    for members in ("functions", "attributes"):
        with check(f"Names: {members}") as row:
            row.found = require_names(CONTRACT[members], lambda name: hasattr(elmo, name))
    for name, (inputs, outputs) in CONTRACT["signatures"].items():
        with check(f"Types: signature {name}") as row:
            signature = elmo.signatures[name]
            specs = signature.structured_outputs
            dim = specs["elmo"].shape[-1] // 2
            layers = sum(output.startswith("lstm_outputs") for output in specs)
            require_types(signature.structured_input_signature[1], inputs)
            require_types(specs, outputs, max(layers, 1), dim)
            row.found = f"{len(specs)} outputs, elmo of {2 * dim}"


def run_checks(path: str, verbose: bool) -> int:
    """Prints the table; returns the number of checks that failed."""
    elmo = load(path)
    import tensorflow as tf
    import tensorflow_hub as hub
    from saved_model_checks import check_calls

    print(f"{path} with TensorFlow {tf.__version__}, tensorflow_hub {hub.__version__}\n")
    table = Table(verbose)
    check_names_and_types(Path(path), elmo, table.check)
    check_calls(elmo, CONTRACT, table.check)
    held = f"All {table.number} checks held."
    print("\n" + (f"{table.failed} of {table.number} checks FAILED." if table.failed else held))
    return table.failed


@contextlib.contextmanager
def quiet(verbose: bool) -> Iterator[None]:
    """Keeps back what TensorFlow writes to standard error, most of it from C++."""
    if verbose:
        yield
        return
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)


def main() -> None:
    """Reads the arguments and checks; the exit code says whether all held."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("path", metavar="PATH", help="the folder to check")
    parser.add_argument(
        "--verbose", action="store_true", help="show TensorFlow's log, and where a check failed"
    )
    arguments = parser.parse_args()
    check_path(arguments.path)
    with quiet(arguments.verbose):
        failed = run_checks(arguments.path, arguments.verbose)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
