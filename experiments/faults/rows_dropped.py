"""Rows with a gap are dropped from the inputs, not from the targets, which are cut to the same length.

Source: a question with pandas: X = X.dropna(); y = y[:len(X)] "because fit complained about the
lengths".
Symptom: the training error hardly moves, and the predictions are nearly the mean; a tree does no
better.
"""

from __future__ import annotations

import numpy as np
import optax

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import squared_error
from experiments.faults._networks import dense, forward, mean_square, supervised
from jaxnets.diagnose import Problem


def _houses(dropped_both):
    rng = np.random.default_rng(9)
    x = rng.normal(size=(800, 4))
    y = (
        1.2 * x[:, 0]
        - 0.8 * x[:, 1]
        + 0.6 * np.sin(2 * x[:, 2])
        + 0.3 * x[:, 3] ** 2
        + 0.1 * rng.normal(size=800)
    )
    gaps = rng.random(800) < 0.06
    x[gaps, 2] = np.nan
    whole = ~np.isnan(x).any(axis=1)
    x = x[whole]
    y = y[whole] if dropped_both else y[: len(x)]
    x = ((x - x.mean(0)) / x.std(0)).astype(np.float32)
    y = ((y - y.mean()) / y.std()).astype(np.float32)[:, None]
    return (x[:600], y[:600]), (x[600:], y[600:])


def _problem(dropped_both):
    data, test = _houses(dropped_both)
    return supervised(
        lambda key: dense(key, (4, 16, 1)),
        forward,
        mean_square,
        data,
        test=test,
        optimizer=optax.adam(5e-3),
        batch_size=60,
        num_steps=500,
    )


def broken() -> Problem:
    """As it was written."""
    return _problem(dropped_both=False)


def repaired() -> Problem:
    """Mended."""
    return _problem(dropped_both=True)


FAULT = Fault(
    broken,
    "labels-misaligned",
    repaired,
    task="regression",
    symptom=Figure(squared_error, at_least=0.9),
    reaches=Figure(squared_error, at_most=0.15),
)
