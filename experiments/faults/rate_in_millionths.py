"""Plain gradient descent at rate 1e-6, copied from a fine-tuning of a large model.

Source: questions about a loss that "does not move at all".
Symptom: after 300 steps the error is what it was.
"""

from __future__ import annotations

from experiments.faults._data import bump
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import squared_error
from experiments.faults._networks import dense, forward, mean_square, supervised
from jaxnets.diagnose import Problem


def problem(rate) -> Problem:
    """A curve by 16 units."""
    return supervised(
        lambda key: dense(key, (1, 16, 1), gain=2.0), forward, mean_square, bump(),
        learning_rate=rate, batch_size=50, num_steps=1500,
    )  # fmt: skip


def broken() -> Problem:
    """1e-6."""
    return problem(1e-6)


def repaired() -> Problem:
    """0.1."""
    return problem(0.1)


FAULT = Fault(
    broken, "step-too-small", repaired, task="regression", equivalents=("stopped-too-early",),
    symptom=Figure(squared_error, at_least=0.9), reaches=Figure(squared_error, at_most=0.15),
)  # fmt: skip
