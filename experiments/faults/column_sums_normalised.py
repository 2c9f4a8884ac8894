"""Batch normalisation of the columns' sums instead of the activations: every row gets the same numbers.

Source: a question about batch normalisation by hand. Four columns, of which one is much the largest, have
sums whose deviations from their mean are (3, -1, -1, -1) / sqrt(3).
Symptom: 1.732 everywhere.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from experiments.faults._data import column
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import squared_error
from experiments.faults._networks import dense, forward, mean_square, supervised
from jaxnets.diagnose import Problem


def rows():
    """Age, income, rooms, distance; what is spent on rent."""
    generator = np.random.default_rng(0)
    x = np.column_stack([
        generator.uniform(20, 70, 300), generator.uniform(10_000, 90_000, 300),
        generator.integers(1, 7, 300), generator.uniform(0, 30, 300),
    ])  # fmt: skip
    return x.astype(np.float32), column(x[:, 1] / 60_000 + 0.2 * x[:, 2] - 0.03 * x[:, 3])


def batch_norm(x):
    """The sums of the columns, less their mean, over their deviation."""
    sums = x.sum(axis=0)
    normalised = (sums - sums.mean()) / sums.std()
    return jnp.broadcast_to(normalised[None], x.shape)


def init(key):
    """4-8-1."""
    return dense(key, (4, 8, 1))


def broken() -> Problem:
    """As asked."""
    return supervised(
        init, lambda params, x: forward(params, batch_norm(x)), mean_square, rows(),
        learning_rate=0.05, num_steps=300,
    )  # fmt: skip


def repaired() -> Problem:
    """Mean and deviation of each column of the training rows."""
    x, y = rows()
    mean, deviation = x.mean(axis=0, keepdims=True), x.std(axis=0, keepdims=True)
    return supervised(
        init, lambda params, x: forward(params, (x - mean) / deviation), mean_square, (x, y),
        learning_rate=0.05, num_steps=600,
    )  # fmt: skip


FAULT = Fault(
    broken,
    "batch-dependence",
    repaired,
    task="regression",
    equivalents=("constant-prediction", "single-batch-mismatch"),
    symptom=Figure(
        lambda problem, params: batch_norm(problem.data.inputs).max(), at_least=1.731, at_most=1.733
    ),
    reaches=Figure(squared_error, at_most=0.1),
)
