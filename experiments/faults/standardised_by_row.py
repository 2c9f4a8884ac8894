"""Logistic model of "sold within a month": every row is standardised (axis=1) in place of every column.

Source: Stack Overflow, "I did scale my data and still it does not converge".
Symptom: the loss stays near ln 2; the one large column makes all rows the same after their scaling.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import sided
from jaxnets.diagnose import Problem


def problem(axis: int) -> Problem:
    """Whether a house is sold within a month."""
    rng = np.random.default_rng(51)
    n = 500
    price, area = rng.normal(300_000, 60_000, n), rng.normal(120, 30, n)
    rooms, age, distance = rng.integers(1, 8, n), rng.uniform(0, 80, n), rng.exponential(9.0, n)
    X = np.column_stack([price, area, rooms, age, distance])
    z = (X - X.mean(0)) / X.std(0)
    y = (z @ np.array([-2.0, 3.0, 1.5, -2.0, -2.5]) + 0.3 + 0.5 * rng.logistic(size=n) > 0).astype(np.float32)
    X = (X - X.mean(axis=axis, keepdims=True)) / X.std(axis=axis, keepdims=True)

    def init(key):
        return {"w": 0.01 * jax.random.normal(key, (5,)), "b": jnp.zeros(())}

    def predict(params, x):
        return jax.nn.sigmoid(x @ params["w"] + params["b"])

    def loss(params, x, y):
        p = jnp.clip(predict(params, x), 1e-7, 1 - 1e-7)
        return -jnp.mean(y * jnp.log(p) + (1 - y) * jnp.log(1 - p))

    return Problem(init, predict, loss, (X, y), learning_rate=0.5, num_steps=500, output="probabilities")


def broken() -> Problem:
    """By row."""
    return problem(1)


def repaired() -> Problem:
    """By column."""
    return problem(0)


FAULT = Fault(
    broken,
    "inputs-unscaled",
    repaired,
    task="classification",
    symptom=Figure(sided(0.5), at_most=0.7),
    reaches=Figure(sided(0.5), at_least=0.88),
    equivalents=("inputs-constant",),
)
