"""Predictions ``[n, 1]`` less targets ``[n]`` are a matrix of all pairs: each row is fitted to all targets.

Source: the commonest question about regressions with jax.numpy, NumPy and PyTorch.
Symptom: every prediction is the targets' mean.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import optax

from experiments.faults._data import scaled_table
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import squared_error
from experiments.faults._networks import dense, forward, supervised
from jaxnets.diagnose import Problem


def cost(out, y):
    """What broadcasting makes of it."""
    with jax.numpy_rank_promotion("allow"):
        return jnp.mean((out - y) ** 2)


def problem(shape) -> Problem:
    """House prices in units of 10,000 dollars, in this shape."""
    x, prices = scaled_table("boston")
    return supervised(
        lambda key: dense(key, (13, 16, 1)), forward, cost, (x, (prices / 10).reshape(shape)),
        optimizer=optax.adam(0.01), batch_size=100, num_steps=500,
    )  # fmt: skip


def broken() -> Problem:
    """A vector of targets."""
    return problem(-1)


def repaired() -> Problem:
    """A column of targets."""
    return problem((-1, 1))


FAULT = Fault(
    broken, "loss-not-minimal-at-target", repaired, task="regression",
    equivalents=("batch-dependence", "constant-prediction", "cannot-overfit-a-batch"),
    symptom=Figure(squared_error, at_least=0.9), reaches=Figure(squared_error, at_most=0.2),
)  # fmt: skip
