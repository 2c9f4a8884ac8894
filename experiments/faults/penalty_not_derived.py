"""Ridge regression whose loss has the penalty, and whose gradient by hand has not.

Source: CS231n's first assignment, where the regularisation is to be in both.
Symptom: the reported loss stays above the least one; weights are those without a penalty.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from experiments.faults._data import column, scaled_table
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import gradient_norm
from jaxnets.diagnose import Problem

STRENGTH = 2.0


def init(key):
    """Zeros."""
    return {"w": 0.1 * jax.random.normal(key, (10, 1)), "b": jnp.zeros(1)}


def predict(p, x):
    """A plane."""
    return x @ p["w"] + p["b"][None]


def loss(p, x, y):
    """Half the mean square and half the squared weights."""
    return 0.5 * jnp.mean((predict(p, x) - y) ** 2) + 0.5 * STRENGTH * jnp.sum(p["w"] ** 2)


def gradient(p, x, y):
    """Of the first part."""
    off = (predict(p, x) - y) / len(x)
    return {"w": x.T @ off, "b": off.sum(axis=0)}


def broken() -> Problem:
    """By hand."""
    x, y = scaled_table("diabetes")
    data = (x, column(y / 77))
    return Problem(init, predict, loss, data, gradient=gradient, learning_rate=0.2, num_steps=600)


def repaired() -> Problem:
    """By jax."""
    return broken().replace(gradient=None)


def slope_left(problem, params):
    """Length of the loss's own gradient at the end."""
    return gradient_norm(problem.replace(gradient=None), params)


FAULT = Fault(
    broken, "wrong-gradient", repaired, task="regression",
    symptom=Figure(slope_left, at_least=0.3), reaches=Figure(slope_left, at_most=1e-3),
)  # fmt: skip
