"""The first 100 of the 150 irises to learn from, and the last 50 to test: they are sorted by their kind.

Source: questions about an accuracy of 0 on the irises.
Symptom: test accuracy 0.
"""

from __future__ import annotations

import numpy as np
import optax

from experiments.faults._data import scaled_table
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import accuracy
from experiments.faults._networks import cross_entropy, of_module
from jaxnets.diagnose import Problem
from jaxnets.models import MLP


def problem(order) -> Problem:
    """Irises in this order, cut after the hundredth."""
    x, labels = scaled_table("iris")
    x, labels = x[order(labels)], labels[order(labels)]
    return of_module(
        MLP(widths=(8,), num_outputs=3), cross_entropy, (x[:100], labels[:100]),
        test=(x[100:], labels[100:]), optimizer=optax.adam(0.02), num_steps=200,
    )  # fmt: skip


def broken() -> Problem:
    """By kind."""
    return problem(lambda labels: np.argsort(labels, kind="stable"))


def repaired() -> Problem:
    """By chance."""
    return problem(lambda labels: np.random.default_rng(0).permutation(len(labels)))


FAULT = Fault(
    broken, "classes-missing-from-train", repaired, task="classification",
    symptom=Figure(accuracy, at_most=0.0), reaches=Figure(accuracy, at_least=0.9),
)  # fmt: skip
