"""The weights of an `ElmoEmbeddings`, as files have them."""

from collections.abc import Sequence

from elmo_tf2.layers import ScalarMix
from elmo_tf2.models.bilm import BiLM
from elmo_tf2.models.bilm_arrays import bilm_arrays
from elmo_tf2.validation import check_integer
from elmo_tf2.weights import ElmoWeights, Mix


def weights_of(
    encoder: BiLM, mixes: Sequence[ScalarMix], mix: int | None, source: str
) -> ElmoWeights:
    """The encoder and a mix, the only one if its number is None."""
    if mix is None and len(mixes) > 1:
        raise ValueError(
            f"A model folder holds one mix. Received: a layer with {len(mixes)} mixes and "
            "mix=None. Pass the number of one, such as `mix=0`."
        )
    if mix is not None:
        check_integer("mix", mix, 0, len(mixes) - 1)
        mixes = [mixes[mix]]
    found = [Mix(tuple(of.w.numpy().tolist()), float(of.gamma.numpy())) for of in mixes]
    return ElmoWeights(
        encoder.config, bilm_arrays(encoder), found[0] if found else None, source=source
    )
