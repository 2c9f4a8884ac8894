"""Two hidden layers and nothing between them: a product of matrices is a matrix.

Source: a question about a "deep" network that does no better than logistic regression.
Symptom: the rings, which no line separates, stay at chance.
"""

from __future__ import annotations

import jax
import optax

from experiments.faults._data import rings
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import accuracy
from experiments.faults._networks import cross_entropy, dense, forward, supervised
from jaxnets.diagnose import Problem


def init(key):
    """2-16-16-2."""
    return dense(key, (2, 16, 16, 2))


def problem(activation) -> Problem:
    """Rings by a network with this activation."""
    return supervised(
        init, lambda params, x: forward(params, x, activation), cross_entropy, rings(),
        optimizer=optax.adam(0.02), num_steps=300,
    )  # fmt: skip


def broken() -> Problem:
    """None."""
    return problem(lambda x: x)


def repaired() -> Problem:
    """ReLU."""
    return problem(jax.nn.relu)


FAULT = Fault(
    broken, "linear-network", repaired, task="classification",
    symptom=Figure(accuracy, at_most=0.75), reaches=Figure(accuracy, at_least=0.97),
)  # fmt: skip
