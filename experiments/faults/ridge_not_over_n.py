"""Ridge regression by gradient descent: the penalty with scikit-learn's alpha beside a mean over the rows.

Source: Cross Validated, a ridge by hand that is to equal ``sklearn.linear_model.Ridge(alpha=60)``.
Symptom: the coefficients change their sign every step and grow until they are NaN.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import largest_weight, squared_error
from jaxnets.diagnose import Problem

ALPHA = 60.0


def problem(divided: bool) -> Problem:
    """A mean of squares and a penalty."""
    rng = np.random.default_rng(8)
    X = rng.normal(size=(600, 8))
    X = (X - X.mean(0)) / X.std(0)
    y = X @ rng.normal(size=8) + 0.4 + 0.3 * rng.normal(size=600)
    alpha = ALPHA / 600 if divided else ALPHA

    def predict(params, x):
        return x @ params["w"] + params["b"]

    def loss(params, x, y):
        return jnp.mean((predict(params, x) - y) ** 2) + alpha * jnp.sum(params["w"] ** 2)

    def init(key):
        return {"w": 0.1 * jax.random.normal(key, (8,)), "b": jnp.zeros(())}

    return Problem(init, predict, loss, (X, y), learning_rate=0.05, num_steps=200)


def broken() -> Problem:
    """Alpha of a sum."""
    return problem(False)


def repaired() -> Problem:
    """Alpha of a mean."""
    return problem(True)


def _grown(problem, params):
    """The largest weight, one that is not finite as 1e30."""
    found = largest_weight(problem, params)
    return found if np.isfinite(found) else 1e30


FAULT = Fault(
    broken,
    "step-too-large",
    repaired,
    task="regression",
    symptom=Figure(_grown, at_least=1e6),
    reaches=Figure(squared_error, at_most=0.1),
)
