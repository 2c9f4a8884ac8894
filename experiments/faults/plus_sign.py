"""``w + rate * gradient``: uphill.

Source: questions about gradient descent from scratch whose loss grows.
Symptom: the loss goes to infinity.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from experiments.faults._data import plane
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import loss as final_loss
from experiments.faults._figures import squared_error
from jaxnets.diagnose import Problem


def init(key):
    """Small weights, no bias yet."""
    return [0.1 * jax.random.normal(key, (3, 1)), jnp.zeros((1, 1))]


def predict(params, x):
    """A plane."""
    w, b = params
    return x @ w + b


def loss(params, x, y):
    """Mean square."""
    return jnp.mean((predict(params, x) - y) ** 2)


def stepped(sign):
    """An update."""

    def update(params, x, y):
        slopes = jax.grad(loss)(params, x, y)
        return [w + sign * 0.05 * slope for w, slope in zip(params, slopes, strict=True)]

    return update


def broken() -> Problem:
    """Plus."""
    return Problem(init, predict, loss, plane(), update=stepped(1), batch_size=50, num_steps=120)


def repaired() -> Problem:
    """Minus."""
    return broken().replace(update=stepped(-1))


FAULT = Fault(
    broken, "update-ascends", repaired, task="regression",
    symptom=Figure(final_loss, at_least=1e3), reaches=Figure(squared_error, at_most=0.05),
)  # fmt: skip
