"""Graphs of others are read before they are loaded."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from elmo_tf2.weights.saved_graph import load_graph


def no_load(folder):
    """In place of `tf.saved_model.load`: what is refused must not get here."""
    pytest.fail(f"{folder} was loaded")


def save(folder, function, *specs):
    """A SavedModel of one function."""
    module = tf.Module()
    module.variable = tf.Variable(1.0)
    module.function = tf.function(function, input_signature=specs, autograph=False)
    tf.saved_model.save(module, str(folder), signatures={"tokens": module.function})
    return folder


def change(folder, how):
    """Applies `how` to the graph of a SavedModel, as no tool of TensorFlow would."""
    file = folder / "saved_model.pb"
    saved_model = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    how(saved_model.meta_graphs[0])
    file.write_bytes(saved_model.SerializeToString())
    return folder


STRING = tf.TensorSpec([], tf.string)


def write(path):
    tf.io.write_file(path, "content")
    return path


def in_a_branch(path):
    return tf.cond(tf.equal(path, "x"), lambda: tf.io.read_file(path), lambda: path)


def in_a_map(path):
    return tf.map_fn(lambda one: tf.numpy_function(np.sort, [one], tf.string), path[tf.newaxis])


def save_variables(path):
    tf.raw_ops.SaveV2(prefix=path, tensor_names=["a"], shape_and_slices=[""], tensors=[[1.0]])
    return path


@pytest.mark.parametrize(
    ("function", "operation"),
    [
        (write, "WriteFile"),
        (in_a_branch, "ReadFile"),
        (in_a_map, "PyFunc"),
        (tf.io.matching_files, "MatchingFiles"),
        (save_variables, "SaveV2"),
        (
            lambda path: tf.data.TextLineDataset(path).reduce(path, lambda a, b: b),
            "TextLineDataset",
        ),
    ],
)
def test_what_no_elmo_needs_is_refused_before_it_is_loaded(function, operation, tmp_path):
    folder = save(tmp_path / "model", function, STRING)
    with pytest.raises(ValueError, match=f"model was not loaded.*`{operation}`"):
        load_graph(folder, no_load)


def add_to_the_graph(meta_graph):
    meta_graph.graph_def.node.add(name="one", op="WriteFile", input=["a", "b"])


def add_to_the_library(meta_graph):
    function = meta_graph.graph_def.library.function.add()
    function.signature.name = "unused"
    function.node_def.add(name="one", op="CustomOfAPackage")


def save_when_initialized(meta_graph):
    meta_graph.graph_def.node.add(name="one", op="SaveV2")
    meta_graph.graph_def.node.add(name="two", op="NoOp", input=["^one"])
    meta_graph.collection_def["saved_model_main_op"].node_list.value.append("two")


def save_when_restored(meta_graph):
    meta_graph.graph_def.node.add(name="one", op="SaveV2")
    meta_graph.graph_def.node.add(name="two", op="Identity", input=["one:0"])
    meta_graph.saver_def.restore_op_name = "two"


def save_for_an_input(meta_graph):
    meta_graph.graph_def.node.add(name="one", op="MergeV2Checkpoints")
    meta_graph.signature_def["tokens"].outputs["x"].coo_sparse.values_tensor_name = "one:0"


@pytest.mark.parametrize(
    ("how", "operation"),
    [
        (add_to_the_graph, "WriteFile"),
        (add_to_the_library, "CustomOfAPackage"),
        (save_when_initialized, "SaveV2"),
        (save_when_restored, "SaveV2"),
        (save_for_an_input, "MergeV2Checkpoints"),
    ],
)
def test_what_is_not_called_by_a_signature_is_refused_too(how, operation, tmp_path):
    folder = change(save(tmp_path / "model", lambda: tf.constant(1.0)), how)
    with pytest.raises(ValueError, match=f"`{operation}`"):
        load_graph(folder, no_load)


def test_the_name_of_an_operation_is_printed_on_one_line(tmp_path):
    folder = save(tmp_path / "model", lambda: tf.constant(1.0))
    change(folder, lambda graph: graph.graph_def.node.add(name="one", op="Write\nFile"))
    with pytest.raises(ValueError, match="`Write[?]File`"):
        load_graph(folder, no_load)


def test_an_error_of_any_kind_is_one_of_a_sentence(tmp_path):
    def load(folder):
        raise Exception(
            "Graph execution error:\n\nDetected at node a\nit \t fails\n [[{{node a}}]]"
        )

    folder = save(tmp_path / "model", lambda: tf.constant(1.0))
    with pytest.raises(ValueError, match=r"can't be loaded as a SavedModel: it [?] fails\. It was"):
        load_graph(folder, load)


def test_a_lack_of_memory_stays_what_it_is(tmp_path):
    def load(folder):
        raise MemoryError

    folder = save(tmp_path / "model", lambda: tf.constant(1.0))
    with pytest.raises(MemoryError):
        load_graph(folder, load)


def test_of_several_graphs_all_are_read(tmp_path):
    folder = save(tmp_path / "model", lambda: tf.constant(1.0))
    file = folder / "saved_model.pb"
    saved_model = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    saved_model.meta_graphs.add().graph_def.node.add(name="one", op="PyFunc")
    file.write_bytes(saved_model.SerializeToString())
    with pytest.raises(ValueError, match="`PyFunc`"):
        load_graph(folder, no_load)


def test_a_graph_that_can_save_its_variables_is_loaded(tmp_path):
    folder = save(tmp_path / "model", lambda: tf.constant(1.0))
    assert b"SaveV2" in (folder / "saved_model.pb").read_bytes()
    assert load_graph(folder).function().numpy() == 1.0


def test_a_tf1_hub_module_is_loaded(golden):
    assert load_graph(golden / "tf1_hub", str) == str(golden / "tf1_hub")


@pytest.mark.parametrize("content", [b"", b"no graph", None])
def test_what_is_damaged_is_an_error_of_one_line(content, tmp_path):
    if content is not None:
        (tmp_path / "saved_model.pb").write_bytes(content)
    with pytest.raises(ValueError, match="can't be loaded as a SavedModel") as error:
        load_graph(tmp_path)
    assert "\n" not in str(error.value)
