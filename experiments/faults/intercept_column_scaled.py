"""Linear regression: the column of ones is put in front of the data, and then all columns are standardised.

Source: a course's forum, the exercise on housing prices in NumPy.
Symptom: the slopes look right, the predictions are all too low by the same amount.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import squared_error
from jaxnets.diagnose import Problem


def problem(ones_first: bool) -> Problem:
    """Prices by area, rooms and age."""
    rng = np.random.default_rng(3)
    area, rooms, age = rng.normal(120, 30, 400), rng.integers(1, 7, 400), rng.uniform(0, 60, 400)
    X = np.column_stack([area, rooms, age])
    y = 1.1 + 0.012 * area + 0.11 * rooms - 0.008 * age + 0.1 * rng.normal(size=400)
    ones = np.ones((400, 1))
    if ones_first:
        X = np.hstack([ones, X])
        X = (X - X.mean(axis=0)) / (X.std(axis=0) + 1e-8)
    else:
        X = np.hstack([ones, (X - X.mean(axis=0)) / X.std(axis=0)])

    def predict(w, x):
        return x @ w

    def loss(w, x, y):
        return jnp.mean((predict(w, x) - y) ** 2) / 2

    def gradient(w, x, y):
        return x.T @ (x @ w - y) / len(y)

    return Problem(
        lambda key: 0.1 * jax.random.normal(key, (4,)),
        predict,
        loss,
        (X, y),
        gradient=gradient,
        learning_rate=0.1,
        num_steps=300,
    )


def broken() -> Problem:
    """Ones first."""
    return problem(True)


def repaired() -> Problem:
    """Ones last."""
    return problem(False)


FAULT = Fault(
    broken,
    "missing-bias",
    repaired,
    task="regression",
    symptom=Figure(squared_error, at_least=3.0),
    reaches=Figure(squared_error, at_most=0.1),
    equivalents=("inputs-constant",),
)
