"""Least squares by gradient descent at a rate that is a thousand times too large for these columns.

Source: a question with y = (20, 40, 60, 80, 100), x1 = (1, 5, 7, 9, 11), x2 = (23, 29, 60, 85, 99), rate
0.05.
Symptom: the gradient's norm grows from 44114 to 1e38. The right answer was given as 4.344435, 4.387702,
0.450958, which the steps of Barzilai and Borwein 1988 reach.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from experiments.faults._data import column
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import gradient_norm
from jaxnets.diagnose import Problem

SOLUTION = np.array([4.344435, 4.387702, 0.450958], np.float32)


def rows():
    """An intercept and two columns."""
    x = np.column_stack([np.ones(5), (1, 5, 7, 9, 11), (23, 29, 60, 85, 99)])
    return x.astype(np.float32), column((20, 40, 60, 80, 100))


def predict(w, x):
    """A plane."""
    return x @ w


def loss(w, x, y):
    """Summed squares."""
    return jnp.sum((predict(w, x) - y) ** 2)


def broken() -> Problem:
    """As asked."""
    init = lambda key: 1e-4 * jnp.ones((3, 1))  # noqa: E731
    return Problem(init, predict, loss, rows(), learning_rate=0.05, num_steps=12)


def barzilai_borwein(state, x, y):
    """The long step: ``s = dw.dw / dw.dg``."""
    slope = jax.grad(loss)(state["w"], x, y)
    moved, turned = state["w"] - state["last_w"], slope - state["last_slope"]
    size = jnp.sum(moved**2) / jnp.maximum(jnp.sum(moved * turned), 1e-20)
    return {"w": state["w"] - size * slope, "last_w": state["w"], "last_slope": slope}


def repaired() -> Problem:
    """The same loss, other steps; the first is from a point a little off."""
    x, y = rows()

    def init(key):
        w = 1e-4 * jnp.ones((3, 1))
        last = w + 1e-3 * jax.random.normal(key, (3, 1))
        return {"w": w, "last_w": last, "last_slope": jax.grad(loss)(last, x, y)}

    return Problem(
        init, lambda state, x: predict(state["w"], x), lambda state, x, y: loss(state["w"], x, y), (x, y),
        update=barzilai_borwein, num_steps=40,
    )  # fmt: skip


def distance(problem, state):
    """The largest error of a coefficient."""
    return float(np.abs(np.asarray(state["w"]).ravel() - SOLUTION).max())


FAULT = Fault(
    broken, "step-too-large", repaired, task="regression", equivalents=("diverged", "inputs-unscaled"),
    symptom=Figure(gradient_norm, at_least=1e38), reaches=Figure(distance, at_most=0.05),
)  # fmt: skip
