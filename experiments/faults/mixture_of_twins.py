"""Mixture of Gaussians by gradient descent: every component starts at the data's mean and deviation.

Source: Cross Validated, "EM finds three clusters and gradient descent finds one".
Symptom: all components stay on one another; the likelihood is that of one Gaussian.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import loss as loss_of
from jaxnets.diagnose import Problem

K = 3


def problem(apart: bool) -> Problem:
    """Three lines and their likelihood."""
    rng = np.random.default_rng(14)
    k = rng.integers(0, K, 600)
    x = rng.uniform(-1, 1, 600)
    # what y is like depends on x: three branches
    y = np.stack([2 + x, -2 + 0.5 * x, -0.2 * x])[k, np.arange(600)] + 0.2 * rng.normal(size=600)
    mean, deviation = float(y.mean()), float(y.std())

    def init(key):
        start = jnp.full((K,), mean)
        if apart:
            start = start + deviation * (jnp.linspace(-1, 1, K) + 0.1 * jax.random.normal(key, (K,)))
        return {
            "intercept": start,
            "slope": jnp.zeros(K),
            "log_sd": jnp.full((K,), np.log(deviation)),
            "logit": jnp.zeros(K),
        }

    def components(params, x):
        return params["intercept"][None] + params["slope"][None] * x

    def predict(params, x):
        return (components(params, x) @ jax.nn.softmax(params["logit"]))[:, None]

    def loss(params, x, y):
        z = (y - components(params, x)) / jnp.exp(params["log_sd"])[None]
        each = (
            (jax.nn.log_softmax(params["logit"]) - params["log_sd"])[None]
            - 0.5 * z**2
            - 0.5 * jnp.log(2 * jnp.pi)
        )
        return -jnp.mean(jax.nn.logsumexp(each, axis=1))

    return Problem(
        init,
        predict,
        loss,
        (x[:, None], y[:, None]),
        optimizer=optax.adam(0.02),
        num_steps=1000,
        output="values",
    )


def broken() -> Problem:
    """All from one place."""
    return problem(False)


def repaired() -> Problem:
    """Each from a place of its own."""
    return problem(True)


FAULT = Fault(
    broken,
    "symmetric-init",
    repaired,
    task="regression",
    symptom=Figure(loss_of, at_least=1.8),
    reaches=Figure(loss_of, at_most=1.2),
    equivalents=("identical-units",),
)
