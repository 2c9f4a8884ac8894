"""Digits in the order of a folder for each class, in batches of 50: every batch holds one digit.

Source: questions about training from folders without shuffling; Bottou 2012, Stochastic gradient descent
tricks.
Symptom: it predicts what it saw last.
"""

from __future__ import annotations

import numpy as np

from experiments.faults._data import digits
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import accuracy
from experiments.faults._networks import cross_entropy, of_module
from jaxnets.diagnose import Problem
from jaxnets.models import MLP


def problem(order) -> Problem:
    """A thousand digits in this order."""
    x, labels = digits()
    rows = order(labels)
    return of_module(
        MLP(widths=(32,), num_outputs=10), cross_entropy, (x[rows], labels[rows]),
        learning_rate=0.5, batch_size=50, num_steps=400,
    )  # fmt: skip


def broken() -> Problem:
    """Zeros first, nines last."""
    return problem(lambda labels: np.argsort(labels, kind="stable"))


def repaired() -> Problem:
    """As they were drawn."""
    return problem(lambda labels: np.arange(len(labels)))


FAULT = Fault(
    broken, "unshuffled-batches", repaired, task="classification",
    symptom=Figure(accuracy, at_most=0.6), reaches=Figure(accuracy, at_least=0.95),
)  # fmt: skip
