"""Non-negative factors (softplus of free numbers) fitted to ratings from which the mean was taken off.

Source: a notebook on recommenders: first plain factorisation on centred ratings, then "now non-
negative".
Symptom: the error of the ratings below the mean does not fall at all; about half is never explained.
"""

from __future__ import annotations

import jax
import numpy as np
import optax

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import squared_error
from experiments.faults._networks import mean_square, supervised
from jaxnets.diagnose import Problem

USERS, ITEMS, RANK = 40, 30, 4


def _ratings(centred):
    rng = np.random.default_rng(21)
    p, q = rng.gamma(1, 1, (USERS, 3)), rng.gamma(1, 1, (ITEMS, 3))
    pairs = rng.permutation(USERS * ITEMS)
    x = np.stack([pairs // ITEMS, pairs % ITEMS], 1).astype(np.int32)
    y = (p[x[:, 0]] * q[x[:, 1]]).sum(1) + 0.1 * rng.normal(size=len(pairs))
    if centred:
        y = y - y[:1000].mean()
    y = (y / y[:1000].std()).astype(np.float32)
    return (x[:1000], y[:1000]), (x[1000:], y[1000:])


def _init(key):
    first, second = jax.random.split(key)
    return {
        "users": 0.5 * jax.random.normal(first, (USERS, RANK)) - 0.5,
        "items": 0.5 * jax.random.normal(second, (ITEMS, RANK)) - 0.5,
    }


def _predict(params, x):
    user = jax.nn.softplus(params["users"])[x[:, 0]]
    item = jax.nn.softplus(params["items"])[x[:, 1]]
    return (user * item).sum(axis=1)


def _problem(centred):
    data, test = _ratings(centred)
    return supervised(
        _init,
        _predict,
        mean_square,
        data,
        test=test,
        optimizer=optax.adam(0.03),
        batch_size=100,
        num_steps=800,
    )


def broken() -> Problem:
    """As it was written."""
    return _problem(centred=True)


def repaired() -> Problem:
    """Mended."""
    return _problem(centred=False)


FAULT = Fault(
    broken,
    "targets-outside-range",
    repaired,
    task="regression",
    symptom=Figure(squared_error, at_least=0.25),
    reaches=Figure(squared_error, at_most=0.08),
)
