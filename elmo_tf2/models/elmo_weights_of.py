"""The weights of an `ElmoEmbeddings`, as files have them."""

from typing import TYPE_CHECKING

from elmo_tf2.models.bilm_arrays import bilm_arrays
from elmo_tf2.validation import check_integer
from elmo_tf2.weights import ElmoWeights, Mix

if TYPE_CHECKING:
    from elmo_tf2.models.elmo_embeddings import ElmoEmbeddings


def weights_of(elmo: "ElmoEmbeddings", mix: int | None = None) -> ElmoWeights:
    """The encoder and a mix, the only one if its number is None."""
    if not elmo.built:
        elmo.build()
    mixes = elmo.mixes
    if mix is None and len(mixes) > 1:
        raise ValueError(
            f"A model folder holds one mix. Received: a layer with {len(mixes)} mixes and "
            "mix=None. Pass the number of one, such as `mix=0`."
        )
    if mix is not None:
        check_integer("mix", mix, 0, len(mixes) - 1)
        mixes = [mixes[mix]]
    found = [Mix(tuple(of.w.numpy().tolist()), float(of.gamma.numpy())) for of in mixes]
    arrays = bilm_arrays(elmo.encoder)
    return ElmoWeights(
        elmo.config, arrays, found[0] if found else None, source=f"layer {elmo.name!r}"
    )
