"""Who passes an exam, from hours of study and of sleep, by ``sigmoid(x @ w)`` without an intercept.

Source: questions about logistic regression by hand whose border goes through the origin.
Symptom: hours are never negative, so nearly all students are said to pass, or none.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import sided
from jaxnets.diagnose import Problem


def students():
    """Those who studied and slept more than 9 hours pass; in fives of hours."""
    hours = np.random.default_rng(7).uniform(0, 9, (240, 2))
    passed = (hours.sum(axis=1) + 0.3 * np.random.default_rng(8).normal(size=240)) > 9
    return (hours / 5).astype(np.float32), passed.astype(np.float32)


def without(w, x):
    """Slopes alone."""
    return jax.nn.sigmoid(x @ w)


def intercept(w, x):
    """A column of ones in front."""
    return jax.nn.sigmoid(jnp.column_stack([jnp.ones(len(x)), x]) @ w)


def problem(predict, size) -> Problem:
    """Maximum likelihood."""

    def loss(w, x, y):
        p = predict(w, x)
        return -jnp.mean(y * jnp.log(p + 1e-7) + (1 - y) * jnp.log(1 - p + 1e-7))

    init = lambda key: 0.1 * jax.random.normal(key, (size,))  # noqa: E731
    return Problem(init, predict, loss, students(), learning_rate=1.0, num_steps=1500)


def broken() -> Problem:
    """Two weights."""
    return problem(without, 2)


def repaired() -> Problem:
    """Three."""
    return problem(intercept, 3)


FAULT = Fault(
    broken, "missing-bias", repaired, task="classification",
    symptom=Figure(sided(0.5), at_most=0.65), reaches=Figure(sided(0.5), at_least=0.93),
)  # fmt: skip
