"""One against all, whose labels 0, 1, 2 go into the binary cross-entropy as if they were probabilities.

Source: a question about logistic regression for the irises, three outputs.
Symptom: the loss falls without end below 0, the outputs all say yes.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from experiments.faults._data import one_hot, scaled_table
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import accuracy
from experiments.faults._figures import loss as final_loss
from jaxnets.diagnose import Problem


def init(key):
    """Small weights."""
    return {"w": 0.01 * jax.random.normal(key, (4, 3)), "b": jnp.zeros(3)}


def scores(p, x):
    """One a class."""
    return x @ p["w"] + p["b"][None]


def predict(p, x):
    """A probability a class."""
    return jax.nn.sigmoid(scores(p, x))


def cross_entropy(p, x, y):
    """``-y log h - (1 - y) log(1 - h)``."""
    z = scores(p, x)
    return jnp.mean(-y * jax.nn.log_sigmoid(z) - (1 - y) * jax.nn.log_sigmoid(-z))


def broken() -> Problem:
    """The labels as a column, once for each output."""
    x, labels = scaled_table("iris")
    y = jnp.repeat(labels[:, None], 3, axis=1)
    return Problem(init, predict, cross_entropy, (x, y), learning_rate=0.5, num_steps=300)


def repaired() -> Problem:
    """One-hot."""
    x, labels = scaled_table("iris")
    return Problem(init, predict, cross_entropy, (x, one_hot(labels, 3)), learning_rate=0.5, num_steps=300)


FAULT = Fault(
    broken, "labels-out-of-range", repaired, task="classification",
    equivalents=("targets-outside-range", "loss-not-minimal-at-target"),
    symptom=Figure(final_loss, at_most=-1.0), reaches=Figure(accuracy, at_least=0.8),
)  # fmt: skip
