"""A derivative ``x.T * (1 - x)`` of a row: a matrix of all pairs of units instead of one number each.

Source: a question about a network of 20 hidden units for MNIST, trained for one epoch, an example a step.
Symptom: always the same class.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from experiments.faults._data import large_digits, one_hot
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import accuracy, commonest
from jaxnets.diagnose import Problem


def init(key):
    """Uniform in [-1, 1], no biases."""
    one, two = jax.random.split(key)
    return {
        "first": jax.random.uniform(one, (784, 20), minval=-1, maxval=1),
        "second": jax.random.uniform(two, (20, 10), minval=-1, maxval=1),
    }


def predict(p, x):
    """Two layers of sigmoids."""
    return jax.nn.sigmoid(jax.nn.sigmoid(x @ p["first"]) @ p["second"])


def loss(p, x, y):
    """Half the squared error, an example."""
    return 0.5 * jnp.sum((predict(p, x) - y) ** 2) / len(x)


def derivative(x):
    """Of a sigmoid whose value is the row x."""
    return x.T * (1 - x)


def one_example(p, x, y):
    """The gradient from one row."""
    x, y = x[None], y[None]
    hidden = jax.nn.sigmoid(x @ p["first"])
    out = jax.nn.sigmoid(hidden @ p["second"])
    delta = (out - y) @ derivative(out)
    return {"first": x.T @ (delta @ p["second"].T @ derivative(hidden)), "second": hidden.T @ delta}


def gradient(p, x, y):
    """The mean over the rows."""
    found = jax.vmap(one_example, (None, 0, 0))(p, x, y)
    return jax.tree.map(lambda leaf: leaf.mean(axis=0), found)


def broken() -> Problem:
    """As asked."""
    x, labels = large_digits((200,) * 10)
    data = (x, one_hot(labels, 10))
    return Problem(
        init, predict, loss, data, gradient=gradient, learning_rate=0.1, batch_size=1, num_steps=2000
    )


def repaired() -> Problem:
    """jax's gradient, smaller weights."""
    small = lambda key: jax.tree.map(lambda w: 0.1 * w, init(key))  # noqa: E731
    return broken().replace(init=small, gradient=None, learning_rate=0.5, num_steps=6000)


FAULT = Fault(
    broken, "wrong-gradient", repaired, task="classification", equivalents=("saturated-units",),
    symptom=Figure(commonest, at_least=0.95), reaches=Figure(accuracy, at_least=0.8),
)  # fmt: skip
