"""Poisson regression by hand: the loss has the log link, the gradient has none.

Source: Stack Overflow, a generalised linear model in NumPy; the gradient was kept from linear regression.
Symptom: it converges smoothly, to coefficients that are not those of statsmodels.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import loss as loss_of
from jaxnets.diagnose import Problem


def problem(linked: bool) -> Problem:
    """Counts by four findings."""
    rng = np.random.default_rng(5)
    X = np.hstack([np.ones((800, 1)), rng.normal(size=(800, 4))])
    beta = np.array([0.5, 0.6, -0.4, 0.3, 0.0])
    y = rng.poisson(np.exp(X @ beta)).astype(float)

    def predict(beta, x):
        return jnp.exp(x @ beta)

    def loss(beta, x, y):
        eta = x @ beta
        return jnp.mean(jnp.exp(eta) - y * eta + jax.lax.lgamma(y + 1))

    def gradient(beta, x, y):
        eta = x @ beta
        fitted = jnp.exp(eta) if linked else eta
        return x.T @ (fitted - y) / len(y)

    return Problem(
        lambda key: 0.05 * jax.random.normal(key, (5,)),
        predict,
        loss,
        (X, y),
        gradient=gradient,
        learning_rate=0.1,
        num_steps=400,
    )


def broken() -> Problem:
    """The count less the linear predictor."""
    return problem(False)


def repaired() -> Problem:
    """The count less the fitted count."""
    return problem(True)


FAULT = Fault(
    broken,
    "wrong-gradient",
    repaired,
    task="regression",
    symptom=Figure(loss_of, at_least=3.0),
    reaches=Figure(loss_of, at_most=1.7),
)
