"""Durations by a log-normal model with a learnt deviation: the optimizer is given the mean log-density.

Source: a probabilistic programming forum, "my likelihood runs away" (a paper's formula, as it stands).
Symptom: the loss falls without end, predictions are worse than the mean.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import optax

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import squared_error
from experiments.faults._networks import dense, forward
from jaxnets.diagnose import Problem


def problem(sign: float) -> Problem:
    """Durations by four findings."""
    rng = np.random.default_rng(61)
    x = rng.normal(size=(500, 4))
    log_time = (
        0.5
        + x @ np.array([0.6, -0.5, 0.3, 0.2])
        + 0.4 * np.tanh(2 * x[:, 0] * x[:, 1])
        + 0.2 * rng.normal(size=500)
    )
    y = log_time[:, None]

    def init(key):
        return {"net": dense(key, (4, 16, 1)), "log_sd": jnp.zeros(())}

    def predict(params, x):
        return forward(params["net"], x)

    def loss(params, x, y):
        z = (y - predict(params, x)) / jnp.exp(params["log_sd"])
        return sign * jnp.mean(-0.5 * z**2 - params["log_sd"] - 0.5 * jnp.log(2 * jnp.pi))

    return Problem(
        init,
        predict,
        loss,
        (x, y),
        optimizer=optax.adam(0.01),
        batch_size=100,
        num_steps=400,
        output="values",
    )


def broken() -> Problem:
    """The density's logarithm."""
    return problem(1.0)


def repaired() -> Problem:
    """Its negative."""
    return problem(-1.0)


FAULT = Fault(
    broken,
    "loss-sign",
    repaired,
    task="regression",
    symptom=Figure(
        lambda problem, params: float(np.nan_to_num(squared_error(problem, params), nan=1e30)), at_least=2.0
    ),
    reaches=Figure(squared_error, at_most=0.15),
    equivalents=("loss-not-minimal-at-target",),
)
