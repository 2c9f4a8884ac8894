"""A sound network and a sound rate, stopped after one pass of 20 steps.

Source: the courses' smallest network, trained for one epoch.
Symptom: accuracy far from what twenty times as many steps reach.
"""

from __future__ import annotations

from experiments.faults._data import digits
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import accuracy
from experiments.faults._networks import cross_entropy, of_module
from jaxnets.diagnose import Problem
from jaxnets.models import MLP


def broken() -> Problem:
    """One pass."""
    return of_module(
        MLP(widths=(20,), num_outputs=10), cross_entropy, digits(),
        learning_rate=0.1, batch_size=50, num_steps=20,
    )  # fmt: skip


def repaired() -> Problem:
    """Forty passes."""
    return broken().replace(num_steps=800)


FAULT = Fault(
    broken, "stopped-too-early", repaired, task="classification", equivalents=("step-too-small",),
    symptom=Figure(accuracy, at_most=0.7), reaches=Figure(accuracy, at_least=0.93),
)  # fmt: skip
