"""An error that is no distance: ``mean(0.5 (y^2 - o^2))`` instead of ``mean(0.5 (y - o)^2)``.

Source: the same question about XOR; here the reported error is minimised, too.
Symptom: the loss is negative and goes on falling while the outputs all go to 1.
"""

from __future__ import annotations

import jax.numpy as jnp
import optax
from jax.nn import sigmoid

from experiments.faults import xor_derivative
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import loss as final_loss
from experiments.faults._figures import sided
from experiments.faults._networks import dense, forward, supervised
from jaxnets.diagnose import Problem


def init(key):
    """2-4-1."""
    return dense(key, (2, 4, 1), gain=2.0)


def predict(params, x):
    """A probability."""
    return sigmoid(forward(params, x))


def broken() -> Problem:
    """As asked."""
    cost = lambda o, y: jnp.mean(0.5 * (y**2 - o**2))  # noqa: E731
    return supervised(
        init, predict, cost, xor_derivative.rows(), optimizer=optax.adam(0.02), batch_size=31, num_steps=1000
    )


def repaired() -> Problem:
    """The squared difference."""
    loss = lambda params, x, y: jnp.mean(0.5 * (y - predict(params, x)) ** 2)  # noqa: E731
    return broken().replace(loss=loss, num_steps=2000)


FAULT = Fault(
    broken, "loss-not-minimal-at-target", repaired, task="classification",
    symptom=Figure(final_loss, at_most=-0.2), reaches=Figure(sided(0.5), at_least=0.95),
)  # fmt: skip
