"""Customers' features in order of first purchase, their segments in order of the id: joined by position.

Source: Stack Overflow, ``groupby(...).mean()`` with ``sort=False`` beside a label file that is sorted.
Symptom: accuracy as by guessing on training rows, with any model.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import accuracy
from experiments.faults._networks import cross_entropy, supervised
from jaxnets.diagnose import Problem


def problem(joined_by_id: bool) -> Problem:
    """Four segments of customers."""
    rng = np.random.default_rng(31)
    n = 480
    first_seen = rng.permutation(n)
    segment = rng.integers(0, 4, n)
    centres = np.array([[2, 2, 0, 0, 1], [-2, 1, 2, 0, -1], [0, -2, -1, 2, 0], [1, -1, -1, -2, -2]], float)
    by_id = centres[segment] + 0.7 * rng.normal(size=(n, 5))
    table = by_id[first_seen]
    table = (table - table.mean(0)) / table.std(0)
    labels = segment[first_seen] if joined_by_id else segment

    def init(key):
        return {"W": 0.01 * jax.random.normal(key, (5, 4)), "b": jnp.zeros(4)}

    def predict(params, x):
        return x @ params["W"] + params["b"][None]

    return supervised(
        init, predict, cross_entropy, (table, labels), learning_rate=0.5, batch_size=48, num_steps=300
    )


def broken() -> Problem:
    """By position."""
    return problem(False)


def repaired() -> Problem:
    """By id."""
    return problem(True)


FAULT = Fault(
    broken,
    "labels-misaligned",
    repaired,
    task="classification",
    symptom=Figure(accuracy, at_most=0.42),
    reaches=Figure(accuracy, at_least=0.95),
)
