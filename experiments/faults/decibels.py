"""Loudness in decibels, all below 0, through weights that are all positive: no ReLU is ever active.

Source: questions about a network on spectrograms that predicts the mean of all targets.
Symptom: the hidden layer is 0 for every row, and stays so.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import spread, squared_error
from experiments.faults._networks import mean_square, supervised
from jaxnets.diagnose import Problem
from jaxnets.types import Array


class Net(NamedTuple):
    """Bands to units to one number."""

    bands: Array
    units: Array
    shift: Array


def recordings():
    """Eight bands in units of 40 dB, and how far away the source is."""
    generator = np.random.default_rng(10)
    far = generator.uniform(0, 1, (300, 1))
    bands = -0.2 - far * np.linspace(0.3, 1.5, 8) - 0.1 * generator.uniform(size=(300, 8))
    return bands.astype(np.float32), (2 * far - 1).astype(np.float32)


def start(draw):
    """Ten units."""

    def init(key):
        one, two = jax.random.split(key)
        return Net(draw(one, (8, 10)) / 2, jax.random.normal(two, (10, 1)) / 3, jnp.zeros((1, 1)))

    return init


def predict(net, x):
    """One hidden layer."""
    return jax.nn.relu(x @ net.bands) @ net.units + net.shift


def problem(draw) -> Problem:
    """All recordings at once."""
    return supervised(start(draw), predict, mean_square, recordings(), learning_rate=0.1, num_steps=300)


def broken() -> Problem:
    """Uniform on [0, 1]."""
    return problem(jax.random.uniform)


def repaired() -> Problem:
    """Of both signs."""
    return problem(jax.random.normal)


FAULT = Fault(
    broken, "dead-units", repaired, task="regression",
    equivalents=("constant-prediction",),
    symptom=Figure(spread, at_most=1e-6), reaches=Figure(squared_error, at_most=0.1),
)  # fmt: skip
