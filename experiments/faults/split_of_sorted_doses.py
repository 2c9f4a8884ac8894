"""Dose and response: the laboratory's table is sorted by dose, and the last quarter of it is held out.

Source: a bioinformatics forum, "r2 of 0.99 in training and below zero in the test".
Symptom: the net fits the training rows well and is far off on the test rows, all of which have higher doses.
"""

from __future__ import annotations

import numpy as np
import optax

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import squared_error
from experiments.faults._networks import dense, forward, mean_square, supervised
from jaxnets.diagnose import Problem


def problem(shuffled: bool) -> Problem:
    """The last quarter is held out."""
    rng = np.random.default_rng(71)
    dose = np.sort(rng.uniform(0, 8, 600))
    acidity, warm = rng.normal(size=(2, 600))
    # it helps up to a dose of 5, and harms above
    response = (
        1.2 * dose * np.exp(-((dose / 5.5) ** 4))
        + 0.3 * acidity
        + 0.2 * warm * dose / 4
        + 0.1 * rng.normal(size=600)
    )
    x, y = np.column_stack([dose, acidity, warm]), response[:, None]
    if shuffled:
        rows = rng.permutation(600)
        x, y = x[rows], y[rows]
    mean, deviation = x[:450].mean(0), x[:450].std(0)
    x = (x - mean) / deviation
    y = (y - y[:450].mean()) / y[:450].std()
    if not shuffled:  # the training rows are shuffled, as one does, after the split
        rows = rng.permutation(450)
        x[:450], y[:450] = x[rows], y[rows]
    return supervised(
        lambda key: dense(key, (3, 24, 1)),
        forward,
        mean_square,
        (x[:450], y[:450]),
        test=(x[450:], y[450:]),
        optimizer=optax.adam(0.01),
        batch_size=45,
        num_steps=700,
    )


def broken() -> Problem:
    """Of rows in order."""
    return problem(False)


def repaired() -> Problem:
    """Of shuffled rows."""
    return problem(True)


FAULT = Fault(
    broken,
    "outside-training-range",
    repaired,
    task="regression",
    symptom=Figure(squared_error, at_least=1.0),
    reaches=Figure(squared_error, at_most=0.1),
)
