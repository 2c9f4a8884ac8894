"""Weights of deviation 1 into tanh units with 64 inputs: nearly all units begin at -1 or 1.

Source: ``random.normal(key, shape)`` as it comes; Glorot & Bengio 2010.
Symptom: it learns slowly and stays behind.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from experiments.faults._data import digits, standardised
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import accuracy
from experiments.faults._networks import cross_entropy, supervised
from jaxnets.diagnose import Problem

SIZES = (61, 100, 100, 10)  # three pixels are 0 in all digits


def predict(params, x):
    """tanh between."""
    for w, b in params[:-1]:
        x = jnp.tanh(x @ w + b[None])
    w, b = params[-1]
    return x @ w + b[None]


def problem(deviation) -> Problem:
    """Digits by layers that begin with this deviation."""

    def init(key):
        keys = jax.random.split(key, 3)
        shapes = zip(keys, SIZES[:-1], SIZES[1:], strict=True)
        return [(deviation(m) * jax.random.normal(k, (m, n)), jnp.zeros(n)) for k, m, n in shapes]

    x, labels = digits(1200)
    x = standardised(x)
    return supervised(
        init, predict, cross_entropy, (x[:1000], labels[:1000]), test=(x[1000:], labels[1000:]),
        learning_rate=0.1, batch_size=50, num_steps=300,
    )  # fmt: skip


def broken() -> Problem:
    """1."""
    return problem(lambda fan_in: 1.0)


def repaired() -> Problem:
    """1 / sqrt(fan in)."""
    return problem(lambda fan_in: fan_in**-0.5)


FAULT = Fault(
    broken, "saturated-units", repaired, task="classification", equivalents=("initial-loss-off",),
    symptom=Figure(accuracy, at_most=0.85), reaches=Figure(accuracy, at_least=0.92),
)  # fmt: skip
