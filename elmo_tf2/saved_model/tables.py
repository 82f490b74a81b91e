"""The contract as tables in Markdown, for the model card and for export/README.md."""

from collections.abc import Iterable, Mapping

from elmo_tf2.saved_model.contract import (
    ATTRIBUTES,
    BY_DICTIONARY,
    CALL,
    CALL_MEANING,
    FUNCTIONS,
    LSTM_OUTPUTS,
    OUTPUTS,
    SIGNATURES,
    STRINGS,
    Function,
    Tensor,
)


def _table(*rows: Iterable[str]) -> str:
    head, *others = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([head, "|---" * (head.count(" | ") + 1) + "|", *others])


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _outputs(function: Function) -> str:
    if function.outputs == OUTPUTS:
        return "all outputs"
    return _code(tensor.name for tensor in function.outputs)


def signatures_table(split: str = STRINGS.meaning) -> str:
    """Signatures that take and give the same share a row; `split` says how strings are split."""
    rows: dict[Function, list[str]] = {}
    for name, function in SIGNATURES.items():
        rows.setdefault(function, []).append(name)

    def taken(tensor: Tensor) -> str:
        meaning = split if tensor is STRINGS else tensor.meaning
        return f"`{tensor.name}`: {tensor.type}, {meaning}"

    return _table(
        ("signature", "input", "output"),
        *(
            (_code(names), "; ".join(map(taken, function.inputs)), _outputs(function))
            for function, names in rows.items()
        ),
    )


def outputs_table(num_layers: int | None = None, sizes: Mapping[str, int] | None = None) -> str:
    """All outputs, of any model or of one with so many layers and axes of these sizes."""
    rows = []
    for tensor in OUTPUTS:
        axes = [str((sizes or {}).get(axis, axis)) for axis in tensor.axes]
        shape = tensor._replace(axes=tuple(axes)).type.removeprefix("float32 ")
        if tensor is not LSTM_OUTPUTS:
            rows.append((f"`{tensor.name}`", shape, tensor.meaning))
        elif num_layers is None:
            names = _code(tensor.name.format(layer=layer) for layer in (1, 2))
            rows.append((f"{names}, …", shape, tensor.meaning.format(layer="1, 2, …")))
        else:
            for layer in range(1, num_layers + 1):
                meaning = tensor.meaning.format(layer=layer)
                rows.append((f"`{tensor.name.format(layer=layer)}`", shape, meaning))
    return _table(("output", "shape", "meaning"), *rows)


def members_table() -> str:
    """What `elmo = hub.load(…)` has."""
    call = ", ".join(f"{name}={value!r}".replace("'", '"') for name, value in CALL.items())
    return _table(
        ("of the object", "what it gives"),
        (f"`elmo(inputs, {call})`", CALL_MEANING),
        *(
            (f"`elmo.{name}({_arguments(name, function)})`", function.meaning)
            for name, function in FUNCTIONS.items()
        ),
        *((f"`elmo.{name}`", meaning) for name, meaning in ATTRIBUTES.items()),
    )


def _arguments(name: str, function: Function) -> str:
    names = [tensor.name for tensor in function.inputs]
    if name in BY_DICTIONARY:
        return "{" + ", ".join(f'"{name}": …' for name in names) + "}"
    return ", ".join(names)
