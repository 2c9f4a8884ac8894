"""Layer-wise rates by hand, |w| / |g| for every array; the biases and the last layer start at zero.

Source: an issue of somebody who wrote a large-batch optimizer (LARS) from its paper.
Symptom: every class has the same probability after the training, to the last digit.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.datasets import load_wine

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import accuracy
from experiments.faults._networks import cross_entropy, dense, forward, supervised
from jaxnets.diagnose import Problem


def init(key):
    """The params."""
    first, last = dense(key, (13, 32, 3))
    return [first, jax.tree.map(jnp.zeros_like, last)]


def predict(params, x):
    """The network."""
    return forward(params, x, jax.nn.relu)


def loss(params, x, y):
    """What is minimised."""
    return cross_entropy(predict(params, x), y)


def update_by(guarded):
    """A step by hand."""

    def new(w, g):
        size, slope = jnp.linalg.norm(w.ravel()), jnp.linalg.norm(g.ravel())
        ratio = size / (slope + 1e-9)
        if guarded:
            ratio = jnp.where(size > 0, jnp.minimum(ratio, 10.0), 1.0)
        return w - 0.05 * ratio * g

    def update(params, x, y):
        return jax.tree.map(new, params, jax.grad(loss)(params, x, y))

    return update


def data():
    """Rows to train on and to test with."""
    x, y = load_wine(return_X_y=True)
    order = np.random.default_rng(2).permutation(len(x))
    x, y = x[order], y[order]
    x = ((x - x[:120].mean(0)) / x[:120].std(0)).astype(np.float32)
    return (x[:120], y[:120]), (x[120:], y[120:])


def problem(guarded) -> Problem:
    """Either."""
    train, test = data()
    return supervised(
        init,
        predict,
        cross_entropy,
        train,
        test=test,
        update=update_by(guarded),
        batch_size=40,
        num_steps=150,
    )


def broken() -> Problem:
    """As it was written."""
    return problem(False)


def repaired() -> Problem:
    """Mended."""
    return problem(True)


FAULT = Fault(
    broken,
    "frozen-parameters",
    repaired,
    task="classification",
    symptom=Figure(accuracy, at_most=0.6),
    reaches=Figure(accuracy, at_least=0.9),
)
