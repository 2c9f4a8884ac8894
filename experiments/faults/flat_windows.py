"""Each window of a meter's readings is divided by its own deviation, which is 0 where the meter stood still.

Source: questions about a forecast whose loss is NaN from the first step, though the file has no gaps.
Symptom: the loss is NaN.
"""

from __future__ import annotations

import flax.linen as nn
import numpy as np
import optax

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import not_finite, squared_error
from experiments.faults._networks import mean_square, of_module
from jaxnets.diagnose import Problem


class Forecast(nn.Module):
    """A GRU and a line."""

    @nn.compact
    def __call__(self, x):
        """The next reading of each window."""
        return nn.Dense(1)(nn.RNN(nn.GRUCell(12))(x)[:, -1])


def readings():
    """A daily wave that is cut off at 0, so at night nothing moves."""
    hours = np.arange(700)
    wave = np.sin(2 * np.pi * hours / 24) + 0.3 * np.sin(2 * np.pi * hours / 168)
    return np.maximum(wave, 0).astype(np.float32)


def problem(least) -> Problem:
    """Windows of eight hours, standardised one by one."""
    windows = np.lib.stride_tricks.sliding_window_view(readings(), 9)
    mean = windows[:, :8].mean(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        scaled = (windows - mean) / np.maximum(windows[:, :8].std(axis=1, keepdims=True), least)
    data = (scaled[:, :8, None], scaled[:, 8:])
    return of_module(Forecast(), mean_square, data, optimizer=optax.adam(0.01), num_steps=200)


def broken() -> Problem:
    """0 / 0."""
    return problem(0.0)


def repaired() -> Problem:
    """At least a tenth."""
    return problem(0.1)


FAULT = Fault(
    broken, "non-finite-data", repaired, task="sequence",
    symptom=Figure(not_finite, at_least=1.0), reaches=Figure(squared_error, at_most=0.4),
)  # fmt: skip
