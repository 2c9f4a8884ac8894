"""Basis functions against NumPy written out, one column and one centre at a time."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.preprocessing import PolynomialFeatures

from jaxnets.check import InputError
from jaxnets.models import basis

INPUTS = np.random.default_rng(0).normal(size=(7, 3))
CENTRES = np.array([-1.0, 0.5])
SHAPES = {
    "gaussian": lambda x, c, width: np.exp(-((x - c) ** 2) / (2 * width**2)),
    "sigmoid": lambda x, c, width: 1 / (1 + np.exp(-(x - c) / width)),
}


@pytest.mark.parametrize("name", SHAPES)
def test_each_column_meets_each_centre(name):
    expected = [SHAPES[name](INPUTS[:, i], c, 0.7) for i in range(3) for c in CENTRES]
    with jax.enable_x64(True):
        found = getattr(basis, name)(INPUTS, centres=CENTRES, width=0.7)
    np.testing.assert_allclose(found, np.stack(expected, axis=1), rtol=1e-12)


def test_powers_of_one_column_are_scikit_learns():
    expected = PolynomialFeatures(degree=4, include_bias=False).fit_transform(INPUTS[:, :1])
    np.testing.assert_allclose(basis.polynomial(INPUTS[:, :1], degree=4), expected, rtol=1e-5)


def test_columns_do_not_meet():
    changed = INPUTS.copy()
    changed[:, 1] += 1
    moved = jnp.any(basis.polynomial(INPUTS, degree=2) != basis.polynomial(changed, degree=2), axis=0)
    assert moved.tolist() == [False, False, True, True, False, False]


def test_a_narrow_step_is_a_step_and_a_narrow_bump_is_gone():
    x = jnp.array([[-1.0], [1.0]])
    centre = jnp.zeros(1)
    assert basis.sigmoid(x, centres=centre, width=1e-3).tolist() == [[0.0], [1.0]]
    assert basis.gaussian(x, centres=centre, width=1e-3).tolist() == [[0.0], [0.0]]


def test_impossible_numbers_are_refused():
    with pytest.raises(InputError, match=r"width = 0.0, allowed is \(0, inf\)"):
        basis.gaussian(INPUTS, centres=CENTRES, width=0.0)
    with pytest.raises(InputError, match="degree = 0, allowed are 1, 2, 3"):
        basis.polynomial(INPUTS, degree=0)
