"""Graphs of others: what a SavedModel would do is read before it is loaded.

A graph is a program. Loading one runs its initializers, and operations may write files.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf
from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.core.framework.variable_pb2 import VariableDef
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef
from tensorflow.python.saved_model.loader_impl import parse_saved_model

from elmo_tf2.files import StrPath

# Numbers, text and control flow; nothing outside of the process. Of exports, of bilm-tf's graphs
# and of TF1 Hub's, and operations by which other versions of TensorFlow do the same.
_COMPUTING = frozenset(
    """
    Abs Add AddN AddV2 All Any ArgMax ArgMin Assert Bincount Bitcast ConcatOffset L2Loss ListDiff
    BatchMatMul BatchMatMulV2 BiasAdd BiasAddGrad
    BroadcastArgs BroadcastGradientArgs BroadcastTo Cast Ceil ClipByValue Concat ConcatV2 Const
    Conv1D Conv2D Conv2DBackpropFilter Conv2DBackpropInput Cumsum DecodePaddedRaw DecodeRaw
    DenseBincount Div DivNoNan DynamicPartition DynamicStitch Einsum EnsureShape Equal Exp
    ExpandDims Fill Floor FloorDiv FloorMod Gather GatherNd GatherV2 Greater GreaterEqual Identity
    IdentityN InvertPermutation IsFinite IsNan Less LessEqual LinSpace Log LogSoftmax LogicalAnd
    LogicalNot LogicalOr LowerBound MatMul Max MaxPool MaxPoolGrad Maximum Mean Min Minimum
    MirrorPad Mod Mul Neg NoOp NotEqual OneHot OnesLike Pack Pad PadV2 ParallelDynamicStitch Pow
    Prod Range Rank RandomStandardNormal RandomUniform RealDiv Relu Relu6 ReluGrad Reshape Reverse
    ReverseSequence ReverseV2 Round Rsqrt RsqrtGrad ScatterNd SegmentMax SegmentMean SegmentSum
    Select SelectV2 Shape ShapeN Sigmoid SigmoidGrad Sign Size Slice Snapshot Softmax
    SparseReorder SparseReshape SparseToDense Split SplitV Sqrt SqrtGrad Square SquaredDifference
    Squeeze StatelessRandomUniform StatelessRandomUniformV2 StopGradient StridedSlice
    StridedSliceGrad Sub Sum Tanh TanhGrad TensorScatterAdd TensorScatterUpdate Tile TopK TopKV2
    Transpose TruncateDiv TruncateMod TruncatedNormal Unique UniqueV2 UniqueWithCounts Unpack
    UnravelIndex UnsortedSegmentMax UnsortedSegmentSum UpperBound Where Xdivy ZerosLike
    RaggedGather RaggedRange RaggedTensorFromVariant RaggedTensorToSparse RaggedTensorToTensor
    RaggedTensorToVariant
    AsString ReduceJoin RegexFullMatch RegexReplace StaticRegexFullMatch StaticRegexReplace
    StringJoin StringLength StringLower StringSplit StringSplitV2 StringStrip StringToHashBucket
    StringToHashBucketFast StringToNumber StringUpper Substr UnicodeDecode
    UnicodeDecodeWithOffsets UnicodeEncode UnicodeTranscode
    Case ControlTrigger Enter Exit If LoopCond Merge NextIteration PartitionedCall Placeholder
    PlaceholderV2 PlaceholderWithDefault PreventGradient RefEnter RefExit RefIdentity RefMerge
    RefNextIteration RefSwitch StatefulPartitionedCall StatelessCase StatelessIf StatelessWhile
    Switch SymbolicGradient While
    EmptyTensorList TensorListConcat TensorListConcatV2 TensorListElementShape
    TensorListFromTensor TensorListGather TensorListGetItem TensorListLength TensorListPopBack
    TensorListPushBack TensorListReserve TensorListResize TensorListScatter
    TensorListScatterIntoExistingList TensorListScatterV2 TensorListSetItem TensorListSplit
    TensorListStack
    TensorArrayCloseV3 TensorArrayConcatV3 TensorArrayGatherV3 TensorArrayGradV3
    TensorArrayReadV3 TensorArrayScatterV3 TensorArraySizeV3 TensorArraySplitV3 TensorArrayV3
    TensorArrayWriteV3
    Assign AssignAdd AssignAddVariableOp AssignSub AssignSubVariableOp AssignVariableOp
    DestroyResourceOp DisableCopyOnRead IsVariableInitialized ReadVariableOp ResourceGather
    ResourceGatherNd RestoreV2 ShardedFilename VarHandleOp VarIsInitializedOp
    Variable VariableShape VariableV2
    HashTable HashTableV2 InitializeTable InitializeTableV2 LookupTableExportV2 LookupTableFind
    LookupTableFindV2 LookupTableImport LookupTableImportV2 LookupTableSizeV2 MutableHashTableV2
    """.split()
)
# Every SavedModel can save its variables; what it computes must not do so.
_SAVING = frozenset({"MergeV2Checkpoints", "SaveV2"})


def load_graph(folder: StrPath, load: Callable[[str], Any] = tf.saved_model.load) -> Any:
    """Loads a SavedModel, if its graph has no operations but those that an ELMo needs.

    Files, Python functions, the network and operations of other packages are refused before
    anything of the graph is run.
    """
    with graph_errors(
        f"{folder} can't be loaded as a SavedModel",
        " It was cut short, damaged or changed: export or download it again.",
    ):
        meta_graphs = parse_saved_model(str(folder)).meta_graphs
        operations = sorted({name for graph in meta_graphs for name in _not_needed(graph)})
        if not operations:
            return load(str(folder))
    names = ", ".join(f"`{name}`" for name in operations[:10])
    raise ValueError(
        f"{folder} was not loaded, for its graph has operations that no ELMo needs: "
        f"{_printable(names)}. They could read or write files, or run other programs."
    )


@contextlib.contextmanager
def graph_errors(what: str, remedy: str = "") -> Iterator[None]:
    """Makes whatever TensorFlow raises of a graph that was changed a ValueError of one sentence."""
    try:
        yield
    except (MemoryError, tf.errors.ResourceExhaustedError):
        raise
    except Exception as error:
        raise ValueError(f"{what}: {first_line(error)}{remedy}") from error


def first_line(error: BaseException) -> str:
    """The first line of an error's text that says what happened, with a full stop."""
    places = ("Graph execution error", "Detected at node", "<stack traces", "[[{{", 'File "')
    lines = [line.strip() for line in str(error).splitlines()]
    lines = [line for line in lines if line and not line.startswith(places)]
    return _printable((lines or [type(error).__name__])[0]).rstrip(".") + "."


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)


