"""Biases that begin at -10: no ReLU is ever active, and an inactive one has no gradient.

Source: a bias meant for the last layer of a detector, set in all; Lu, Shin, Su & Karniadakis 2020, Dying
ReLU.
Symptom: one prediction for all.
"""

from __future__ import annotations

import flax.linen as nn
import optax

from experiments.faults._data import column, scaled_table
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import spread, squared_error
from experiments.faults._networks import mean_square, of_module
from jaxnets.diagnose import Problem
from jaxnets.models import MLP


def problem(bias) -> Problem:
    """House prices in units of 10,000 dollars."""
    x, prices = scaled_table("boston")
    model = MLP(widths=(32, 32), num_outputs=1, bias_init=nn.initializers.constant(bias))
    return of_module(model, mean_square, (x, column(prices / 10)), optimizer=optax.adam(0.003), num_steps=300)


def broken() -> Problem:
    """-10."""
    return problem(-10.0)


def repaired() -> Problem:
    """0."""
    return problem(0.0)


FAULT = Fault(
    broken, "dead-units", repaired, task="regression", equivalents=("constant-prediction",),
    symptom=Figure(spread, at_most=1e-6), reaches=Figure(squared_error, at_most=0.25),
)  # fmt: skip
