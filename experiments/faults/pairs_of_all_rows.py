"""A Huber loss of outputs (n, 1) less targets (n,): all n x n pairs, by a [None] against a shape error.

Source: a question-and-answer site ("regression network predicts the mean, shapes look fine").
Symptom: all predictions are near the mean of the targets; a linear model does far better.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import optax
from sklearn.datasets import load_diabetes

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import squared_error
from experiments.faults._networks import dense, forward, supervised
from jaxnets.diagnose import Problem


def init(key):
    """The params."""
    return dense(key, (10, 16, 1))


def broken_huber(outputs, targets):
    """Of all pairs."""
    return jnp.mean(optax.losses.huber_loss(outputs - targets[None, :]))


def right_huber(outputs, targets):
    """Of each row."""
    return jnp.mean(optax.losses.huber_loss(outputs - targets[:, None]))


def data():
    """Rows to train on and to test with."""
    x, y = load_diabetes(return_X_y=True)
    order = np.random.default_rng(9).permutation(len(x))
    x, y = x[order], y[order]
    x = ((x - x[:340].mean(0)) / x[:340].std(0)).astype(np.float32)
    y = ((y - y[:340].mean()) / y[:340].std()).astype(np.float32)
    return (x[:340], y[:340]), (x[340:], y[340:])


def problem(cost) -> Problem:
    """Either."""
    train, test = data()
    return supervised(
        init,
        forward,
        cost,
        train,
        test=test,
        optimizer=optax.adamw(3e-3, weight_decay=1e-2),
        batch_size=34,
        num_steps=200,
    )


def broken() -> Problem:
    """As it was written."""
    return problem(broken_huber)


def repaired() -> Problem:
    """Mended."""
    return problem(right_huber)


FAULT = Fault(
    broken,
    "loss-not-minimal-at-target",
    repaired,
    task="regression",
    symptom=Figure(squared_error, at_least=0.9),
    reaches=Figure(squared_error, at_most=0.65),
)
