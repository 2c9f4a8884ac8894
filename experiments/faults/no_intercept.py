"""A line through the origin for fuel that is 60 at no load: ``x @ w`` without a bias.

Source: questions about a linear regression whose residuals all have one sign; Bishop, PRML, 3.1.1.
Symptom: the residuals' mean is far from 0.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import optax

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import outputs, squared_error
from experiments.faults._networks import mean_square, supervised
from jaxnets.diagnose import Problem


def rows():
    """Two standardised loads, and the fuel."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=(200, 2))
    y = 60 + x @ np.array([[4.0], [-2.0]]) + generator.normal(size=(200, 1))
    return x.astype(np.float32), y.astype(np.float32)


def broken() -> Problem:
    """No bias."""
    return supervised(
        lambda key: jnp.zeros((2, 1)), lambda w, x: x @ w, mean_square, rows(),
        learning_rate=0.1, num_steps=200,
    )  # fmt: skip


def repaired() -> Problem:
    """With a bias."""
    init = lambda key: {"w": jnp.zeros((2, 1)), "b": jnp.zeros(1)}  # noqa: E731
    predict = lambda p, x: x @ p["w"] + p["b"][None]  # noqa: E731
    return supervised(init, predict, mean_square, rows(), optimizer=optax.sgd(0.1), num_steps=200)


def residual(problem: Problem, params):
    """Mean of target less prediction."""
    return float(np.mean(problem.data.targets - outputs(problem, params)))


FAULT = Fault(
    broken, "missing-bias", repaired, task="regression",
    symptom=Figure(residual, at_least=50), reaches=Figure(squared_error, at_most=0.1),
)  # fmt: skip
