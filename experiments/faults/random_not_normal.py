"""``np.random.rand`` for ``randn``: all weights of the hidden sigmoids are positive, and so are the pixels.

Source: questions about a network by hand that answers the same for all pictures.
Symptom: every hidden unit is near 1 for every picture.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from experiments.faults._data import large_digits
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import accuracy
from experiments.faults._networks import cross_entropy, supervised
from jaxnets.diagnose import Problem


def start(hidden):
    """784-25-10."""

    def init(key):
        one, two = jax.random.split(key)
        return (hidden(one, (784, 25)), jnp.zeros(25), jax.random.normal(two, (25, 10)) / 5, jnp.zeros(10))

    return init


def predict(params, x):
    """Logits."""
    w1, b1, w2, b2 = params
    return jax.nn.sigmoid(x @ w1 + b1[None]) @ w2 + b2[None]


def problem(hidden) -> Problem:
    """Thirteen passes."""
    training = {"learning_rate": 0.5, "batch_size": 30, "num_steps": 260}
    return supervised(start(hidden), predict, cross_entropy, large_digits(), **training)


def broken() -> Problem:
    """In [0, 1]."""
    return problem(jax.random.uniform)


def repaired() -> Problem:
    """Normal, over the root of 784."""
    return problem(lambda key, shape: jax.random.normal(key, shape) / 28)


FAULT = Fault(
    broken, "saturated-units", repaired, task="classification",
    equivalents=("identical-units", "vanishing-gradient"),
    symptom=Figure(accuracy, at_most=0.3), reaches=Figure(accuracy, at_least=0.85),
)  # fmt: skip
