"""``|sin x|`` on [0, 4 pi], the inputs as they are, by sigmoids, at a rate that falls from 1.

Source: the question why a 1-10-10-1 network with a sigmoid on its output fits [0, pi] only.
Symptom: flat beyond the first hump.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import squared_error
from experiments.faults._networks import dense, forward, mean_square, supervised
from jaxnets.diagnose import Problem


def rows():
    """Four humps, in random order."""
    x = np.random.default_rng(0).uniform(0, 4 * np.pi, (600, 1)).astype(np.float32)
    return x, np.abs(np.sin(x))


def predict(params, x):
    """Sigmoids throughout."""
    return jax.nn.sigmoid(forward(params, x, jax.nn.sigmoid))


def broken() -> Problem:
    """As asked."""
    rate = optax.exponential_decay(1.0, 100, 0.9)
    return supervised(
        lambda key: dense(key, (1, 10, 10, 1)), predict, mean_square, rows(),
        optimizer=optax.sgd(rate), batch_size=20, num_steps=3000,
    )  # fmt: skip


def repaired() -> Problem:
    """Inputs in [-1, 1], tanh, weights that spread the units over the interval, Adam."""

    def init(key):
        layers_key, place_key = jax.random.split(key)
        params = dense(layers_key, (1, 20, 20, 1), gain=1.5)
        params[0] = {
            "w": 6 * params[0]["w"],
            "b": jax.random.uniform(place_key, (20,), minval=-6, maxval=6),
        }
        return params

    x, y = rows()
    return supervised(
        init, forward, mean_square, (x / jnp.float32(2 * jnp.pi) - 1, y),
        optimizer=optax.adam(0.01), batch_size=100, num_steps=4000,
    )  # fmt: skip


FAULT = Fault(
    broken, "inputs-unscaled", repaired, task="regression",
    equivalents=("step-too-small", "stopped-too-early", "plateau", "saturated-units", "vanishing-gradient"),
    symptom=Figure(squared_error, at_least=0.5), reaches=Figure(squared_error, at_most=0.2),
)  # fmt: skip
