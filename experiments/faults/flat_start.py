"""Exclusive or by two sigmoids from weights near 0: the loss is flat at 1/4 for thousands of steps.

Source: Rumelhart, Hinton & Williams 1986; the question why a 2-2-1 network does not learn XOR.
Symptom: the squared error stays at 0.25.
"""

from __future__ import annotations

import jax
import numpy as np
import optax

from experiments.faults._data import column
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import loss, sided
from experiments.faults._networks import dense, forward, mean_square, supervised
from jaxnets.diagnose import Problem


def corners():
    """Of the unit square, 40 times each."""
    points = np.tile([[0, 0], [0, 1], [1, 0], [1, 1]], (40, 1)).astype(np.float32)
    return points, column(points[:, 0] != points[:, 1])


def problem(gain, **training) -> Problem:
    """Sigmoids throughout."""
    return supervised(
        lambda key: dense(key, (2, 4, 1), gain=gain),
        lambda params, x: jax.nn.sigmoid(forward(params, x, jax.nn.sigmoid)), mean_square, corners(),
        **training,
    )  # fmt: skip


def broken() -> Problem:
    """Deviation 0.05."""
    return problem(0.05, learning_rate=0.5, num_steps=1000)


def repaired() -> Problem:
    """Deviation 3, and Adam."""
    return problem(3.0, optimizer=optax.adam(0.05), num_steps=1000)


FAULT = Fault(
    broken, "plateau", repaired, task="classification",
    equivalents=("stopped-too-early", "step-too-small", "identical-units", "vanishing-gradient"),
    symptom=Figure(loss, at_least=0.249, at_most=0.251), reaches=Figure(sided(0.5), at_least=1.0),
)  # fmt: skip
