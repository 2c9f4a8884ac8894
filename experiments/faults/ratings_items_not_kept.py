"""Matrix factorisation by hand, steps with ``.at[].add``: the items' line forgets to keep its result.

Source: a forum question of a person who moves a NumPy recommender to jax.
Symptom: the error on ratings falls a little and stays far above what the tutorial shows.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import squared_error
from jaxnets.diagnose import Problem

USERS, ITEMS, RANK = 60, 40, 6


def _ratings():
    rng = np.random.default_rng(11)
    p, q = rng.normal(size=(USERS, 2)), rng.normal(size=(ITEMS, 2))
    pairs = np.stack(np.meshgrid(np.arange(USERS), np.arange(ITEMS)), -1).reshape(-1, 2)
    pairs = pairs[rng.permutation(len(pairs))[:1200]]
    y = np.sum(p[pairs[:, 0]] * q[pairs[:, 1]], axis=1) / np.sqrt(2) + 0.1 * rng.normal(size=len(pairs))
    return pairs.astype(np.int32), y.astype(np.float32)


def problem(kept: bool) -> Problem:
    """Users and items of six factors."""

    def init(key):
        one, two = jax.random.split(key)
        # the items start small
        return {
            "P": 0.5 * jax.random.normal(one, (USERS, RANK)),
            "Q": 0.05 * jax.random.normal(two, (ITEMS, RANK)),
        }

    def predict(params, x):
        return jnp.sum(params["P"][x[:, 0]] * params["Q"][x[:, 1]], axis=1)

    def loss(params, x, y):
        return jnp.mean((predict(params, x) - y) ** 2)

    def update(params, x, y):
        P, Q = params["P"], params["Q"]
        e = y - predict(params, x)
        u, i = x[:, 0], x[:, 1]
        gp, gq = e[:, None] * Q[i], e[:, None] * P[u]
        P = P.at[u].add(0.05 * gp)
        if kept:
            Q = Q.at[i].add(0.05 * gq)
        else:
            Q.at[i].add(0.05 * gq)
        return {"P": P, "Q": Q}

    return Problem(init, predict, loss, _ratings(), update=update, batch_size=60, num_steps=1000)


def broken() -> Problem:
    """The items' new factors are dropped."""
    return problem(False)


def repaired() -> Problem:
    """They are kept."""
    return problem(True)


FAULT = Fault(
    broken,
    "frozen-parameters",
    repaired,
    task="regression",
    symptom=Figure(squared_error, at_least=0.5),
    reaches=Figure(squared_error, at_most=0.1),
)
