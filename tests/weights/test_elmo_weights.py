"""ElmoWeights: what it takes and what it refuses."""

import dataclasses

import numpy as np
import pytest

from elmo_tf2.config import ElmoConfig
from elmo_tf2.weights import ElmoWeights, Mix, Softmax, check_shapes, expected_shapes
from tests.weights.helpers import VOCABULARY, random_weights

LSTM = "RNN_1/RNN/MultiRNNCell/Cell0/LSTMCell"


def number_of_parameters(config):
    return sum(int(np.prod(shape)) for shape in expected_shapes(config).values())


def test_the_published_sizes_have_their_published_numbers_of_parameters():
    filters = ElmoConfig().filters
    small = ElmoConfig(filters, num_highway_layers=1, units=1024, projection_dim=128)
    medium = ElmoConfig(filters, num_highway_layers=1, units=2048, projection_dim=256)
    # Those of the smaller two count the row of padding, 16 numbers, which the files leave out.
    assert number_of_parameters(small) + 16 == 13_593_312
    assert number_of_parameters(medium) + 16 == 28_027_744
    assert number_of_parameters(ElmoConfig()) == 93_600_848


def test_the_shapes_are_those_of_the_published_original_model():
    shapes = expected_shapes(ElmoConfig())
    assert shapes["char_embed"] == (261, 16)
    assert shapes["CNN/W_cnn_6"] == (1, 7, 16, 1024)
    assert shapes["CNN/b_cnn_6"] == (1024,)
    assert shapes["CNN_high_1/W_transform"] == (2048, 2048)
    assert shapes["CNN_high_1/b_carry"] == (2048,)
    assert shapes["CNN_proj/W_proj"] == (2048, 512)
    assert shapes["CNN_proj/b_proj"] == (512,)
    assert shapes[f"{LSTM}/W_0"] == (1024, 16384)
    assert shapes[f"{LSTM}/B"] == (16384,)
    assert shapes[f"{LSTM}/W_P_0"] == (4096, 512)


def test_a_model_without_projections_and_highways_has_no_weights_for_them():
    config = ElmoConfig(
        filters=((1, 3), (2, 5)), num_highway_layers=0, units=8, projection_dim=8, num_layers=1
    )
    names = expected_shapes(config)
    assert not [name for name in names if "W_P_0" in name or "high" in name or "proj" in name]
    assert len(names) == 1 + 2 * 2 + 2 * 2


def test_arrays_become_float32_in_the_order_of_the_shapes(config, weights):
    backwards = {name: array.astype(np.float64) for name, array in reversed(weights.arrays.items())}
    arrays = ElmoWeights(config, backwards).arrays
    assert list(arrays) == list(expected_shapes(config))
    assert {array.dtype for array in arrays.values()} == {np.dtype(np.float32)}


def test_arrays_of_float32_are_not_copied(config, weights):
    arrays = ElmoWeights(config, weights.arrays).arrays
    assert all(arrays[name] is array for name, array in weights.arrays.items())


def test_missing_and_superfluous_and_misshapen_weights_are_all_listed(config, weights):
    arrays = dict(weights.arrays)
    del arrays["CNN/b_cnn_0"], arrays[f"{LSTM}/B"]
    arrays |= {"CNN_high_1/W_carry": np.zeros((9, 9)), "CNN_proj/b_proj": np.zeros(5)}
    with pytest.raises(ValueError, match="here.hdf5 does not fit its options") as error:
        ElmoWeights(config, arrays, source="here.hdf5")
    message = str(error.value)
    assert "`CNN/b_cnn_0`: expected shape (4,), found no such key" in message
    assert f"`{LSTM}/B`: expected shape (28,), found no such key" in message
    assert "`CNN_proj/b_proj`: expected shape (6,), found (5,)" in message
    assert "`CNN_high_1/W_carry`: found shape (9, 9), but nothing takes this key" in message
    assert len(message.splitlines()) == 5


def test_of_many_faults_the_first_are_listed(config, weights):
    many = dataclasses.replace(config, num_layers=1000)
    with pytest.raises(ValueError, match="does not fit its options") as error:
        ElmoWeights(many, weights.arrays)
    lines = str(error.value).splitlines()
    assert len(lines) == 22
    assert lines[-1] == "  and 5,968 more"  # two directions, 998 layers, three weights


def test_262_character_rows_are_explained(config):
    shapes = expected_shapes(config) | {"char_embed": (262, 3)}
    with pytest.raises(ValueError, match="must have 261 rows: the row of padding is added"):
        check_shapes(config, shapes, "weights.hdf5")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_refused(config, weights, value):
    arrays = weights.arrays | {"CNN_proj/b_proj": np.array([1, 2, value, 3, 4, 5])}
    with pytest.raises(ValueError, match="here: `CNN_proj/b_proj` must hold finite.* 1 .*of 6"):
        ElmoWeights(config, arrays, source="here")


def test_a_value_too_large_for_float32_is_refused(config, weights):
    arrays = weights.arrays | {"CNN_proj/b_proj": np.full(6, 1e300)}
    with pytest.raises(ValueError, match="0 NaN and 6 infinite of 6"):
        ElmoWeights(config, arrays)


def test_the_largest_numbers_of_float32_are_finite(config, weights):
    largest = np.full(6, np.finfo(np.float32).max)
    arrays = weights.arrays | {"CNN_proj/b_proj": largest}
    np.testing.assert_array_equal(ElmoWeights(config, arrays).arrays["CNN_proj/b_proj"], largest)


def test_a_mix_has_a_weight_for_every_layer(weights):
    with pytest.raises(ValueError, match=r"mix must have a weight .*\(3,\).*Found: .*\(2,\)"):
        dataclasses.replace(weights, mix=Mix((0.0, 1.0), 1.0))
    with pytest.raises(ValueError, match="`aggregation/scaling` must hold finite"):
        dataclasses.replace(weights, mix=Mix((0.0, 1.0, 2.0), float("nan")))


def test_a_mix_of_arrays_becomes_floats(weights):
    mix = Mix(np.array([0.5, 1, 2], np.float32), np.float32(3))
    assert dataclasses.replace(weights, mix=mix).mix == ((0.5, 1.0, 2.0), 3.0)
    assert isinstance(dataclasses.replace(weights, mix=mix).mix.weights, tuple)


@pytest.mark.parametrize(
    ("kernel", "bias"), [((7, 5), (7,)), ((7, 6), (8,)), ((0, 6), (0,)), ((7, 6), ()), ((7,), (7,))]
)
def test_a_softmax_of_another_shape_is_refused(weights, kernel, bias):
    with pytest.raises(ValueError, match="a row for every word. Found: "):
        dataclasses.replace(weights, softmax=Softmax(np.zeros(kernel), np.zeros(bias)))


def test_a_softmax_has_a_row_for_every_word(weights):
    softmax = Softmax(np.zeros((8, 6)), np.zeros(8))
    assert dataclasses.replace(weights, softmax=softmax).softmax.kernel.dtype == np.float32
    with pytest.raises(ValueError, match="7 rows, one per word of the vocabulary"):
        dataclasses.replace(weights, softmax=softmax, vocabulary=VOCABULARY)


def test_a_vocabulary_becomes_a_tuple(config, rng):
    assert random_weights(config, rng, vocabulary=["a", "b"]).vocabulary == ("a", "b")
