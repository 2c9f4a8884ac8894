"""Backpropagation through time by hand that stops after one step: the state before counts as given.

Source: recurrences from scratch; Goodfellow, Bengio, Courville, Deep Learning, 10.2.2.
Symptom: the gradient of the recurrent weights is not that of the loss.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from experiments.faults._data import sums
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import gradient_error, squared_error
from jaxnets.diagnose import Problem

UNITS = 12


def init(key):
    """Normal, the state's weights orthogonal."""
    a, b, c = jax.random.split(key, 3)
    return {
        "u": 0.5 * jax.random.normal(a, (1, UNITS)),
        "w": 0.9 * jax.random.orthogonal(b, UNITS),
        "v": jax.random.normal(c, (UNITS, 1)) / UNITS**0.5,
    }


def states(p, x):
    """After every number, ``[t, n, units]``, the zeros before the first in front."""

    def step(h, now):
        h = jnp.tanh(now @ p["u"] + h @ p["w"])
        return h, h

    start = jnp.zeros((len(x), UNITS))
    return jnp.concatenate([start[None], jax.lax.scan(step, start, x.swapaxes(0, 1))[1]])


def predict(p, x):
    """From the last state."""
    return states(p, x)[-1] @ p["v"]


def loss(p, x, y):
    """Half the mean square."""
    return 0.5 * jnp.mean((predict(p, x) - y) ** 2)


def gradient(p, x, y):
    """One step back."""
    h = states(p, x)
    out = (h[-1] @ p["v"] - y) / len(x)
    delta = out @ p["v"].T * (1 - h[-1] ** 2)
    return {"u": x[:, -1].T @ delta, "w": h[-2].T @ delta, "v": h[-1].T @ out}


def broken() -> Problem:
    """By hand."""
    return Problem(init, predict, loss, sums(length=8), gradient=gradient, learning_rate=0.2, num_steps=600)


def repaired() -> Problem:
    """By jax."""
    return broken().replace(gradient=None)


FAULT = Fault(
    broken, "wrong-gradient", repaired, task="sequence",
    symptom=Figure(gradient_error, at_least=0.3), reaches=Figure(squared_error, at_most=0.1),
)  # fmt: skip
