"""The Normal-Wishart distribution: the conjugate prior of a normal distribution's mean and precision.

    Lambda ~ Wishart(scale, degrees),    mu ~ N(mean, (strength Lambda)^-1)

Reference: Bishop, Pattern Recognition and Machine Learning, 2.3.6 and B.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular

from jaxnets.types import Array, Float, Key, Scalar


class NormalWishart(NamedTuple):
    """Its four parameters.

    Attributes:
        mean: of ``mu``.
        strength: rows that the prior's mean counts for; positive.
        degrees: of freedom, more than ``k - 1``.
        inverse_scale: of the Wishart distribution; ``E Lambda = degrees inverse_scale^-1``.
    """

    mean: Float[Array, " k"]
    strength: Scalar
    degrees: Scalar
    inverse_scale: Float[Array, "k k"]


@jax.jit
def posterior(prior: NormalWishart, rows: Float[Array, "n k"]) -> NormalWishart:
    """What ``rows ~ N(mu, Lambda^-1)`` make of the prior.

    With the rows' mean ``m``, scatter ``S = sum (x - m)(x - m)'`` and ``d = m - mean``: strengths and degrees
    grow by ``n``, the mean is the weighted one, ``inverse_scale`` grows by
    ``S + strength n / (strength + n) d d'``.

    >>> prior = NormalWishart(jnp.zeros(1), 1.0, 1.0, jnp.eye(1))
    >>> after = posterior(prior, jnp.array([[1.0], [3.0]]))
    >>> float(after.strength), round(float(after.mean[0]), 4), round(float(after.inverse_scale[0, 0]), 4)
    (3.0, 1.3333, 5.6667)
    """
    n, m = len(rows), rows.mean(axis=0)
    centred, d = rows - m[None], m - prior.mean
    strength = prior.strength + n
    return NormalWishart(
        prior.mean + n / strength * d,
        strength,
        prior.degrees + n,
        prior.inverse_scale + centred.T @ centred + prior.strength * n / strength * jnp.outer(d, d),
    )


@jax.jit
def sample(key: Key, parameters: NormalWishart) -> tuple[Float[Array, " k"], Float[Array, "k k"]]:
    """Draws ``mu`` and ``Lambda``.

    By Bartlett's decomposition ``Lambda = F F'`` with ``F = L^-T A``, where ``L L'`` is the inverse scale and
    ``A`` lower triangular: square roots of chi-squared draws on the diagonal, normal draws below.

    >>> mu, precision = sample(jax.random.key(0), NormalWishart(jnp.ones(2), 1e6, 1e6, 1e6 * jnp.eye(2)))
    >>> mu.round(1).tolist(), jnp.diag(precision).round(1).tolist()
    ([1.0, 1.0], [1.0, 1.0])
    """
    mean, strength, degrees, inverse_scale = parameters
    chi_key, below_key, mean_key = jax.random.split(key, 3)
    k = len(mean)
    chi_squared = 2 * jax.random.gamma(chi_key, (degrees - jnp.arange(k)) / 2)
    a = jnp.diag(jnp.sqrt(chi_squared)) + jnp.tril(jax.random.normal(below_key, (k, k)), -1)
    root = jnp.linalg.cholesky(inverse_scale)
    factor = solve_triangular(root, a, lower=True, trans=1)
    spread = root @ solve_triangular(a, jax.random.normal(mean_key, (k,)), lower=True, trans=1)
    return mean + spread / jnp.sqrt(strength), factor @ factor.T
