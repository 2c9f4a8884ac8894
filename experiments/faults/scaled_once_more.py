"""Trained on inputs in [0, 1], which ``predict`` divides by 16 once more.

Source: questions about a network whose training loss is small and whose predictions are poor; the pixels are
scaled in the data and again in the function that predicts.
Symptom: the loss is near zero, the accuracy on the same rows is not near one.
"""

from __future__ import annotations

import jax
import optax

from experiments.faults._data import digits
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import accuracy
from experiments.faults._networks import cross_entropy, dense, forward
from jaxnets.diagnose import Problem


def problem(divisor) -> Problem:
    """Of the prediction's inputs; the training takes them as they are."""
    return Problem(
        lambda key: dense(key, (64, 32, 10)),
        lambda params, x: forward(params, x / divisor, jax.nn.relu),
        lambda params, x, y: cross_entropy(forward(params, x, jax.nn.relu), y),
        digits(), optimizer=optax.adam(0.01), batch_size=100, num_steps=300,
    )  # fmt: skip


def broken() -> Problem:
    """Scaled twice."""
    return problem(16.0)


def repaired() -> Problem:
    """As in the training."""
    return problem(1.0)


FAULT = Fault(
    broken, "predict-differs-from-loss", repaired, task="classification",
    symptom=Figure(accuracy, at_most=0.9), reaches=Figure(accuracy, at_least=0.97),
)  # fmt: skip
