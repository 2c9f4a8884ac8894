"""Inputs divided by the maximum of the rows that happen to be given, inside ``predict``.

Source: questions about a model that is right on the test set and wrong on a single row.
Symptom: alone, every house has the same price.
"""

from __future__ import annotations

import numpy as np
import optax

from experiments.faults._data import column
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import squared_error
from experiments.faults._networks import dense, forward, mean_square, supervised
from jaxnets.diagnose import Problem


def houses():
    """Area, rooms, age; price."""
    generator = np.random.default_rng(0)
    x = generator.uniform((40, 1, 1), (200, 8, 90), (400, 3)).astype(np.float32)
    return x, column(x[:, 0] / 50 + 0.2 * x[:, 1] - 0.01 * x[:, 2])


def problem(largest) -> Problem:
    """A network of inputs over the largest."""
    return supervised(
        lambda key: dense(key, (3, 16, 1)), lambda params, x: forward(params, x / largest(x)),
        mean_square, houses(), optimizer=optax.adam(0.01), batch_size=50, num_steps=400,
    )  # fmt: skip


def broken() -> Problem:
    """Of these rows."""
    return problem(lambda x: x.max(axis=0, keepdims=True))


def repaired() -> Problem:
    """Of the training rows."""
    found = houses()[0].max(axis=0, keepdims=True)
    return problem(lambda x: found)


def alone(problem, params):
    """Largest difference between prices of houses that are predicted alone."""
    return float(
        np.ptp([float(problem.predict(params, problem.data.inputs[i : i + 1])[0, 0]) for i in range(20)])
    )


FAULT = Fault(
    broken, "single-batch-mismatch", repaired, task="regression", equivalents=("batch-dependence",),
    symptom=Figure(alone, at_most=1e-5), reaches=Figure(squared_error, at_most=0.05),
)  # fmt: skip
