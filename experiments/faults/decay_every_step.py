"""A rate that is to fall by a tenth every ten passes, and does so every step: soon none is left.

Source: questions about ``exponential_decay``, whose unit of time is the step.
Symptom: the loss falls for a moment and stays where it is.
"""

from __future__ import annotations

import flax.linen as nn
import optax

from experiments.faults._data import scaled_table
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import squared_error
from experiments.faults._networks import mean_square, of_module
from jaxnets.diagnose import Problem


class House(nn.Module):
    """One hidden layer."""

    @nn.compact
    def __call__(self, x):
        """The price."""
        return nn.Dense(1)(nn.tanh(nn.Dense(16)(x)))


def problem(steps) -> Problem:
    """Prices in ten thousands, 50 suburbs a step, 80 passes."""
    x, y = scaled_table("boston")
    rate = optax.exponential_decay(0.02, transition_steps=steps, decay_rate=0.9)
    data = (x, (y[:, None] / 10).astype("float32"))
    return of_module(House(), mean_square, data, optimizer=optax.sgd(rate), batch_size=50, num_steps=800)


def broken() -> Problem:
    """Every step."""
    return problem(1)


def repaired() -> Problem:
    """Every 100 steps, which are ten passes."""
    return problem(100)


FAULT = Fault(
    broken, "step-too-small", repaired, task="regression",
    equivalents=("stopped-too-early", "plateau"),
    symptom=Figure(squared_error, at_least=0.5), reaches=Figure(squared_error, at_most=0.25),
)  # fmt: skip
