"""Poisson regression by plain descent: gentle at the start, but the curvature grows with the exponential.

Source: generalised linear models by gradient descent; McCullagh & Nelder 1989, chapter 6.
Symptom: the loss is finite for a while, then NaN.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import optax

from experiments.faults._data import column
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import not_finite
from experiments.faults._networks import supervised
from jaxnets.diagnose import Problem


def counts():
    """Of mean ``exp(1.2 x1 - 0.7 x2 + 2)``."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=(300, 2))
    return x.astype(np.float32), column(generator.poisson(np.exp(x @ [1.2, -0.7] + 2)))


def predict(p, x):
    """The mean's logarithm."""
    return x @ p["w"] + p["b"][None]


def problem(optimizer, num_steps) -> Problem:
    """From weights of 0."""
    init = lambda key: {"w": jnp.zeros((2, 1)), "b": jnp.zeros(1)}  # noqa: E731
    cost = lambda z, y: jnp.mean(jnp.exp(z) - y * z)  # noqa: E731
    return supervised(init, predict, cost, counts(), optimizer=optimizer, num_steps=num_steps)


def broken() -> Problem:
    """Plain, rate 0.2."""
    return problem(optax.sgd(0.2), 100)


def repaired() -> Problem:
    """Adam."""
    return problem(optax.adam(0.05), 300)


def coefficient_error(problem, params):
    """Largest."""
    return float(np.abs(np.asarray(params["w"]).ravel() - [1.2, -0.7]).max())


FAULT = Fault(
    broken, "diverged", repaired, task="regression", equivalents=("step-too-large",),
    symptom=Figure(not_finite, at_least=0.9), reaches=Figure(coefficient_error, at_most=0.1),
)  # fmt: skip
