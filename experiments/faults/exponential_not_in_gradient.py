"""Poisson regression by hand: the gradient takes the linear predictor for the mean, ``x.T (x w - y)``.

Source: questions about generalised linear models by hand, begun from a program for least squares.
Symptom: the slopes are those of a line through the counts, and the likelihood is poor.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import squared_error
from jaxnets.diagnose import Problem


def visits():
    """Visits to a doctor by age and income, standardised, and a column of ones."""
    generator = np.random.default_rng(15)
    x = np.column_stack([np.ones(350), generator.normal(size=(350, 2))])
    return x.astype(np.float32), generator.poisson(np.exp(x @ [1.0, 0.6, -0.4])).astype(np.float32)


def init(key):
    """Three slopes."""
    return 0.1 * jax.random.normal(key, (3,))


def mean(w, x):
    """Of the counts."""
    return jnp.exp(x @ w)


def loss(w, x, y):
    """Less the mean log-likelihood."""
    return jnp.mean(mean(w, x) - y * (x @ w))


def of_a_line(w, x, y):
    """Least squares'."""
    return x.T @ (x @ w - y) / len(y)


def of_the_loss(w, x, y):
    """With the exponential."""
    return x.T @ (jnp.exp(x @ w) - y) / len(y)


def problem(gradient) -> Problem:
    """A rate of 0.03."""
    return Problem(init, mean, loss, visits(), gradient=gradient, learning_rate=0.03, num_steps=800)


def broken() -> Problem:
    """Of a line."""
    return problem(of_a_line)


def repaired() -> Problem:
    """Of the loss."""
    return problem(of_the_loss)


FAULT = Fault(
    broken, "wrong-gradient", repaired, task="regression",
    symptom=Figure(squared_error, at_least=1.5), reaches=Figure(squared_error, at_most=0.6),
)  # fmt: skip
