"""Every row divided by its own length, where a row is a single number: all inputs become 1.

Source: the default axis of scikit-learn's ``normalize``, taken for a scaling of columns.
Symptom: one prediction for all.
"""

from __future__ import annotations

import numpy as np
import optax

from experiments.faults._data import standardised
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import spread, squared_error
from experiments.faults._networks import dense, forward, mean_square, supervised
from jaxnets.diagnose import Problem


def heights():
    """Fathers and sons, in centimetres, less 100."""
    generator = np.random.default_rng(0)
    x = 175 + 7 * generator.normal(size=(400, 1))
    y = 176 + 0.8 * (x - 175) + 3 * generator.normal(size=(400, 1))
    return x.astype(np.float32), ((y - 176) / 7).astype(np.float32)


def problem(scale) -> Problem:
    """A small network of scaled heights."""
    x, y = heights()
    return supervised(
        lambda key: dense(key, (1, 8, 1)), forward, mean_square, (scale(x), y),
        optimizer=optax.adam(0.01), num_steps=200,
    )  # fmt: skip


def broken() -> Problem:
    """Rows of length 1."""
    return problem(lambda x: x / np.linalg.norm(x, axis=1, keepdims=True))


def repaired() -> Problem:
    """Columns of deviation 1."""
    return problem(standardised)


FAULT = Fault(
    broken, "inputs-constant", repaired, task="regression", equivalents=("constant-prediction",),
    symptom=Figure(spread, at_most=1e-6), reaches=Figure(squared_error, at_most=0.4),
)  # fmt: skip
