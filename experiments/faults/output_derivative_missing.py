"""Sigmoid outputs with the quadratic cost, but the output layer's delta is that of the cross-entropy.

Source: Ng's exercise 4, 400-25-10, whose ``delta = a - y`` was kept when the cost was exchanged.
Symptom: it learns something else than its cost says: a numerical check of the gradient fails.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from experiments.faults._data import large_digits, one_hot
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import accuracy, gradient_error
from experiments.faults._networks import dense
from jaxnets.diagnose import Problem


def rows():
    """The middle 20 x 20 pixels, in which the digits are."""
    x, labels = large_digits()
    return x.reshape(-1, 28, 28)[:, 4:24, 4:24].reshape(-1, 400), one_hot(labels, 10)


def init(key):
    """400-25-10."""
    return dense(key, (400, 25, 10))


def activations(params, x):
    """Of both layers."""
    one, two = params
    a1 = jax.nn.sigmoid(x @ one["w"] + one["b"][None])
    return a1, jax.nn.sigmoid(a1 @ two["w"] + two["b"][None])


def predict(params, x):
    """Of the last."""
    return activations(params, x)[1]


def loss(params, x, y):
    """Half the squared distance a row."""
    return 0.5 * jnp.sum((predict(params, x) - y) ** 2) / len(x)


def gradient(params, x, y):
    """Backpropagation."""
    a1, a2 = activations(params, x)
    d2 = (a2 - y) / len(x)
    d1 = d2 @ params[1]["w"].T * a1 * (1 - a1)
    return [{"w": x.T @ d1, "b": d1.sum(axis=0)}, {"w": a1.T @ d2, "b": d2.sum(axis=0)}]


def broken() -> Problem:
    """As asked."""
    return Problem(
        init, predict, loss, rows(), gradient=gradient, learning_rate=2.0, batch_size=100, num_steps=400
    )


def repaired() -> Problem:
    """By jax."""
    return broken().replace(gradient=None, num_steps=1000)


FAULT = Fault(
    broken, "wrong-gradient", repaired, task="classification",
    symptom=Figure(gradient_error, at_least=0.5), reaches=Figure(accuracy, at_least=0.9),
)  # fmt: skip
