"""Classes numbered from 1, as the file has them; ``one_hot(labels, 3)`` makes a row of zeros of each 3.

Source: questions about UCI's wines, whose classes are 1, 2, 3.
Symptom: the third class is never predicted, two thirds are right at best.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import optax

from experiments.faults._data import scaled_table
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import accuracy
from experiments.faults._networks import dense, forward, supervised
from jaxnets.diagnose import Problem


def cost(logits, labels):
    """Cross-entropy with one-hot labels."""
    return -jnp.mean(jnp.sum(jax.nn.one_hot(labels, 3) * jax.nn.log_softmax(logits), axis=1))


def problem(first) -> Problem:
    """Wines whose classes are numbered from ``first``."""
    x, labels = scaled_table("wine")
    return supervised(
        lambda key: dense(key, (13, 10, 3)), forward, cost, (x, labels + first),
        optimizer=optax.adam(0.02), num_steps=200,
    )  # fmt: skip


def broken() -> Problem:
    """From 1."""
    return problem(1)


def repaired() -> Problem:
    """From 0."""
    return problem(0)


FAULT = Fault(
    broken, "labels-out-of-range", repaired, task="classification",
    symptom=Figure(accuracy, at_most=0.75), reaches=Figure(accuracy, at_least=0.97),
)  # fmt: skip
