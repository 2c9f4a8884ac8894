"""``squeeze()`` drops the last axis of the outputs, and the first too, where there is one row.

Source: questions about predictions of a single example; jax.numpy's and NumPy's ``squeeze`` without an axis.
Symptom: one row gives a number without an axis.
"""

from __future__ import annotations

import flax.linen as nn
import numpy as np
import optax

from experiments.faults._data import sums
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import squared_error
from experiments.faults._networks import mean_square, of_module
from jaxnets.diagnose import Problem


class Summer(nn.Module):
    """A recurrent layer's last state, and a number of it."""

    last: object

    @nn.compact
    def __call__(self, x):
        """The sum."""
        return self.last(nn.Dense(1)(nn.RNN(nn.GRUCell(16))(x)[:, -1]))


def problem(last) -> Problem:
    """By Adam."""
    x, y = sums()
    return of_module(Summer(last), mean_square, (x, y[:, 0]), optimizer=optax.adam(0.01), num_steps=300)


def broken() -> Problem:
    """All axes of length 1."""
    return problem(lambda z: z.squeeze())


def repaired() -> Problem:
    """The last."""
    return problem(lambda z: z[:, 0])


def axes_of_one(problem, params):
    """Of one row's prediction."""
    return np.ndim(problem.predict(params, problem.data.inputs[:1]))


FAULT = Fault(
    broken, "single-batch-mismatch", repaired, task="sequence",
    symptom=Figure(axes_of_one, at_most=0), reaches=Figure(squared_error, at_most=0.1),
)  # fmt: skip
