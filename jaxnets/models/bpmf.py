"""Bayesian matrix factorisation: Gibbs sampling of factors, of their distributions, and of the noise.

Reference: Salakhutdinov & Mnih, Bayesian probabilistic matrix factorization using Markov chain Monte Carlo,
ICML 2008.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxnets import check
from jaxnets.learner import Learner
from jaxnets.models.matrix_factorisation import (
    Factors,
    Ratings,
    conditional,
    cut,
    products,
    random_factors,
    squared_error,
)
from jaxnets.models.normal_wishart import NormalWishart, posterior, sample
from jaxnets.models.predictive import Predictive
from jaxnets.models.rating_blocks import gram
from jaxnets.types import Array, Batch, Float, Int, Key, Metrics, Scalar


class Draw(NamedTuple):
    """One draw from the posterior, or several with an axis in front."""

    factors: Factors
    noise_precision: Float[Array, "*draws"]


class BPMFState(NamedTuple):
    """The ratings, the latest draw, the last draws kept, and how many sweeps were made."""

    ratings: Ratings
    draw: Draw
    kept: Draw
    num_sweeps: Int[Array, ""]

    def predictive(self, pairs: Int[Array, "n 2"]) -> Predictive:
        """The distribution of new ratings over the draws kept; a slot not yet filled has weight 0."""
        means = self.ratings.mean + jax.lax.map(lambda one: products(one, pairs), self.kept.factors)
        filled = jnp.arange(len(means)) < jnp.maximum(self.num_sweeps, 1)
        precisions = jnp.where(self.kept.noise_precision > 0, self.kept.noise_precision, 1.0)
        return Predictive(means, 1 / jnp.sqrt(precisions), filled / filled.sum())


def bpmf(*, num_users: int, num_items: int, rank: int, num_samples: int) -> Learner:
    """The posterior of all factors by Gibbs sampling; one step is one sweep.

    A sweep draws the noise's precision from its gamma conditional, each side's mean and precision from
    their Normal-Wishart conditional, all users at once given the items, and all items given the users. The
    last ``num_samples`` sweeps are kept; those before are the burn-in. ``predict`` is the mean over the draws
    kept, of the distribution :meth:`BPMFState.predictive`. The metric ``loss`` is the draw's mean squared
    error. Factors have prior mean ``N(0, (2 Lambda)^-1)`` and ``Lambda ~ Wishart(I, rank)``; the noise's
    precision, fixed at 2 in the paper, has the prior Gamma(1, 1).

    Args:
        rank: entries of a factor.
        num_samples: draws to keep.

    Raises:
        InputError: no rank, or no draw to keep.

    >>> from jaxnets import train
    >>> rows = jnp.array([[0, 0], [0, 1], [1, 0]]), jnp.array([4.0, 2.0, 4.0])
    >>> model = bpmf(num_users=2, num_items=2, rank=1, num_samples=50)
    >>> run = train.run(jax.random.key(0), model, rows, num_steps=100)
    >>> model.predict(run.state, jnp.array([[1, 1]])).shape
    (1,)

    Reference: Salakhutdinov & Mnih 2008, section 3.
    """
    check.count("rank", rank, 1)
    check.count("num_samples", num_samples, 1)
    prior = prior_of(rank)

    def init(key: Key, data: Batch) -> BPMFState:
        factors = random_factors(key, num_users=num_users, num_items=num_items, rank=rank)
        draw = Draw(factors, jnp.ones(()))
        kept = jax.tree.map(lambda leaf: jnp.zeros((num_samples, *leaf.shape)), draw)
        return BPMFState(cut(data, num_users=num_users, num_items=num_items), draw, kept, jnp.int32(0))

    def step(key: Key, state: BPMFState, batch: Batch) -> tuple[BPMFState, Metrics]:
        draw, error = sweep(key, state.ratings, state.draw.factors, prior, num_ratings=len(batch.targets))
        slot = state.num_sweeps % num_samples
        kept = jax.tree.map(lambda all_draws, one: all_draws.at[slot].set(one), state.kept, draw)
        return BPMFState(state.ratings, draw, kept, state.num_sweeps + 1), {"loss": error}

    def predict(state: BPMFState, pairs: Int[Array, "n 2"]) -> Float[Array, " n"]:
        return state.predictive(pairs).mean

    return Learner(init, step, predict)


def prior_of(rank: int) -> NormalWishart:
    """The paper's prior of either side's mean and precision."""
    return NormalWishart(jnp.zeros(rank), 2.0, float(rank), jnp.eye(rank))


def sweep(
    key: Key, ratings: Ratings, factors: Factors, prior: NormalWishart, *, num_ratings: int
) -> tuple[Draw, Float[Array, ""]]:
    """One Gibbs sweep, and the mean squared error before it."""
    noise_key, prior_key, users_key, items_key = jax.random.split(key, 4)
    users, items = factors
    sums = gram(items, ratings.by_user, num_owners=len(users))
    error = squared_error(users, sums)
    alpha = jax.random.gamma(noise_key, 1 + num_ratings / 2) / (1 + error / 2)
    # Both sides at once: draws of the gamma distribution take long to compile.
    given = jax.tree.map(lambda *sides: jnp.stack(sides), posterior(prior, users), posterior(prior, items))
    means, precisions = jax.vmap(sample)(jax.random.split(prior_key), given)
    users = draw_side(users_key, sums, means[0], precisions[0], alpha)
    sums = gram(users, ratings.by_item, num_owners=len(items))
    items = draw_side(items_key, sums, means[1], precisions[1], alpha)
    return Draw(Factors(users, items), alpha), error / num_ratings


def draw_side(
    key: Key,
    sums: Float[Array, "n e e"],
    mean: Float[Array, " k"],
    precision: Float[Array, "k k"],
    noise_precision: Scalar,
) -> Float[Array, "n k"]:
    """Draws every owner's factors from their :func:`~jaxnets.models.matrix_factorisation.conditional`."""
    normal = jax.random.normal(key, (len(sums), len(mean)))
    return conditional(sums, mean, precision, noise_precision, normal)[0]
