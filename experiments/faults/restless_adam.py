"""Adam at rate 0.5, an example a step: it jumps around the solution and never settles.

Source: Adam's rate taken for one of plain descent; Goodfellow, Bengio, Courville, Deep Learning, 8.5.
Symptom: the loss goes up and down by orders of magnitude.
"""

from __future__ import annotations

import optax

from experiments.faults._data import bump
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import squared_error
from experiments.faults._networks import dense, forward, mean_square, supervised
from jaxnets.diagnose import Problem


def problem(optimizer, **training) -> Problem:
    """A curve by 16 units."""
    return supervised(
        lambda key: dense(key, (1, 16, 1), gain=2.0), forward, mean_square, bump(),
        optimizer=optimizer, **training,
    )  # fmt: skip


def broken() -> Problem:
    """0.5."""
    return problem(optax.adam(0.5), batch_size=1, num_steps=600)


def repaired() -> Problem:
    """0.01, 50 rows."""
    return problem(optax.adam(0.01), batch_size=50, num_steps=800)


FAULT = Fault(
    broken, "oscillating", repaired, task="regression", equivalents=("step-too-large", "diverged"),
    symptom=Figure(squared_error, at_least=0.5), reaches=Figure(squared_error, at_most=0.1),
)  # fmt: skip
