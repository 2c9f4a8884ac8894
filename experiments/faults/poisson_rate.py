"""A network with an exponential head, so rates, goes into a Poisson loss that takes log-rates.

Source: a forum of PyTorch users, PoissonNLLLoss with its default log_input=True, ported.
Symptom: predicted visits a day never exceed 3, though shops with 20 visits are common.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import squared_error
from experiments.faults._networks import dense, forward, supervised
from jaxnets.diagnose import Problem


def _visits():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(900, 5)).astype(np.float32)
    log_rate = 1.5 + 0.8 * x[:, 0] - 0.6 * np.abs(x[:, 1]) + 0.4 * x[:, 2] * (x[:, 3] > 0)
    y = rng.poisson(np.exp(log_rate)).astype(np.float32)[:, None]
    return (x[:700], y[:700]), (x[700:], y[700:])


def _problem(cost):
    data, test = _visits()

    def predict(params, x):
        return jnp.exp(forward(params, x, jax.nn.relu))

    return supervised(
        lambda key: dense(key, (5, 32, 1), gain=0.8),
        predict,
        cost,
        data,
        test=test,
        optimizer=optax.adam(5e-3),
        batch_size=100,
        num_steps=400,
    )


def broken() -> Problem:
    """As it was written."""
    return _problem(lambda out, y: jnp.mean(jnp.exp(out) - y * out))


def repaired() -> Problem:
    """Mended."""
    return _problem(lambda out, y: jnp.mean(out - y * jnp.log(out + 1e-8)))


FAULT = Fault(
    broken,
    "loss-not-minimal-at-target",
    repaired,
    task="regression",
    symptom=Figure(squared_error, at_least=0.7),
    reaches=Figure(squared_error, at_most=0.35),
)
