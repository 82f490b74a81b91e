"""benchmarks/fine_tuning.py: its steps are what their names say."""

import fine_tuning
import numpy as np
import pytest
import tensorflow as tf

from elmo_tf2 import ElmoConfig, ElmoEmbeddings

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def steps():
    config = ElmoConfig(filters=((1, 4), (2, 4)), units=8, projection_dim=4)
    elmo = ElmoEmbeddings(config, encoder_trainable=True)
    elmo.build()
    return fine_tuning.make_steps(elmo)


def test_both_gradients_are_the_same(steps):
    sentences = tf.constant([["the", "cat", "sat"], ["dogs", "", ""]])
    vectors, *gradients = [step(sentences) for step in steps.values()]
    assert vectors.shape == (2, 3, 8)
    for found, expected in zip(*gradients, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_every_step_has_its_seconds(steps):
    seconds = fine_tuning.measure(steps, tf.constant([["the", "cat"]]), repeats=2)
    assert seconds.keys() == steps.keys()
    assert min(seconds.values()) > 0
