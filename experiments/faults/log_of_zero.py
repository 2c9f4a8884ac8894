"""Counts of each day as their logarithms: days without any are minus infinity.

Source: questions about forecasts of sales; Goodfellow, Bengio, Courville, Deep Learning, 4.1.
Symptom: NaN predictions.
"""

from __future__ import annotations

import flax.linen as nn
import numpy as np
import optax

from experiments.faults._data import column
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import not_finite, squared_error
from experiments.faults._networks import mean_square, of_module
from jaxnets.diagnose import Problem


class Forecast(nn.Module):
    """The last state of a GRU, and a line of it."""

    @nn.compact
    def __call__(self, x):
        """The next day's value."""
        return nn.Dense(1)(nn.RNN(nn.GRUCell(8))(x)[:, -1])


def problem(transform) -> Problem:
    """Eight days of sales, and the ninth."""
    generator = np.random.default_rng(0)
    level = generator.uniform(0.5, 8, (300, 1))
    sales = generator.poisson(level * np.ones((1, 8)))
    return of_module(
        Forecast(), mean_square, (transform(sales)[..., None].astype(np.float32), column(level[:, 0] / 4)),
        optimizer=optax.adam(0.02), num_steps=150,
    )  # fmt: skip


def broken() -> Problem:
    """log n."""
    with np.errstate(divide="ignore"):
        return problem(np.log)


def repaired() -> Problem:
    """log(1 + n)."""
    return problem(np.log1p)


FAULT = Fault(
    broken, "non-finite-data", repaired, task="sequence",
    symptom=Figure(not_finite, at_least=0.9), reaches=Figure(squared_error, at_most=0.3),
)  # fmt: skip
