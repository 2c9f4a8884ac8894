"""Taylor layers: repeated differentiation, closed coefficients, softmax of images, and least squares."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnets import check, losses, train
from jaxnets.layers.taylor import SeriesLayer, TaylorLayer, cosine_series, sine_series, taylor, taylor_series
from jaxnets.learner import gradient

IMAGES = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 32, 32, 3)).astype(np.float32)


def wave(x):
    return jnp.exp(jnp.sin(x)) / (1 + x**2)


def test_coefficients_are_repeated_derivatives():
    def derivatives(a):
        f, values = wave, []
        for k in range(5):
            values.append(f(a) / math.factorial(k))
            f = jax.grad(f)
        return taylor_series(wave, num_terms=5, center=a).coefficients, jnp.stack(values)

    with jax.enable_x64(True):
        found, expected = jax.jit(derivatives)(0.3)
    np.testing.assert_allclose(found, expected, rtol=1e-10)


@pytest.mark.parametrize(("f", "series"), [(jnp.sin, sine_series(5)), (jnp.cos, cosine_series(5))])
def test_closed_coefficients_are_those_of_taylor_mode(f, series):
    found = taylor_series(f, num_terms=10).coefficients
    np.testing.assert_allclose(found[series.first :: 2], series.coefficients, rtol=1e-6)
    np.testing.assert_array_equal(found[1 - series.first :: 2], 0)


def test_terms_lie_on_the_chosen_axis_and_sum_to_the_function():
    """Softmax couples the colours; its series converges like ``(1 / pi)^n`` here."""

    @functools.partial(jax.jit, static_argnums=(0, 1))
    def expand(num_terms, axis, images):
        return taylor(jax.nn.softmax, images, num_terms=num_terms, center=0.1, axis=axis)

    terms = expand(8, 1, IMAGES)
    assert terms.shape == (2, 8, 32, 32, 3)
    np.testing.assert_allclose(terms.sum(axis=1), jax.nn.softmax(IMAGES), atol=1e-4)
    np.testing.assert_allclose(expand(8, None, IMAGES), terms.sum(axis=1), atol=1e-6)
    jacobian = (np.eye(3) - 1 / 3) / 3
    np.testing.assert_allclose(terms[:, 1], (IMAGES - 0.1) @ jacobian, atol=1e-6)
    np.testing.assert_allclose(expand(1, None, IMAGES), 1 / 3, rtol=1e-6)


@pytest.mark.parametrize(
    ("f", "expected"),
    [
        (jnp.tan, [0, 1, 0, 1 / 3, 0, 2 / 15]),
        (jnp.arctan, [0, 1, 0, -1 / 3, 0, 1 / 5]),
        (jnp.exp2, [np.log(2) ** k / math.factorial(k) for k in range(6)]),
        (jax.nn.softplus, [np.log(2), 1 / 2, 1 / 8, 0, -1 / 192, 0]),
    ],
)
def test_functions_without_a_rule_of_taylor_mode_are_expanded_too(f, expected):
    found = taylor_series(f, num_terms=6).coefficients
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(32, 32), (32, 32, 3), (2, 32, 32, 3)])
def test_layer_expands_images_and_batches_around_its_centre(shape):
    x = np.resize(IMAGES, shape)
    terms, whole = (TaylorLayer(jnp.exp, 5, center=0.2, axis=axis).apply({}, x) for axis in (-1, None))
    powers = np.arange(5)
    factorials = np.array([math.factorial(k) for k in powers])
    expected = np.exp(0.2) * (x[..., None] - 0.2) ** powers.reshape(*[1] * len(shape), 5)
    np.testing.assert_allclose(terms, expected / factorials.reshape(*[1] * len(shape), 5), atol=1e-6)
    np.testing.assert_allclose(whole, terms.sum(axis=-1), rtol=1e-5)


def test_remainder_falls_with_its_order():
    """``|sin x - T(x)|`` is below the first term left out, ``|x|^(2 n + 1) / (2 n + 1)!``, but not far."""
    x = np.linspace(0.5, 1.5, 11)
    with jax.enable_x64(True):
        for n in (1, 3, 5):
            remainder = np.abs(sine_series(n)(x) - np.sin(x))
            bound = x ** (2 * n + 1) / math.factorial(2 * n + 1)
            assert (remainder <= bound).all()
            assert (remainder >= 0.8 * bound).all()


def test_ten_terms_of_the_sine_are_exact_in_float32():
    x = np.linspace(-np.pi, np.pi, 10_001).astype(np.float32)
    exact = np.sin(x.astype(np.float64))
    expand = jax.jit(lambda x: (sine_series(10)(x), taylor(jnp.sin, x, num_terms=20)))
    for found in expand(x):
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, exact, atol=1e-6)


def test_thirty_terms_reach_as_far_as_they_should():
    """Of exp at 12 the terms grow up to the twelfth, and twenty would leave a hundredth."""
    x = np.array([-2.0, 3.0, 12.0])
    np.testing.assert_allclose(taylor(jnp.exp, x, num_terms=30), np.exp(x), rtol=1e-5)


def test_integers_are_expanded_around_a_centre_between_them():
    u = np.arange(3) - 0.5
    expected = np.exp(0.5) * (1 + u + u**2 / 2 + u**3 / 6)
    np.testing.assert_allclose(taylor(jnp.exp, jnp.arange(3), num_terms=4, center=0.5), expected, rtol=1e-6)


def test_a_series_is_its_own_expansion():
    x = np.linspace(-1, 1, 5)
    found = taylor(sine_series(3), x, num_terms=6, center=0.3)
    np.testing.assert_allclose(found, sine_series(3)(x), rtol=1e-5)


def test_series_are_of_any_rank_around_any_centre():
    series = jax.jit(lambda a: taylor_series(jnp.exp, num_terms=8, center=a))(0.5)
    np.testing.assert_allclose(series(IMAGES), np.exp(IMAGES), rtol=1e-4)
    terms = series.terms(IMAGES, axis=-2)
    assert terms.shape == (2, 32, 32, 8, 3)
    np.testing.assert_allclose(terms.sum(axis=-2), series(IMAGES), rtol=1e-5)
    np.testing.assert_allclose(terms[..., 2, :], np.exp(0.5) * (IMAGES - 0.5) ** 2 / 2, rtol=1e-4)


def test_learned_coefficients_are_least_squares():
    x = np.linspace(-3, 3, 101)
    powers = x[:, None] ** np.array([1, 3, 5])
    expected, *_ = np.linalg.lstsq(powers, np.sin(x), rcond=None)
    layer = SeriesLayer(sine_series(3), scale=3.0)
    sizes = 3.0 ** np.array([1, 3, 5])
    with jax.enable_x64(True):
        learner = gradient(layer, losses.squared_error, optax.lbfgs())
        fit = jax.jit(lambda rows: train.run(jax.random.key(0), learner, rows, num_steps=30).state)
        start = learner.init(jax.random.key(0), train.Batch(x, x)).params["coefficients"]
        found = fit((x, np.sin(x))).params["coefficients"]
    np.testing.assert_allclose(np.asarray(start) / sizes, [1, -1 / 6, 1 / 120], rtol=1e-12)
    np.testing.assert_allclose(np.asarray(found) / sizes, expected, rtol=1e-4)


def test_no_terms_are_refused():
    for call in (lambda: sine_series(0), lambda: taylor(jnp.sin, jnp.ones(2), num_terms=0)):
        with pytest.raises(check.InputError, match="num_terms"):
            call()
