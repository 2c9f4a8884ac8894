"""Linear support vector machine by hand: the hinge is written for labels -1 and 1, the file has 0 and 1.

Source: a machine learning course's forum (Pegasos in NumPy).
Symptom: the loss falls to the share of negatives and stays; everything is called positive.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.datasets import load_breast_cancer

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import outputs
from jaxnets.diagnose import Problem


def problem(signed: bool) -> Problem:
    """Ten findings of a breast's lump."""
    bunch = load_breast_cancer()
    rows = np.random.default_rng(1).permutation(len(bunch.target))
    x, y = bunch.data[rows, :10], 1 - bunch.target[rows]
    x = (x - x.mean(0)) / x.std(0)
    if signed:
        y = 2 * y - 1

    def init(key):
        return {"w": 0.01 * jax.random.normal(key, (10,)), "b": jnp.zeros(())}

    def predict(params, x):
        return x @ params["w"] + params["b"]

    def loss(params, x, y):
        hinge = jnp.maximum(0.0, 1.0 - y * predict(params, x))
        return hinge.mean() + 1e-3 * jnp.sum(params["w"] ** 2)

    return Problem(init, predict, loss, (x, y), learning_rate=0.1, num_steps=600)


def broken() -> Problem:
    """Labels 0 and 1."""
    return problem(False)


def repaired() -> Problem:
    """Labels -1 and 1."""
    return problem(True)


def _right(problem, params):
    """Share of rows on the right side of 0."""
    return float(np.mean((outputs(problem, params) > 0) == (problem.data.targets > 0)))


FAULT = Fault(
    broken,
    "loss-not-minimal-at-target",
    repaired,
    task="classification",
    symptom=Figure(_right, at_most=0.6),
    reaches=Figure(_right, at_least=0.92),
    equivalents=("labels-out-of-range",),
)
