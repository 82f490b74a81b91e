"""A small ELMo of random weights, for the tests of what is made of one."""

from elmo_tf2.config import ElmoConfig
from elmo_tf2.models import ElmoEmbeddings, set_bilm_arrays
from tests import numpy_reference as reference

CONFIG = ElmoConfig(
    filters=((1, 3), (2, 4)),
    char_embedding_dim=3,
    num_highway_layers=1,
    units=6,
    projection_dim=4,
    cell_clip=0.8,  # low, so that they bite
    projection_clip=0.6,
)
# A mix that is not the initial one.
W, GAMMA = [0.2, -0.1, 0.4], 1.3


def random_elmo(config=CONFIG, **kwargs):
    """A layer whose encoder has the weights of `reference.random_arrays`."""
    elmo = ElmoEmbeddings(config, **kwargs)
    elmo.build()
    set_bilm_arrays(elmo.encoder, reference.random_arrays(config.to_options()))
    return elmo
