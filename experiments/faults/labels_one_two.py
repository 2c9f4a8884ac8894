"""Logistic regression by hand on a two-level factor that came from R as 1 and 2.

Source: a statistics forum; a data frame exported with as.numeric(factor).
Symptom: healthy people are predicted as ill more and more, the bias grows without end, and the cost
goes below zero.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.datasets import load_breast_cancer

from experiments.faults._fault import Fault, Figure
from jaxnets.diagnose import Problem


def _tumours(coded):
    x, y = load_breast_cancer(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    x, y = x[order], y[order]
    x = (x - x[:400].mean(0)) / x[:400].std(0)
    y = (y + 1 if coded else y).astype(np.float32)
    x = x.astype(np.float32)
    return (x[:400], y[:400]), (x[400:], y[400:])


def _predict(params, x):
    return jax.nn.sigmoid(x @ params["theta"] + params["bias"])


def _cost(params, x, y):
    h = jnp.clip(_predict(params, x), 1e-7, 1 - 1e-7)
    return -jnp.mean(y * jnp.log(h) + (1 - y) * jnp.log(1 - h))


def _gradient(params, x, y):
    off = _predict(params, x) - y
    return {"theta": x.T @ off / len(y), "bias": jnp.mean(off)[None]}


def share_right(problem, params):
    """Accuracy, the smaller code as the class below one half."""
    x, y = problem.test
    found = np.asarray(problem.predict(params, x)) > 0.5
    return float(np.mean(found == (y == 2 if y.max() > 1 else y == 1)))


def _problem(coded):
    data, test = _tumours(coded)
    return Problem(
        lambda key: {"theta": jnp.zeros(30), "bias": jnp.zeros(1)},
        _predict,
        _cost,
        data,
        test=test,
        gradient=_gradient,
        learning_rate=0.2,
        num_steps=1000,
    )


def broken() -> Problem:
    """As it was written."""
    return _problem(coded=True)


def repaired() -> Problem:
    """Mended."""
    return _problem(coded=False)


FAULT = Fault(
    broken,
    "labels-out-of-range",
    repaired,
    task="classification",
    symptom=Figure(share_right, at_most=0.87),
    reaches=Figure(share_right, at_least=0.94),
    equivalents=("targets-outside-range", "loss-not-minimal-at-target"),
)
