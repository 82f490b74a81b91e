"""From an open file to `ElmoWeights`: the same steps for every format.

A format's own file finds its files, opens them and renames what they hold (`schema.weight_names`);
here the shapes are checked, and then the values are read and put together.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from elmo_tf2.config import ElmoConfig
from elmo_tf2.weights.check import check_mix_shapes, check_shapes, check_softmax_shapes
from elmo_tf2.weights.checkpoint_variables import CheckpointVariables
from elmo_tf2.weights.elmo_weights import ElmoWeights, Mix, Softmax
from elmo_tf2.weights.hdf5 import Hdf5File
from elmo_tf2.weights.schema import Weight, shape_in_files


@dataclasses.dataclass(frozen=True)
class StoredWeights:
    """Weights in an open file, none of them read yet.

    Attributes:
        file: what they are in.
        names: what the file calls each, by the schema's names.
        source: what to call them in messages.
        layout: what to take of a stored array, by the schema's names; all of it if not given.
    """

    file: Hdf5File | CheckpointVariables
    names: dict[str, str]
    source: str
    layout: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Their shapes in the layout of files, by the schema's names."""
        return {
            name: shape_in_files(self.file.shapes[stored], self.layout.get(name, ()))
            for name, stored in self.names.items()
        }

    def take(self, part: Sequence[Weight]) -> "StoredWeights":
        """Takes out the weights of a part, as far as they are there."""
        names = {w.name: self.names.pop(w.name) for w in part if w.name in self.names}
        return dataclasses.replace(self, names=names)

    def read(self) -> dict[str, np.ndarray]:
        """Reads them, in the layout of files."""
        return {
            name: self.file.read(stored)[self.layout.get(name, ())]
            for name, stored in self.names.items()
        }


def assemble(
    config: ElmoConfig,
    options: str,
    encoder: StoredWeights,
    mix: StoredWeights | None = None,
    softmax: StoredWeights | None = None,
    vocabulary: tuple[str, ...] | None = None,
) -> ElmoWeights:
    """Checks all, then reads all; `options` is what to call the sizes in messages."""
    check_shapes(config, encoder.shapes, encoder.source, options)
    if mix is not None:
        check_mix_shapes(config, mix.shapes, mix.source)
    if softmax is not None:
        check_softmax_shapes(config, softmax.shapes, vocabulary, softmax.source)
    parts = [part for part in (encoder, mix, softmax) if part is not None]
    for part in parts:
        part.file.check_stored(part.names.values())
    return ElmoWeights(
        config=config,
        arrays=encoder.read(),
        mix=None if mix is None else _mix(*mix.read().values()),
        softmax=None if softmax is None else Softmax(*softmax.read().values()),
        vocabulary=vocabulary,
        source=encoder.source,
    )


def _mix(weights: np.ndarray, gamma: np.ndarray) -> Mix:
    return Mix(tuple(weights.tolist()), float(gamma))
