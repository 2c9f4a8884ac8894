"""Random affine maps: SciPy's interpolation, exact where a map is known, seeded, one compilation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.ndimage import affine_transform

from jaxnets import data
from jaxnets.check import InputError
from jaxnets.layers import RandomAffine
from jaxnets.layers.random_affine import moved


@pytest.fixture(scope="module")
def digits():
    return data.load("mnist5k").train.inputs[:4]


@pytest.fixture(scope="module")
def see():
    def images(x, angle, stretch, shift, seed):
        layer = RandomAffine(angle=angle, stretch=stretch, shift=shift)
        return layer.apply({}, x, train=True, rngs={"dropout": jax.random.key(seed)})

    return jax.jit(images)


def test_a_map_is_scipys(digits):
    turn, a, b, g, down, right = parameters = np.array([0.3, 0.1, -0.2, 0.15, 1.5, -2.5], np.float32)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    matrix = rotation @ np.array([[np.exp(a), g], [0, np.exp(b)]])
    offset = 13.5 - matrix @ [13.5, 13.5] + [down, right]
    expected = affine_transform(digits[0, ..., 0], matrix, offset, order=1)
    np.testing.assert_allclose(moved(digits[0], parameters)[..., 0], expected, atol=1e-4)


def test_nothing_moves_by_nothing_and_each_image_moves_its_own_way(digits, see):
    np.testing.assert_allclose(see(digits, 0.0, 0.0, 0.0, 0), digits, atol=1e-6)
    twins = np.stack([digits[0], digits[0]])
    one, other = see(twins, 0.2, 0.1, 2.0, 0)
    assert np.abs(one - other).max() > 0.3
    again = see(twins, 0.2, 0.1, 2.0, 0)
    np.testing.assert_array_equal(again[0], one)


def test_shifts_alone_keep_the_ink_and_stay_within_their_bound(digits, see):
    before = np.pad(digits, ((0, 0), (6, 6), (6, 6), (0, 0)))
    seen = np.asarray(see(before, 0.0, 0.0, 3.0, 1))
    np.testing.assert_allclose(seen.sum((1, 2, 3)), before.sum((1, 2, 3)), rtol=1e-3)
    rows = np.arange(40)[None, :, None, None]
    moved_by = [(rows * images).sum((1, 2, 3)) / images.sum((1, 2, 3)) for images in (before, seen)]
    shifts = np.abs(moved_by[1] - moved_by[0])
    assert shifts.max() < 3.01
    assert shifts.max() > 0.3


def test_other_values_need_no_new_compilation(digits, see):
    before = see._cache_size()
    see(digits, 0.4, 0.3, 1.0, 5)
    assert see._cache_size() == before


@pytest.mark.parametrize("bad", [{"angle": -0.1}, {"stretch": jnp.nan}])
def test_bad_attributes_are_refused(digits, bad):
    with pytest.raises(InputError, match="allowed is"):
        RandomAffine(**bad).apply({}, digits, train=True, rngs={"dropout": jax.random.key(0)})


def test_rows_of_numbers_are_refused():
    with pytest.raises(InputError, match="images"):
        RandomAffine().apply({}, jnp.ones((3, 4)))
