"""The posterior predictive distribution of a sampled model: a mixture of one normal a draw.

Reference: Gelman et al., Bayesian Data Analysis, 1.3 and 10.1.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.stats import norm

from jaxnets import check
from jaxnets.types import Array, Float, Scalar

NUM_HALVINGS = 20


class Predictive(NamedTuple):
    """What ``s`` draws say of ``n`` new values: ``sum_s weight_s N(mean_sn, deviation_s^2)``."""

    means: Float[Array, "s n"]
    deviations: Float[Array, " s"]
    weights: Float[Array, " s"]

    @property
    def mean(self) -> Float[Array, " n"]:
        """Of each new value."""
        return self.weights @ self.means


def cumulative(predictive: Predictive, values: Float[Array, " n"]) -> Float[Array, " n"]:
    """``P(new value <= value)``; uniform over [0, 1], if values come from this distribution.

    >>> normal = Predictive(jnp.zeros((1, 2)), jnp.ones(1), jnp.ones(1))
    >>> (100 * cumulative(normal, jnp.array([0.0, 1.6449]))).round().tolist()
    [50.0, 95.0]
    """
    z = (values[None] - predictive.means) / predictive.deviations[:, None]
    return predictive.weights @ norm.cdf(z)


def interval(predictive: Predictive, *, coverage: Scalar) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    """Ends between which a new value falls with probability ``coverage``, as likely below as above.

    Quantiles of the mixture, found by bisection: what is not known of the means, and the noise.

    Args:
        coverage: in (0, 1).

    >>> low, high = interval(Predictive(jnp.zeros((1, 1)), jnp.ones(1), jnp.ones(1)), coverage=0.9)
    >>> round(float(low[0]), 3), round(float(high[0]), 3)
    (-1.645, 1.645)
    """
    check.interval("coverage", coverage, check.Interval(0, 1, includes_low=False, includes_high=False))
    means, reach = predictive.means, 6 * predictive.deviations.max()
    span = means.min(axis=0) - reach, means.max(axis=0) + reach
    tail = (1 - coverage) / 2

    def quantile(share: Scalar) -> Float[Array, " n"]:
        def halve(_: Scalar, ends: tuple[Array, Array]) -> tuple[Array, Array]:
            middle = (ends[0] + ends[1]) / 2
            is_below = cumulative(predictive, middle) < share
            return jnp.where(is_below, middle, ends[0]), jnp.where(is_below, ends[1], middle)

        return jax.lax.fori_loop(0, NUM_HALVINGS, halve, span)[0]

    return quantile(tail), quantile(1 - tail)
