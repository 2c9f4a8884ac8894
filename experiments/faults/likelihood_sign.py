"""The mean log-likelihood minimised: the minus was forgotten.

Source: questions about a cross-entropy by hand whose accuracy falls below chance.
Symptom: accuracy 0 where chance is a third.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from experiments.faults._data import blobs
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import accuracy
from experiments.faults._networks import dense, forward, supervised
from jaxnets.diagnose import Problem


def likelihood(logits, labels):
    """Mean of ``log p(label)``."""
    return jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], axis=1))


def problem(cost) -> Problem:
    """Three clouds."""
    return supervised(
        lambda key: dense(key, (4, 8, 3)), forward, cost, blobs(), learning_rate=0.1, num_steps=200
    )


def broken() -> Problem:
    """As it is."""
    return problem(likelihood)


def repaired() -> Problem:
    """Less."""
    return problem(lambda logits, labels: -likelihood(logits, labels))


FAULT = Fault(
    broken, "loss-sign", repaired, task="classification", equivalents=("loss-not-minimal-at-target",),
    symptom=Figure(accuracy, at_most=0.1), reaches=Figure(accuracy, at_least=0.9),
)  # fmt: skip
