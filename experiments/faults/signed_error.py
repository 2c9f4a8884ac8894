"""The mean of ``prediction - target`` without a square: least when predictions fall without end.

Source: questions about a loss that becomes negative.
Symptom: the loss goes to minus infinity.
"""

from __future__ import annotations

import jax.numpy as jnp

from experiments.faults._data import bump
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import loss, squared_error
from experiments.faults._networks import dense, forward, mean_square, supervised
from jaxnets.diagnose import Problem


def problem(cost) -> Problem:
    """A curve by 16 units."""
    return supervised(
        lambda key: dense(key, (1, 16, 1), gain=2.0), forward, cost, bump(), learning_rate=0.1, num_steps=1500
    )


def broken() -> Problem:
    """No square."""
    return problem(lambda out, y: jnp.mean(out - y))


def repaired() -> Problem:
    """A square."""
    return problem(mean_square)


FAULT = Fault(
    broken, "loss-not-minimal-at-target", repaired, task="regression",
    symptom=Figure(loss, at_most=-10), reaches=Figure(squared_error, at_most=0.2),
)  # fmt: skip
