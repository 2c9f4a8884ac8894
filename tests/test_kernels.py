"""Kernels against scikit-learn's, and the laws of inner products."""

from inspect import unwrap

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import pairwise
from sklearn.preprocessing import KernelCenterer
from sklearn.svm import SVC

from jaxnets import kernels
from jaxnets.check import InputError

RANDOM = np.random.default_rng(0)
X, Y = RANDOM.normal(size=(12, 5)).astype(np.float32), RANDOM.normal(size=(7, 5)).astype(np.float32)


@pytest.mark.parametrize(
    ("kernel", "expected"),
    [
        (kernels.linear(), pairwise.linear_kernel),
        (
            kernels.polynomial(degree=3, gamma=0.5, coef0=2.0),
            lambda x, y: pairwise.polynomial_kernel(x, y, degree=3, gamma=0.5, coef0=2.0),
        ),
        (kernels.rbf(gamma=0.3), lambda x, y: pairwise.rbf_kernel(x, y, gamma=0.3)),
        (
            kernels.sigmoid(gamma=0.2, coef0=-1.0),
            lambda x, y: pairwise.sigmoid_kernel(x, y, gamma=0.2, coef0=-1.0),
        ),
    ],
)
def test_equals_scikit_learn(kernel, expected):
    np.testing.assert_allclose(kernel(X, Y), expected(X, Y), rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize(
    "kernel", [kernels.linear(), kernels.polynomial(degree=2), kernels.scaled(kernels.rbf)]
)
def test_bytes_do_not_wrap(kernel):
    rows = np.array([[200, 0], [3, 255]], np.uint8)
    floats = rows.astype(np.float32)
    np.testing.assert_array_equal(kernel(rows, rows), kernel(floats, floats))


@pytest.mark.parametrize("shift", [0.0, 1000.0])
def test_distances_are_those_of_the_differences(shift):
    x, y = (X + np.float32(shift)), (Y + np.float32(shift))
    direct = np.square(x[:, None].astype(float) - y[None].astype(float)).sum(axis=2)
    np.testing.assert_allclose(kernels.squared_distances(x, y), direct, rtol=1e-5, atol=1e-5)


def test_distances_of_equal_rows_are_not_negative():
    x = np.repeat(X[:1] * 100, 12, axis=0) + 1e-4 * X
    assert kernels.squared_distances(x, x.copy()).min() >= 0


def test_rbf_gram_is_symmetric_with_ones_and_positive():
    gram = kernels.gram(kernels.rbf(gamma=0.3), X)
    assert (gram == gram.T).all()
    assert (jnp.diagonal(gram) == 1).all()
    assert jnp.linalg.eigvalsh(gram).min() > -1e-6


def test_polynomial_is_an_inner_product_of_monomials():
    x = X[:, :2]
    features = np.stack([x[:, 0] ** 2, np.sqrt(2) * x[:, 0] * x[:, 1], x[:, 1] ** 2], axis=1)
    np.testing.assert_allclose(
        kernels.polynomial(degree=2, coef0=0.0)(x, x), features @ features.T, rtol=1e-4, atol=1e-6
    )


def test_scale_gamma_equals_scikit_learn():
    model = SVC(gamma="scale").fit(X, np.arange(12) % 2)
    np.testing.assert_allclose(kernels.scale_gamma(X), model._gamma, rtol=1e-5)
    assert kernels.scale_gamma(jnp.ones((3, 2))) == 1


def test_centre_equals_scikit_learn():
    train, test = pairwise.rbf_kernel(X, X), pairwise.rbf_kernel(Y, X)
    centerer = KernelCenterer().fit(train)
    np.testing.assert_allclose(kernels.centre(train, train), centerer.transform(train), atol=1e-6)
    np.testing.assert_allclose(kernels.centre(test, train), centerer.transform(test), atol=1e-6)


def test_widths_can_be_swept():
    gammas = jnp.array([0.1, 1.0])
    swept = jax.jit(jax.vmap(lambda gamma: kernels.rbf(gamma=gamma)(X, Y)))(gammas)
    np.testing.assert_allclose(swept[1], kernels.rbf(gamma=1.0)(X, Y), rtol=1e-5)


@pytest.mark.parametrize(
    "call",
    [
        lambda: kernels.rbf(gamma=0.0),
        lambda: kernels.rbf(gamma=float("nan")),
        lambda: kernels.polynomial(degree=0),
        lambda: unwrap(kernels.polynomial)(degree=2.5),
        lambda: kernels.polynomial(degree=2, coef0=-1.0),
    ],
)
def test_refused(call):
    with pytest.raises(InputError):
        call()