def _not_needed(meta_graph: MetaGraphDef) -> Iterator[str]:
    """Names of a graph's operations that an ELMo does not need, or not where they stand."""
    graph = meta_graph.graph_def
    functions = [node for function in graph.library.function for node in function.node_def]
    known = _COMPUTING | _SAVING
    yield from (node.op for node in (*graph.node, *functions) if node.op not in known)
    yield from (node.op for node in _run_by(meta_graph) if node.op in _SAVING)


def _called(meta_graph: MetaGraphDef) -> Iterator[str]:
    """Names of the tensors, nodes and functions that loading or calling a SavedModel runs."""
    for signature in meta_graph.signature_def.values():
        for tensor in (*signature.inputs.values(), *signature.outputs.values()):
            parts = tensor.coo_sparse
            yield from (parts.values_tensor_name, parts.indices_tensor_name)
            yield from (parts.dense_shape_tensor_name, tensor.name)
            yield from (part.name for part in tensor.composite_tensor.components)
    for key, collection in meta_graph.collection_def.items():
        yield from collection.node_list.value
        if "variables" in key:
            for variable in map(VariableDef.FromString, collection.bytes_list.value):
                yield from (variable.variable_name, variable.initializer_name)
                yield from (variable.initial_value_name, variable.snapshot_name)
    yield from meta_graph.object_graph_def.concrete_functions
    yield meta_graph.saver_def.restore_op_name


def _run_by(meta_graph: MetaGraphDef) -> Iterator[NodeDef]:
    """What loading and calling runs."""
    nodes = {node.name: node for node in meta_graph.graph_def.node}
    functions = {f.signature.name: f.node_def for f in meta_graph.graph_def.library.function}
    waiting = [_node_name(name) for name in _called(meta_graph)]
    done = set()
    while waiting:
        name = waiting.pop()
        if name in done:
            continue
        done.add(name)
        found = list(functions.get(name, ()))
        if name in nodes:
            found.append(nodes[name])
            waiting += map(_node_name, nodes[name].input)
        for node in found:
            yield node
            for value in node.attr.values():
                waiting += [value.func.name, *(function.name for function in value.list.func)]


def _node_name(tensor: str) -> str:
    return tensor.removeprefix("^").partition(":")[0]
