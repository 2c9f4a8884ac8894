"""Grades of heart disease, 0 to 4, behind a sigmoid, which ends at 1.

Source: a first network for the Cleveland heart disease data: inputs divided by their maximum, rate 1. The
grades here are made up from whether there is a disease and the number of vessels, which alone is bundled.
Symptom: every prediction is 1.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.faults._data import column, standardised
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import outputs, squared_error
from experiments.faults._networks import dense, forward, mean_square, supervised
from jaxnets.data import impute, load
from jaxnets.diagnose import Problem


def rows():
    """303 patients: what was found, and the grade."""
    x, ill = impute(load("cleveland", test_fraction=0.0)).train
    return x, column(ill * (1 + np.clip(x[:, 11], 0, 3)))


def probability(params, x):
    """Sigmoids throughout."""
    return jax.nn.sigmoid(forward(params, x, jax.nn.sigmoid))


def broken() -> Problem:
    """As asked: half the sum of squares."""
    x, y = rows()
    return supervised(
        lambda key: dense(key, (13, 13, 1)), probability, lambda out, y: 0.5 * jnp.sum((out - y) ** 2),
        (x / x.max(axis=0), y), learning_rate=1.0, num_steps=500,
    )  # fmt: skip


def repaired() -> Problem:
    """No sigmoid at the end."""
    x, y = rows()
    return supervised(
        lambda key: dense(key, (13, 13, 1)), forward, mean_square, (standardised(x), y),
        optimizer=optax.adam(0.01), num_steps=300,
    )  # fmt: skip


FAULT = Fault(
    broken, "targets-outside-range", repaired, task="regression", equivalents=("step-too-large",),
    symptom=Figure(lambda problem, params: np.quantile(outputs(problem, params), 0.02), at_least=0.95),
    reaches=Figure(squared_error, at_most=0.5),
)  # fmt: skip
