"""Backpropagation by matrices whose transposes became reshapes: the sizes fit, the numbers are mixed up.

Source: a question about Nielsen, Neural Networks and Deep Learning, chapter 2, with a batch in
one matrix: 784-30-10, sigmoid units, quadratic cost.
Symptom: accuracy stays at 9 to 10 %.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from experiments.faults._data import large_digits, one_hot
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import accuracy
from jaxnets.diagnose import Problem


def init(key):
    """Normal weights with a row for each unit, biases as columns, as in the book."""
    one, two = jax.random.split(key)
    return {
        "w1": jax.random.normal(one, (30, 784)), "b1": jnp.zeros((30, 1)),
        "w2": jax.random.normal(two, (10, 30)), "b2": jnp.zeros((10, 1)),
    }  # fmt: skip


def feed_forward(p, x):
    """Activations of both layers, a column an example."""
    hidden = jax.nn.sigmoid(p["w1"] @ x.T + p["b1"])
    return hidden, jax.nn.sigmoid(p["w2"] @ hidden + p["b2"])


def predict(p, x):
    """A row an example."""
    return feed_forward(p, x)[1].T


def quadratic_cost(p, x, y):
    """Half the squared distance, averaged over the batch."""
    return 0.5 * jnp.sum((predict(p, x) - y) ** 2) / len(x)


def backprop(p, x, y):
    """The gradient as it was written."""
    hidden, out = feed_forward(p, x)
    delta2 = (out - y.T) * out * (1 - out) / len(x)
    delta1 = p["w2"].reshape(30, 10) @ delta2 * hidden * (1 - hidden)
    return {
        "w1": delta1 @ x, "b1": delta1.sum(axis=1, keepdims=True),
        "w2": delta2 @ hidden.reshape(-1, 30), "b2": delta2.sum(axis=1, keepdims=True),
    }  # fmt: skip


def broken() -> Problem:
    """By hand."""
    x, labels = large_digits()
    data = (x, one_hot(labels, 10))
    return Problem(
        init,
        predict,
        quadratic_cost,
        data,
        gradient=backprop,
        learning_rate=3.0,
        batch_size=20,
        num_steps=1500,
    )


def repaired() -> Problem:
    """By jax."""
    return broken().replace(gradient=None)


FAULT = Fault(
    broken, "wrong-gradient", repaired, task="classification",
    symptom=Figure(accuracy, at_least=0.06, at_most=0.14), reaches=Figure(accuracy, at_least=0.85),
)  # fmt: skip
