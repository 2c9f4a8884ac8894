"""The variational autoencoder: its densities are SciPy's, its bounds are in order, and below the evidence."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.special import expit, logit, logsumexp

from jaxnets.models import VariationalAutoencoder
from jaxnets.models.variational import (
    evidence_bound,
    importance_bound,
    independent_pixels,
    kl_to_standard_normal,
    pixel_means,
)

RANDOM = np.random.default_rng(0)
BITS = RANDOM.integers(0, 2, size=(6, 4, 3, 1)).astype(np.float32)
START = (BITS.sum(axis=0).reshape(-1) + 0.5) / 7
MODEL = VariationalAutoencoder(
    (4, 3, 1), widths=(5,), num_codes=1, num_draws=2000, mean_image=pixel_means(BITS)
)


@pytest.fixture(scope="module")
def fitted():
    """Weights far from their start, so that every term of the bound counts."""
    drawn = MODEL.init(jax.random.key(0), BITS)
    variables = jax.tree.map(
        lambda leaf: jnp.asarray(0.7 * RANDOM.normal(size=leaf.shape), jnp.float32), drawn
    )
    return variables, jax.jit(lambda variables: MODEL.apply(variables, BITS))(variables)


def mlp(layers, x):
    for number, layer in enumerate(layers[name] for name in sorted(layers)):
        x = (np.tanh(x) if number else x) @ layer["kernel"] + layer["bias"]
    return x


def joint(params, code):
    """``log p(x, z)`` of every image at one code."""
    chances = expit(logit(START) + mlp(params["decoder"], np.full((1, 1), code)))
    return stats.bernoulli.logpmf(BITS.reshape(6, -1), chances).sum(axis=1) + stats.norm.logpdf(code)


def test_weights_are_ratios_of_scipys_densities(fitted):
    variables, outputs = fitted
    params = jax.device_get(variables["params"])
    mean, log_var = mlp(params["encoder"], BITS.reshape(6, -1)).T
    np.testing.assert_allclose(outputs["codes"][:, 0], mean, atol=1e-5)
    noise = np.asarray(jax.random.normal(jax.random.key(0), (2000, 1, 1)))[:3, 0, 0]
    for draw, found in zip(noise, outputs["log_weights"].T, strict=False):
        codes = mean + np.exp(log_var / 2) * draw
        above = np.array([joint(params, code)[row] for row, code in enumerate(codes)])
        np.testing.assert_allclose(
            found, above - stats.norm.logpdf(codes, mean, np.exp(log_var / 2)), rtol=1e-4
        )


def test_bounds_rise_to_the_evidence(fitted):
    """``log p(x)`` by quadrature over the one code; 2,000 draws come within 0.05 nats of it."""
    variables, outputs = fitted
    grid = np.linspace(-8, 8, 4001)
    params = jax.device_get(variables["params"])
    log_joint = np.array([joint(params, code) for code in grid])
    evidence = (logsumexp(log_joint, axis=0) + np.log(grid[1] - grid[0])).mean()
    weights = outputs["log_weights"]
    bounds = [importance_bound(weights[:, :: 2000 // draws]) for draws in (1, 10, 2000)]
    elbo = evidence_bound(weights)
    assert elbo < bounds[2] - 0.05
    assert elbo < evidence
    assert abs(bounds[2] - evidence) < 0.05


def test_more_draws_tighten_the_bound(fitted):
    """Exact for any weights: a mean over draws of bounds of fewer draws is no higher (Jensen)."""
    weights = fitted[1]["log_weights"]
    previous = evidence_bound(weights)
    for draws in (10, 100, 2000):
        groups = weights.reshape(-1, draws)
        bound = importance_bound(groups)
        assert previous < bound
        previous = bound


def test_training_and_evaluation_mean_the_same_bound(fitted):
    """The closed divergence, and draws of the ratio: one expectation, to 5 standard errors."""
    variables, outputs = fitted

    def elbo(key):
        return MODEL.apply(variables, BITS, train=True, rngs={"dropout": key})["elbo"]

    trained = jax.jit(jax.vmap(elbo))(jax.random.split(jax.random.key(5), 2000))
    weights = np.asarray(outputs["log_weights"])
    error = np.sqrt((trained.var(axis=0) + weights.var(axis=1)) / 2000)
    assert (np.abs(trained.mean(axis=0) - weights.mean(axis=1)) < 5 * error).all()
    assert (trained.var(axis=0) > 0).all()


def test_divergence_is_the_integral():
    mean, log_var = np.array([[0.7, -1.2]]), np.array([[0.4, -0.9]])
    z = np.linspace(-12, 12, 20_001)
    expected = 0.0
    for m, v in zip(mean[0], log_var[0], strict=True):
        q = stats.norm(m, np.exp(v / 2))
        expected += np.trapezoid(q.pdf(z) * (q.logpdf(z) - stats.norm.logpdf(z)), z)
    np.testing.assert_allclose(kl_to_standard_normal(mean, log_var), [expected], rtol=1e-5)
    assert kl_to_standard_normal(np.zeros((1, 3)), np.zeros((1, 3)))[0] == 0


def test_decoder_without_weights_is_independent_pixels(fitted):
    """The mean image alone: the bound is the Bernoulli density of the training shares, no code is used."""
    nothing = jax.tree.map(jnp.zeros_like, fitted[0])
    expected = stats.bernoulli.logpmf(BITS.reshape(6, -1), START).sum(axis=1)
    np.testing.assert_allclose(independent_pixels(BITS, pixel_means(BITS)), expected, rtol=1e-5)
    elbo = MODEL.apply(nothing, BITS, train=True, rngs={"dropout": jax.random.key(1)})["elbo"]
    np.testing.assert_allclose(elbo, expected, rtol=1e-5)
