"""The floors of the package: a file imports from lower floors only, and never in a circle."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "elmo_tf2"

FLOORS = [
    {"config", "dictionary", "options", "characters", "word_ids", "validation", "files", "locks"}
    | {"feature_files", "lazy", "presets", "hub_cache", "keras_backend"},
    {"layers", "data"},
    {"pretraining_config", "weights"},
    {"models", "sources"},
    {"saved_model", "features", "convert", "training"},
    {"plot"},
    {"demo"},
    {"cli"},
    {"__main__"},
]
FLOOR = {place: number for number, places in enumerate(FLOORS) for place in places}

MODULES = {
    ".".join(("elmo_tf2", *path.relative_to(PACKAGE).with_suffix("").parts)): path
    for path in sorted(PACKAGE.rglob("*.py"))
}


def place_of(module):
    """The file or folder of `elmo_tf2` that a module belongs to; "" for the package itself."""
    return module.removesuffix(".__init__").partition(".")[2].partition(".")[0]


def imports_of(path):
    """What a file imports, anywhere in it: pairs of the module's name and its relative level."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, 0) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                name = f"{node.module}.{alias.name}" if node.module else alias.name
                yield resolved(name), node.level


def resolved(name):
    """`package.name` is a module, or else a name in the module `package`."""
    if name in MODULES or f"{name}.__init__" in MODULES:
        return name
    return name.rpartition(".")[0] if name.startswith("elmo_tf2.") else name


def own_imports(path):
    return {name for name, _ in imports_of(path) if name.partition(".")[0] == "elmo_tf2"}


# What this file has to get right itself.


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("import numpy as np", set()),
        ("import elmo_tf2.config", {"elmo_tf2.config"}),
        ("from elmo_tf2.config import ElmoConfig", {"elmo_tf2.config"}),
        ("from elmo_tf2.layers import highway", {"elmo_tf2.layers.highway"}),
        ("from elmo_tf2.layers import Highway", {"elmo_tf2.layers"}),
        ("from elmo_tf2 import layers", {"elmo_tf2.layers"}),
        ("def f():\n    from elmo_tf2.data.tokenizers import x", {"elmo_tf2.data.tokenizers"}),
        ("if TYPE_CHECKING:\n    import elmo_tf2.config", {"elmo_tf2.config"}),
    ],
)
def test_imports_are_found(statement, expected, tmp_path):
    path = tmp_path / "module.py"
    path.write_text(statement)
    assert own_imports(path) == expected


# The rules.


def test_every_file_is_on_a_floor():
    places = {place_of(module) for module in MODULES} - {""}
    places.discard("__init__")
    assert places <= set(FLOOR), "a new place needs a floor, above"
    assert {"config", "characters", "layers", "data", "models"} <= places


@pytest.mark.parametrize("module", MODULES)
def test_imports_are_absolute(module):
    assert not [name for name, level in imports_of(MODULES[module]) if level > 0]


@pytest.mark.parametrize("module", [m for m in MODULES if m != "elmo_tf2.__init__"])
def test_a_file_imports_from_lower_floors_only(module):
    """Or from its own folder; and what is on the ground floor may lean on its neighbours there."""
    place = place_of(module)
    for name in own_imports(MODULES[module]):
        other = place_of(name)
        assert other in FLOOR, f"{module} imports {name}, which is on no floor"
        allowed = other == place or FLOOR[other] < FLOOR[place] or FLOOR[place] == FLOOR[other] == 0
        assert allowed, f"{module} (floor {FLOOR[place]}) imports {name} (floor {FLOOR[other]})"


def test_data_never_imports_layers():
    for module in MODULES:
        if place_of(module) == "data":
            assert "layers" not in {place_of(name) for name in own_imports(MODULES[module])}


def test_the_config_needs_no_tensorflow():
    for module in ("elmo_tf2.config", "elmo_tf2.validation", "elmo_tf2.__init__"):
        top_level = {name.partition(".")[0] for name, _ in imports_of(MODULES[module])}
        assert not top_level & {"tensorflow", "keras"}


def test_nothing_is_imported_in_a_circle():
    graph = {
        module.removesuffix(".__init__"): own_imports(path) for module, path in MODULES.items()
    }
    finished = set()

    def visit(module, above):
        assert module not in above, " -> ".join([*above[above.index(module) :], module])
        if module not in finished:
            for name in sorted(graph.get(module, ())):
                visit(name, [*above, module])
            finished.add(module)

    for module in graph:
        visit(module, [])


def test_no_file_of_the_package_imports_the_tests_or_the_scripts():
    for path in MODULES.values():
        names = {name.partition(".")[0] for name, _ in imports_of(path)}
        assert not names & {"tests", "export", "benchmarks", "notebooks"}
