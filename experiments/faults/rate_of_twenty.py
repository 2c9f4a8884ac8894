"""Plain gradient descent at rate 20 for standardised digits.

Source: a rate from a table for another scale of inputs; Goodfellow, Bengio, Courville, Deep Learning, 11.4.1.
Symptom: the loss is many times the first one, or NaN.
"""

from __future__ import annotations

import jax

from experiments.faults._data import digits, standardised
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import accuracy
from experiments.faults._networks import cross_entropy, dense, forward, supervised
from jaxnets.diagnose import Problem


def problem(rate) -> Problem:
    """32 ReLUs."""
    x, labels = digits()
    x = standardised(x)
    return supervised(
        lambda key: dense(key, (x.shape[1], 32, 10)), lambda params, x: forward(params, x, jax.nn.relu),
        cross_entropy,
        (x, labels), learning_rate=rate, batch_size=100, num_steps=200,
    )  # fmt: skip


def broken() -> Problem:
    """20."""
    return problem(20.0)


def repaired() -> Problem:
    """0.2."""
    return problem(0.2)


FAULT = Fault(
    broken, "step-too-large", repaired, task="classification", equivalents=("diverged",),
    symptom=Figure(accuracy, at_most=0.5), reaches=Figure(accuracy, at_least=0.95),
)  # fmt: skip
