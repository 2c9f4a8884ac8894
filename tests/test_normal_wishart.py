"""Normal-Wishart: SciPy's and the textbook's moments; learning in two parts is learning at once."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from jaxnets.models.normal_wishart import NormalWishart, posterior, sample

INVERSE_SCALE = np.array([[2.0, 0.5, 0.0], [0.5, 1.0, 0.3], [0.0, 0.3, 1.5]])
PRIOR = NormalWishart(jnp.array([1.0, -2.0, 0.5]), 2.0, 9.0, jnp.array(INVERSE_SCALE))


def test_moments_of_draws():
    """Each of 15 means of 20,000 draws is within 4 standard errors: one false alarm in 1,000 seeds."""
    keys = jax.random.split(jax.random.key(0), 20_000)
    mu, precision = jax.jit(jax.vmap(lambda key: sample(key, PRIOR)))(keys)
    scale = np.linalg.inv(INVERSE_SCALE)
    wishart = stats.wishart(9, scale)
    error = np.sqrt(wishart.var() / len(keys))
    assert (abs(precision.mean(0) - wishart.mean()) < 4 * error).all()
    np.testing.assert_allclose(precision.var(0), wishart.var(), rtol=0.1)
    covariance = INVERSE_SCALE / (2.0 * (9 - 3 - 1))  # E (strength Lambda)^-1
    np.testing.assert_allclose(np.cov(mu.T), covariance, atol=0.02)
    assert (abs(mu.mean(0) - PRIOR.mean) < 4 * np.sqrt(np.diag(covariance) / len(keys))).all()


def test_rows_in_two_parts_are_rows_at_once():
    with jax.enable_x64(True):
        rows = np.random.default_rng(0).normal(size=(7, 3))
        prior = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), PRIOR)
        at_once = posterior(prior, rows)
        in_parts = posterior(posterior(prior, rows[:3]), rows[3:])
    for one, other in zip(at_once, in_parts, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)
