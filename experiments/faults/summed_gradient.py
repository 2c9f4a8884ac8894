"""A mean loss with a summed gradient: the rate is as many times too large as there are rows.

Source: questions about "the same rate as in the course" for a logistic regression from scratch.
Symptom: the loss jumps.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from experiments.faults._data import column, scaled_table
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import largest_weight, sided
from jaxnets.diagnose import Problem


def init(key):
    """Zeros."""
    return {"w": jnp.zeros((30, 1)), "b": jnp.zeros(1)}


def predict(p, x):
    """The logit."""
    return x @ p["w"] + p["b"][None]


def loss(p, x, y):
    """Mean cross-entropy."""
    z = predict(p, x)
    return jnp.mean(jax.nn.softplus(z) - y * z)


def gradient(p, x, y):
    """Summed over the rows."""
    off = jax.nn.sigmoid(predict(p, x)) - y
    return {"w": x.T @ off, "b": off.sum(axis=0)}


def broken() -> Problem:
    """By hand."""
    x, labels = scaled_table("breast_cancer")
    data = (x, column(labels))
    return Problem(init, predict, loss, data, gradient=gradient, learning_rate=0.1, num_steps=200)


def repaired() -> Problem:
    """By jax."""
    return broken().replace(gradient=None)


FAULT = Fault(
    broken, "wrong-gradient", repaired, task="classification", equivalents=("step-too-large",),
    symptom=Figure(largest_weight, at_least=10), reaches=Figure(sided(0.0), at_least=0.97),
)  # fmt: skip
