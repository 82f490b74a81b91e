"""What all consumers share: a process that has no elmo_tf2, the data, and the report.

    python consumer.py FOLDER SCRIPT.TEST …

A consumer is a user of exported models, in a process where elmo_tf2 can't be imported. FOLDER has
the SavedModels `mix` and `all`, of one layer and named for what is trainable, and, in
`expected.npz`, the outputs that elmo_tf2 itself gave for the same weights. Each TEST, a function of
a module beside this one, is called, and a line of JSON printed for it: {"test": …, "error": …,
"seconds": …}. The error is a traceback, or null if all went well.
"""

import json
import os
import sys
import time
import traceback
from functools import cache
from importlib import import_module
from pathlib import Path

sys.modules["elmo_tf2"] = None  # before anything else is imported

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
import tensorflow_hub as hub  # noqa: E402

# Most calls make a graph and run it once. Those of golden.py are optimised, as users' are.
if not any(test.startswith("golden.") for test in sys.argv[2:]):
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})

FOLDER = Path(sys.argv[1])
TOLERANCE = 1e-5  # the project's bound in float32
HUB_MODULE_TEXT = ["the cat is on the mat", "dogs are in the fog"]

# What models are trained on.
SENTENCES = tf.constant([*HUB_MODULE_TEXT, "x"])
TARGETS = np.array([[1.0], [-1.0], [0.5]])


def path(name):
    """The folder of an exported model, as a string."""
    return str(FOLDER / name)


def expected(of, file="expected.npz"):
    """Expected values: for `of`="text" those of the sentences in it, and so on."""
    with np.load(FOLDER / file) as arrays:
        prefix = f"{of}__"
        found = {k.removeprefix(prefix): arrays[k] for k in arrays if k.startswith(prefix)}
        return json.loads(str(arrays[of])), found


def token_inputs(file="expected.npz"):
    """The inputs of the signature `tokens`, and the values expected of them."""
    tokens, wanted = expected("tokens", file)
    lengths = tf.constant(wanted["sequence_len"], tf.int32)
    return {"tokens": tf.constant(tokens), "sequence_len": lengths}, wanted


def assert_close(actual, wanted):
    """Asserts that numbers are equal within the bound, and shapes are the same."""
    actual, wanted = np.asarray(actual), np.asarray(wanted)
    assert actual.shape == wanted.shape, (actual.shape, wanted.shape)
    np.testing.assert_allclose(actual, wanted, rtol=0, atol=TOLERANCE)


def assert_outputs_close(actual, wanted):
    """Asserts that dictionaries of outputs are equal."""
    assert set(actual) == set(wanted), (set(actual), set(wanted))
    for name in wanted:
        assert_close(actual[name], wanted[name])


@cache
def loaded(name):
    """A loaded model, one for all tests that may train it."""
    return hub.load(path(name))


def values(variables):
    """The values of variables by their names."""
    return {variable.name: np.array(variable) for variable in variables}


def changed(variables, before):
    """The names of the variables that have other values than `before`."""
    after = values(variables)
    assert set(after) == set(before)
    return {name for name in after if not np.array_equal(after[name], before[name])}


def _assert_there_is_no_package():
    try:
        import elmo_tf2  # noqa: F401
    except ImportError:
        pass
    else:
        raise AssertionError("elmo_tf2 could be imported")
    assert not [name for name in sys.modules if name.startswith("elmo_tf2.")]
    repository = Path(__file__).resolve().parents[2]
    assert repository not in map(Path, [*filter(None, sys.path), os.getcwd()])


def main():
    """Runs tests and reports."""
    for test in sys.argv[2:]:
        script, function = test.split(".")
        start = time.perf_counter()
        try:
            _assert_there_is_no_package()
            getattr(import_module(script), function)()
            _assert_there_is_no_package()
            error = None
        except (Exception, SystemExit):
            error = traceback.format_exc()
        seconds = time.perf_counter() - start
        print(json.dumps({"test": test, "error": error, "seconds": seconds}), flush=True)


if __name__ == "__main__":
    main()
