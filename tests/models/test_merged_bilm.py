"""The merged BiLM: padding, and who sees which word (the gradient probe).

Its equality with the NumPy reference is in test_bilm.py.
"""

import numpy as np
import pytest
import tensorflow as tf

from elmo_tf2.layers.ragged import from_padded
from elmo_tf2.models import BiLM, set_bilm_arrays
from tests import numpy_reference as reference
from tests.models.bilm_cases import PROMISE, SENTENCES, SMALL, char_ids, make_bilm, merged, vectors

MERGES = ["add", "concat"]


@pytest.fixture(scope="module", params=MERGES)
def bilm(request):
    return make_bilm(merged(request.param))[0]


def test_a_sentence_has_the_same_vectors_in_any_order_and_with_more_padding(bilm, rng):
    ids = char_ids(SENTENCES)
    result = vectors(bilm(ids))
    order = rng.permutation(len(SENTENCES))
    more = np.pad(ids[order], [(0, 0), (0, 3), (0, 0)])
    again = vectors(bilm(more))
    np.testing.assert_allclose(again[:, : ids.shape[1]], result[order], **PROMISE)
    assert not np.any(again[:, ids.shape[1] :])
    for row, words in enumerate(SENTENCES):
        assert not np.any(result[row, len(words) :])
        alone = vectors(bilm(char_ids([words])))[0]
        np.testing.assert_allclose(result[row, : len(words)], alone, **PROMISE)


def test_what_stands_at_padding_is_never_seen(bilm, rng):
    words = rng.normal(size=(2, 5, 4)).astype("float32")
    mask = tf.sequence_mask([3, 5], 5)
    others = np.where(mask[..., tf.newaxis], words, 1e3)
    np.testing.assert_array_equal(vectors(bilm(words, mask=mask)), vectors(bilm(others, mask=mask)))


def test_its_config_gives_it_again(bilm):
    again = BiLM.from_config(bilm.get_config())
    again.build()
    assert again.config == bilm.config
    assert [weight.shape for weight in again.weights] == [weight.shape for weight in bilm.weights]


# --- the gradient probe: d(a vector) / d(the word vectors of all places)


TOKENS = 6


def seen(bilm, direction, place, words=None):
    """Whether the last layer's vector of a direction at a place depends on each place's word."""
    rng = np.random.default_rng(1)
    words = tf.constant(rng.normal(size=(1, TOKENS, 4)), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(words)
        mask = tf.fill([1, TOKENS], True)
        output = bilm.encode(from_padded(words, mask), add_bos_eos=False).padded(mask)
        # a random sum of its numbers, as a logit is
        vector = getattr(output, direction)[-1][0, place]
        logit = tf.tensordot(vector, tf.constant(rng.normal(size=4), tf.float32), 1)
    return np.any(tape.gradient(logit, words)[0] != 0, axis=-1).tolist()


def unclipped(options):
    """Without clips: past one of them there is no gradient, which would say nothing."""
    return {**options, "lstm": {**options["lstm"], "cell_clip": None, "proj_clip": None}}


def test_a_separate_bilm_does_not_see_the_words_it_predicts():
    bilm, _ = make_bilm(unclipped(SMALL))
    places = range(TOKENS)
    for place in places:
        assert seen(bilm, "forward", place) == [other <= place for other in places]
        assert seen(bilm, "backward", place) == [other >= place for other in places]


@pytest.mark.parametrize("merge", MERGES)
def test_a_merged_bilm_sees_every_word_and_so_the_next_one(merge):
    bilm, _ = make_bilm(unclipped(merged(merge)))
    for direction in ("forward", "backward"):
        for place in range(TOKENS):
            assert all(seen(bilm, direction, place)), (direction, place)


@pytest.mark.parametrize("merge", MERGES)
def test_the_first_layer_of_a_merged_bilm_keeps_the_directions_apart(merge):
    options = unclipped(merged(merge))
    arrays = reference.random_arrays(options)
    below = unclipped(merged(merge))
    del below["architecture"], below["merge"]
    below["lstm"]["n_layers"] = 1
    first = BiLM(below)
    first.build()
    set_bilm_arrays(first, arrays)
    ids = char_ids(SENTENCES)
    both = make_bilm(options)[0](ids)
    np.testing.assert_allclose(first(ids).forward[0], both.forward[0], **PROMISE)
    np.testing.assert_allclose(first(ids).backward[0], both.backward[0], **PROMISE)
