"""A last layer of deviation 7: before the first step the network is sure, and wrong.

Source: Karpathy's recipe, "verify loss at init"; a loss of some tens, where it should be log 10.
Symptom: the first loss.
"""

from __future__ import annotations

import jax

from experiments.faults._data import digits
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import accuracy, loss
from experiments.faults._networks import cross_entropy, dense, forward, supervised
from jaxnets.diagnose import Problem


def problem(gain) -> Problem:
    """Digits by 32 ReLUs."""

    def init(key):
        hidden, last = dense(key, (64, 32, 10), gain=1.4)
        return [hidden, {"w": gain * last["w"], "b": last["b"]}]

    return supervised(
        init, lambda params, x: forward(params, x, jax.nn.relu), cross_entropy, digits(),
        learning_rate=0.1, batch_size=50, num_steps=800,
    )  # fmt: skip


def broken() -> Problem:
    """30 times He's."""
    return problem(30.0)


def repaired() -> Problem:
    """A tenth of it."""
    return problem(0.1)


def first_loss(problem, params):
    """Before the training."""
    return loss(problem, problem.init(jax.random.key(0)))


FAULT = Fault(
    broken, "initial-loss-off", repaired, task="classification",
    symptom=Figure(first_loss, at_least=10), reaches=Figure(accuracy, at_least=0.95),
)  # fmt: skip
