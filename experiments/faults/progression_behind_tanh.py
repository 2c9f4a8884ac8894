"""The diabetes' progression, 25 to 346, predicted by a tanh, which ends at 1.

Source: a generator's last layer copied into a regression.
Symptom: all outputs are 1, the error stays at more than the variance.
"""

from __future__ import annotations

import flax.linen as nn
import jax.numpy as jnp
import optax

from experiments.faults._data import column, scaled_table
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import squared_error
from experiments.faults._networks import mean_square, of_module
from jaxnets.diagnose import Problem


class Network(nn.Module):
    """16 units, and what the last layer's numbers go through."""

    last: object

    @nn.compact
    def __call__(self, x):
        """The progression."""
        return self.last(nn.Dense(1)(nn.relu(nn.Dense(16)(x))))


def problem(last) -> Problem:
    """By Adam."""
    x, y = scaled_table("diabetes")
    return of_module(Network(last), mean_square, (x, column(y)), optimizer=optax.adam(0.1), num_steps=300)


def broken() -> Problem:
    """tanh."""
    return problem(jnp.tanh)


def repaired() -> Problem:
    """Nothing."""
    return problem(lambda z: z)


FAULT = Fault(
    broken, "targets-outside-range", repaired, task="regression",
    symptom=Figure(squared_error, at_least=1.0), reaches=Figure(squared_error, at_most=0.55),
)  # fmt: skip
