"""``jax.nn.relu(h)`` on a line of its own: arrays do not change in place, the result is lost.

Source: questions about a network for the product of two numbers that fits a plane.
Symptom: no better than the mean, for however many layers.
"""

from __future__ import annotations

import jax
import optax

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import squared_error
from experiments.faults._networks import dense, mean_square, supervised
from jaxnets.diagnose import Problem


def init(key):
    """Three layers."""
    return dense(key, (2, 24, 24, 1), gain=1.4)


def lost(params, x):
    """As if it were in place."""
    for layer in params:
        x = x @ layer["w"] + layer["b"][None]
        if layer is not params[-1]:
            jax.nn.relu(x)
    return x


def kept(params, x):
    """Kept."""
    for layer in params:
        x = x @ layer["w"] + layer["b"][None]
        if layer is not params[-1]:
            x = jax.nn.relu(x)
    return x


def problem(predict) -> Problem:
    """Products of two numbers in [-1, 1], three times as large."""
    x = jax.random.uniform(jax.random.key(11), (400, 2), minval=-1, maxval=1)
    data = (x, 3 * x[:, :1] * x[:, 1:])
    rate = optax.cosine_decay_schedule(0.02, 400)
    return supervised(init, predict, mean_square, data, optimizer=optax.adam(rate), num_steps=400)


def broken() -> Problem:
    """A plane."""
    return problem(lost)


def repaired() -> Problem:
    """Curved."""
    return problem(kept)


FAULT = Fault(
    broken, "linear-network", repaired, task="regression",
    symptom=Figure(squared_error, at_least=0.9), reaches=Figure(squared_error, at_most=0.05),
)  # fmt: skip
