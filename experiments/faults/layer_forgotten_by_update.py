"""An update by ``_replace`` that lists the leaves to change: the first layer is not in the list.

Source: one's own program, after a layer was put in front of what was there.
Symptom: the first layer ends as it began.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.faults._data import bump
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import squared_error
from experiments.faults._networks import mean_square
from jaxnets.diagnose import Problem
from jaxnets.types import Array


class Curve(NamedTuple):
    """One hidden layer of six units."""

    w1: Array
    b1: Array
    w2: Array
    b2: Array


def init(key):
    """Small slopes."""
    one, two = jax.random.split(key)
    narrow = 0.5 * jax.random.normal(one, (1, 6))
    return Curve(narrow, jnp.zeros((1, 6)), jax.random.normal(two, (6, 1)) / 2.5, jnp.zeros((1, 1)))


def predict(p, x):
    """A sum of steps."""
    return jnp.tanh(x @ p.w1 + p.b1) @ p.w2 + p.b2


def loss(p, x, y):
    """Mean square."""
    return mean_square(predict(p, x), y)


def update(p, x, y):
    """Of the last layer."""
    g = jax.grad(loss)(p, x, y)
    return p._replace(w2=p.w2 - 0.1 * g.w2, b2=p.b2 - 0.1 * g.b2)


def update_all(p, x, y):
    """Of both."""
    return jax.tree.map(lambda w, g: w - 0.1 * g, p, jax.grad(loss)(p, x, y))


def broken() -> Problem:
    """Two leaves of four."""
    return Problem(init, predict, loss, bump(), update=update, num_steps=2500)


def repaired() -> Problem:
    """All leaves."""
    return broken().replace(update=update_all)


def moved(problem, params):
    """How far the first layer's thresholds are from 0, where they began."""
    return float(np.abs(params.b1).max())


FAULT = Fault(
    broken, "frozen-parameters", repaired, task="regression",
    symptom=Figure(moved, at_most=0.0), reaches=Figure(squared_error, at_most=0.1),
)  # fmt: skip
