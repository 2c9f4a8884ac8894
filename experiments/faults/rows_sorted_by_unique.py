"""Repeated wines are removed by ``np.unique(x, axis=0)``, which sorts the rows; the labels stay as they were.

Source: questions about a classifier that is no better than chance after the data were cleaned.
Symptom: the test accuracy is that of guessing.
"""

from __future__ import annotations

import jax
import numpy as np

from experiments.faults._data import standardised, table
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import accuracy
from experiments.faults._networks import cross_entropy, supervised
from jaxnets.diagnose import Problem


def init(key):
    """Weights of 13 findings for 3 cultivars, their thresholds at the end, in one vector."""
    return 0.1 * jax.random.normal(key, (42,))


def logits(flat, x):
    """Softmax regression."""
    return x @ flat[:39].reshape(13, 3) + flat[None, 39:]


def problem(clean) -> Problem:
    """A third to test, in random order."""
    x, y = clean(*table("wine"))
    order = np.random.default_rng(6).permutation(len(y))
    x, y = standardised(x)[order], np.asarray(y, np.int32)[order]
    return supervised(
        init, logits, cross_entropy, (x[:120], y[:120]), test=(x[120:], y[120:]), learning_rate=0.3,
        num_steps=150,
    )  # fmt: skip


def broken() -> Problem:
    """As many rows as labels, by luck: none was repeated."""
    return problem(lambda x, y: (np.unique(x, axis=0), y))


def repaired() -> Problem:
    """The labels go with their rows."""

    def clean(x, y):
        x, kept = np.unique(x, axis=0, return_index=True)
        return x, y[kept]

    return problem(clean)


FAULT = Fault(
    broken, "labels-misaligned", repaired, task="classification",
    symptom=Figure(accuracy, at_most=0.6), reaches=Figure(accuracy, at_least=0.93),
)  # fmt: skip
