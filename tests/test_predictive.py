"""Predictive mixtures: quantiles of many draws from them; the ends of an interval leave out their tails."""

import jax.numpy as jnp
import numpy as np

from jaxnets.models.predictive import Predictive, cumulative, interval

MIXTURE = Predictive(
    jnp.array([[0.0, 3.0], [2.0, 3.1], [9.0, 9.0]]), jnp.array([0.5, 1.0, 1.0]), jnp.array([0.5, 0.5, 0.0])
)


def test_ends_are_quantiles_of_draws():
    """Quantiles of 200,000 draws have standard errors below 0.01; a draw of weight 0 does not count."""
    generator = np.random.default_rng(0)
    which = generator.integers(0, 2, 200_000)
    draws = np.asarray(MIXTURE.means)[which] + np.asarray(MIXTURE.deviations)[which, None] * generator.normal(
        size=(200_000, 2)
    )
    for end, share in zip(interval(MIXTURE, coverage=0.8), (0.1, 0.9), strict=True):
        np.testing.assert_allclose(end, np.quantile(draws, share, axis=0), atol=0.03)


def test_each_tail_holds_half_of_the_rest():
    low, high = interval(MIXTURE, coverage=0.9)
    np.testing.assert_allclose(cumulative(MIXTURE, low), 0.05, atol=1e-4)
    np.testing.assert_allclose(cumulative(MIXTURE, high), 0.95, atol=1e-4)
    np.testing.assert_allclose(MIXTURE.mean, [1.0, 3.05], rtol=1e-6)
