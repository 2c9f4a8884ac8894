"""A recurrence that scans over axis 0, as for ``[length, n, 1]``, given rows ``[n, length, 1]``.

Source: questions about ``batch_first``; the shapes fit, so nothing complains.
Symptom: each row's state is that of the rows before it; a row alone gets another prediction.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.faults._data import waves
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import accuracy, outputs
from experiments.faults._networks import cross_entropy, supervised
from jaxnets.diagnose import Problem
from jaxnets.types import Array


class Cell(NamedTuple):
    """Of the state, of the input, of the logits."""

    state: Array
    inputs: Array
    shift: Array
    head: Array


def init(key):
    """16 units."""
    keys = jax.random.split(key, 3)
    orthogonal = jax.nn.initializers.orthogonal()(keys[0], (16, 16))
    wide = jax.random.normal(keys[1], (1, 16))
    return Cell(orthogonal, wide, jnp.zeros(16), jax.random.normal(keys[2], (16, 3)) / 4)


def states(cell, x):
    """After each step along axis 0."""

    def step(state, now):
        state = jnp.tanh(state @ cell.state + now @ cell.inputs + cell.shift[None])
        return state, state

    return jax.lax.scan(step, jnp.zeros((x.shape[1], 16)), x)[1]


def over_rows(cell, x):
    """The last time's state of each row."""
    return states(cell, x)[:, -1] @ cell.head


def over_time(cell, x):
    """The same, time first."""
    return states(cell, x.swapaxes(0, 1))[-1] @ cell.head


def problem(predict) -> Problem:
    """Three frequencies."""
    training = {"optimizer": optax.adam(0.01), "batch_size": 50, "num_steps": 300}
    return supervised(init, predict, cross_entropy, waves(300, length=16), **training)


def broken() -> Problem:
    """Rows first."""
    return problem(over_rows)


def repaired() -> Problem:
    """Time first."""
    return problem(over_time)


def alone(problem, params):
    """How far the last row's logits are from those that it has alone."""
    x = problem.data.inputs
    return float(np.abs(outputs(problem, params)[-1] - problem.predict(params, x[-1:])[0]).max())


FAULT = Fault(
    broken, "batch-dependence", repaired, task="sequence", equivalents=("single-batch-mismatch",),
    symptom=Figure(alone, at_least=0.1), reaches=Figure(accuracy, at_least=0.85),
)  # fmt: skip
