"""A flax nn.RNN told that the arrays are (time, batch, features); they are (batch, time, features).

Source: a forum, from somebody who moved a recurrent net from another framework.
Symptom: every sequence is classified as if it had seen only its last sample; the test score depends on
the batch.
"""

from __future__ import annotations

import flax.linen as nn
import numpy as np
import optax

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import accuracy
from experiments.faults._networks import cross_entropy, of_module
from jaxnets.diagnose import Problem


class Reader(nn.Module):
    """A recurrent layer and a head."""

    time_major: bool

    @nn.compact
    def __call__(self, x):
        states = nn.RNN(nn.GRUCell(features=16), time_major=self.time_major)(x)
        return nn.Dense(3)(states[:, -1])


def data():
    """Which of three steps of a noisy walk had the largest jump of the first channel."""
    rng = np.random.default_rng(5)
    x = 0.3 * rng.normal(size=(900, 6, 2))
    y = rng.integers(0, 3, 900)
    x[np.arange(900), 2 * y, 0] += 2.0
    x = ((x - x.mean((0, 1))) / x.std((0, 1))).astype(np.float32)
    return (x[:600], y[:600]), (x[600:], y[600:])


def problem(time_major: bool) -> Problem:
    """Either."""
    train, test = data()
    return of_module(
        Reader(time_major),
        cross_entropy,
        train,
        test=test,
        optimizer=optax.adam(5e-3),
        batch_size=60,
        num_steps=500,
    )


def broken() -> Problem:
    """As it was written."""
    return problem(True)


def repaired() -> Problem:
    """Mended."""
    return problem(False)


FAULT = Fault(
    broken,
    "batch-dependence",
    repaired,
    task="sequence",
    symptom=Figure(accuracy, at_most=0.7),
    reaches=Figure(accuracy, at_least=0.95),
    equivalents=("single-batch-mismatch",),
)
