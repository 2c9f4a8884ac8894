"""Probabilistic matrix factorisation: a rating is a product of two factors plus noise.

    r_ui ~ N(m + u' v, 1 / alpha),    u ~ N(mu_U, Lambda_U^-1),    v ~ N(mu_V, Lambda_V^-1)

Given the items, the users are independent, and each is normal: alternating between users and items, the
modes of the conditionals lead to the most probable factors (:func:`pmf`), draws from them to the posterior
(:func:`jaxnets.models.bpmf`).

Reference: Salakhutdinov & Mnih, Probabilistic matrix factorization, NIPS 2007.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular

from jaxnets import check, check_rows
from jaxnets.learner import Learner
from jaxnets.models.rating_blocks import Blocks, blocks, gram
from jaxnets.types import Array, Batch, Float, Int, Key, Metrics, Scalar


class Ratings(NamedTuple):
    """Centred ratings by user and by item, and the mean that was taken off."""

    by_user: Blocks
    by_item: Blocks
    mean: Float[Array, ""]


class Factors(NamedTuple):
    """A row for each user, and one for each item."""

    users: Float[Array, "u k"]
    items: Float[Array, "i k"]


class PMFState(NamedTuple):
    """The ratings, cut into blocks once, and the factors."""

    ratings: Ratings
    factors: Factors


def pmf(*, num_users: int, num_items: int, rank: int, l2: Scalar) -> Learner:
    """The most probable factors, by alternating least squares; one step is all users, then all items.

    Minimises ``sum (r - m - u'v)^2 + l2 (sum |u - e_1|^2 + sum |v - e_2|^2)`` exactly in the users, then in
    the items; no step increases it. With ``l2 = sigma^2 / sigma_U^2`` that is the posterior's mode. The prior
    means, two unit vectors, give biases: near ``u = e_1`` the first entry of ``v`` is a bias of its item,
    near ``v = e_2`` the second of ``u`` one of its user. A step is full-batch: the ratings that ``init`` saw.

    Args:
        rank: entries of a factor, 2 or more.
        l2: positive.

    Raises:
        InputError: a rank below 2, or an ``l2`` that is not positive.

    >>> from jaxnets import train
    >>> rows = jnp.array([[0, 0], [0, 1], [1, 0]]), jnp.array([4.0, 2.0, 4.0])
    >>> model = pmf(num_users=2, num_items=2, rank=2, l2=0.01)
    >>> run = train.run(jax.random.key(0), model, rows, num_steps=20)
    >>> model.predict(run.state, rows[0]).round().tolist()
    [4.0, 2.0, 4.0]

    Reference: Salakhutdinov & Mnih 2007, equation 4; Koren, Bell & Volinsky, Matrix factorization techniques
    for recommender systems, 2009, for the biases.
    """
    check.count("rank", rank, 2)
    check.interval("l2", l2, check.POSITIVE)
    means = jnp.eye(rank)[:2]

    def init(key: Key, data: Batch) -> PMFState:
        factors = random_factors(key, num_users=num_users, num_items=num_items, rank=rank)
        factors = Factors(*(means[side][None] + part for side, part in enumerate(factors)))
        return PMFState(cut(data, num_users=num_users, num_items=num_items), factors)

    def step(key: Key, state: PMFState, batch: Batch) -> tuple[PMFState, Metrics]:
        (by_user, by_item, _), (users, items) = state
        precision = l2 * jnp.eye(rank)
        sums = gram(items, by_user, num_owners=num_users)
        away = sum(jnp.sum((f - m[None]) ** 2) for f, m in zip(state.factors, means, strict=True))
        loss = (squared_error(users, sums) + l2 * away) / len(batch.targets)
        users = _mode(sums, means[0], precision)
        items = _mode(gram(users, by_item, num_owners=num_items), means[1], precision)
        return state._replace(factors=Factors(users, items)), {"loss": loss}

    def predict(state: PMFState, pairs: Int[Array, "n 2"]) -> Float[Array, " n"]:
        return state.ratings.mean + products(state.factors, pairs)

    return Learner(init, step, predict)


def random_factors(key: Key, *, num_users: int, num_items: int, rank: int) -> Factors:
    """Small normal factors, to break the symmetry of the rank."""
    user_key, item_key = jax.random.split(key)
    return Factors(
        0.1 * jax.random.normal(user_key, (num_users, rank)),
        0.1 * jax.random.normal(item_key, (num_items, rank)),
    )


def cut(data: Batch, *, num_users: int, num_items: int) -> Ratings:
    """Ratings without their mean, in blocks by user and by item."""
    check_rows.labels(data.inputs[:, 0], num_users, name="users")
    check_rows.labels(data.inputs[:, 1], num_items, name="items")
    mean = jnp.mean(data.targets)
    centred = Batch(jnp.asarray(data.inputs), data.targets - mean)
    by_user = blocks(centred, by=0, num_owners=num_users)
    return Ratings(by_user, blocks(centred, by=1, num_owners=num_items), mean)


def conditional(
    sums: Float[Array, "n e e"],
    mean: Float[Array, " k"],
    precision: Float[Array, "k k"],
    noise_precision: Scalar = 1.0,
    normal: Float[Array, "n k"] | None = None,
) -> tuple[Float[Array, "n k"], Float[Array, "n k k"]]:
    """Mean of each owner's normal conditional (a draw, with ``normal``), and the root of its precision.

    ``P = Lambda + alpha sum v v' = L L'``, ``mean = P^-1 (Lambda mu + alpha sum r v)``; ``sums`` are
    :func:`~jaxnets.models.rating_blocks.gram`'s. With standard normal numbers ``z`` in the place of None,
    ``mean + L'^-1 z`` stands in the place of the mean.
    """
    linear = (precision @ mean)[None] + noise_precision * sums[:, :-1, -1]
    root = jnp.linalg.cholesky(precision[None] + noise_precision * sums[:, :-1, :-1])
    half = solve_triangular(root, linear[..., None], lower=True)
    half = half if normal is None else half + normal[..., None]
    return solve_triangular(root, half, lower=True, trans=1)[..., 0], root


def squared_error(factors: Float[Array, "n k"], sums: Float[Array, "n e e"]) -> Float[Array, ""]:
    """``sum (r - u'v)^2`` over all ratings: ``(u, -1)`` times the sums times ``(u, -1)``."""
    signed = jnp.concatenate([factors, -jnp.ones((len(factors), 1))], axis=1)
    return jnp.einsum("nk,nkl,nl->", signed, sums, signed)


def products(factors: Factors, pairs: Int[Array, "n 2"]) -> Float[Array, " n"]:
    """``u'v`` of each pair."""
    return jnp.sum(factors.users[pairs[:, 0]] * factors.items[pairs[:, 1]], axis=1)


def _mode(
    sums: Float[Array, "n e e"], mean: Float[Array, " k"], precision: Float[Array, "k k"]
) -> Float[Array, "n k"]:
    return conditional(sums, mean, precision)[0]
