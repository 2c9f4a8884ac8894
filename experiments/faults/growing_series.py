"""Forecasts of a growing series from its last values, as they are; the test is the end of the series.

Source: a statistics site, "my network predicts a flat line on the test period".
Symptom: good until the cut, and a flat line at the highest value of the training years after it.
"""

from __future__ import annotations

import flax.linen as nn
import numpy as np
import optax

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import squared_error
from experiments.faults._networks import mean_square, of_module
from jaxnets.diagnose import Problem

WINDOW = 12


class Net(nn.Module):
    """Of two hidden layers."""

    @nn.compact
    def __call__(self, x):
        x = nn.tanh(nn.Dense(24)(x))
        x = nn.tanh(nn.Dense(24)(x))
        return nn.Dense(1)(x)


def series():
    """A trend, a season and noise."""
    time = np.arange(900)
    rng = np.random.default_rng(30)
    return (
        0.03 * time
        + 2 * np.sin(2 * np.pi * time / 12)
        + np.sin(2 * np.pi * time / 31)
        + 0.1 * rng.normal(size=900)
    )


def levels():
    """Windows of levels."""
    values = series()
    rows = np.lib.stride_tricks.sliding_window_view(values, WINDOW + 1)
    return rows[:, :-1], rows[:, -1:]


def changes():
    """Windows of changes."""
    x, y = levels()
    return x[:, :-1] - x[:, -1:], y - x[:, -1:]


def problem(rows) -> Problem:
    """Either."""
    x, y = rows
    cut = 600
    x = (x - x[:cut].mean()) / x[:cut].std()
    y = (y - y[:cut].mean()) / y[:cut].std()
    x, y = x.astype(np.float32), y.astype(np.float32)
    mixed = np.random.default_rng(0).permutation(cut)
    return of_module(
        Net(),
        mean_square,
        (x[mixed], y[mixed]),
        test=(x[cut + WINDOW :], y[cut + WINDOW :]),
        optimizer=optax.adamw(3e-3, weight_decay=1e-4),
        batch_size=50,
        num_steps=600,
    )


def broken() -> Problem:
    """As it was written."""
    return problem(levels())


def repaired() -> Problem:
    """Mended."""
    return problem(changes())


FAULT = Fault(
    broken,
    "outside-training-range",
    repaired,
    task="sequence",
    symptom=Figure(squared_error, at_least=0.5),
    reaches=Figure(squared_error, at_most=0.1),
)
