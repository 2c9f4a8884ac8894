"""Thirty patients, ten findings, 64 units and no penalty, for as long as the training error falls.

Source: Bishop, Pattern Recognition and Machine Learning, 1.1; Prechelt 1998, Early stopping - but when?
Symptom: no error on the thirty, on others one as large as the variance.
"""

from __future__ import annotations

import optax

from experiments.faults._data import column, scaled_table
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import squared_error
from experiments.faults._networks import dense, forward, mean_square, supervised
from jaxnets.diagnose import Problem


def problem(sizes, num_rows, optimizer, num_steps) -> Problem:
    """The diabetes' progression in deviations."""
    x, y = scaled_table("diabetes")
    y = column((y - 152) / 77)
    return supervised(
        lambda key: dense(key, sizes), forward, mean_square, (x[:num_rows], y[:num_rows]),
        valid=(x[300:], y[300:]), test=(x[300:], y[300:]), optimizer=optimizer, num_steps=num_steps,
    )  # fmt: skip


def broken() -> Problem:
    """By heart."""
    return problem((10, 64, 64, 1), 30, optax.adam(0.01), 500)


def repaired() -> Problem:
    """Three hundred, a line with a penalty."""
    return problem((10, 1), 300, optax.adamw(0.01, weight_decay=0.1), 300)


FAULT = Fault(
    broken, "overfitting", repaired, task="regression", equivalents=("train-smaller-than-test",),
    symptom=Figure(squared_error, at_least=0.9), reaches=Figure(squared_error, at_most=0.7),
)  # fmt: skip
