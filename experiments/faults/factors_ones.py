"""Matrix factorisation whose user and item factors begin as np.ones(...) / rank, all alike.

Source: a question about a recommender by hand ("more factors do not help, rank 8 is no better than rank
1").
Symptom: the error stays that of one factor, whatever the rank.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import squared_error
from experiments.faults._networks import mean_square, supervised
from jaxnets.diagnose import Problem

USERS, ITEMS, RANK = 30, 25, 6


def _ratings():
    rng = np.random.default_rng(8)
    p, q = rng.normal(size=(USERS, 4)), rng.normal(size=(ITEMS, 4))
    pairs = rng.permutation(USERS * ITEMS)
    user, item = pairs // ITEMS, pairs % ITEMS
    y = (p[user] * q[item]).sum(1) / 2 + 0.1 * rng.normal(size=len(pairs))
    x = np.stack([user, item], 1).astype(np.int32)
    y = y.astype(np.float32)
    return (x[:650], y[:650]), (x[650:], y[650:])


def _predict(params, x):
    return (params["p"][x[:, 0]] * params["q"][x[:, 1]]).sum(axis=1)


def _problem(init):
    data, test = _ratings()
    return supervised(
        init,
        _predict,
        mean_square,
        data,
        test=test,
        optimizer=optax.adamw(0.02, weight_decay=0.02),
        batch_size=65,
        num_steps=800,
    )


def broken() -> Problem:
    """As it was written."""
    return _problem(lambda key: {"p": jnp.ones((USERS, RANK)) / RANK, "q": jnp.ones((ITEMS, RANK)) / RANK})


def repaired() -> Problem:
    """Mended."""

    def init(key):
        first, second = jax.random.split(key)
        return {
            "p": 0.3 * jax.random.normal(first, (USERS, RANK)),
            "q": 0.3 * jax.random.normal(second, (ITEMS, RANK)),
        }

    return _problem(init)


FAULT = Fault(
    broken,
    "symmetric-init",
    repaired,
    task="regression",
    symptom=Figure(squared_error, at_least=0.5),
    reaches=Figure(squared_error, at_most=0.2),
    equivalents=("identical-units",),
)
