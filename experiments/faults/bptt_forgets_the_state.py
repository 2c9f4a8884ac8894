"""Back-propagation through time by hand: the slope of the state is not carried on to the step before.

Source: a question on a code-review site, a small recurrent net in NumPy.
Symptom: it learns what the last sample says and little of what came earlier.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import squared_error
from experiments.faults._networks import mean_square, supervised
from jaxnets.diagnose import Problem

HIDDEN = 20


def init(key):
    """The params."""
    ways = jax.random.split(key, 3)
    return {
        "in": jax.random.normal(ways[0], (2, HIDDEN)) / jnp.sqrt(2.0),
        "on": 0.9 * jax.random.orthogonal(ways[1], HIDDEN),
        "bias": jnp.zeros(HIDDEN),
        "out": jax.random.normal(ways[2], (HIDDEN, 1)) / jnp.sqrt(HIDDEN),
        "level": jnp.zeros(1),
    }


def states(params, x):
    """Of all times."""
    found = [jnp.zeros((len(x), HIDDEN))]
    for now in range(x.shape[1]):
        found.append(jnp.tanh(x[:, now] @ params["in"] + found[-1] @ params["on"] + params["bias"][None]))
    return found


def predict(params, x):
    """The network."""
    return states(params, x)[-1] @ params["out"] + params["level"][None]


def gradient_by(carries):
    """By hand, with or without what goes back in time."""

    def gradient(params, x, y):
        h = states(params, x)
        off = 2 * (h[-1] @ params["out"] + params["level"][None] - y) / len(x)
        slopes = jax.tree.map(jnp.zeros_like, params)
        slopes["out"], slopes["level"] = h[-1].T @ off, off.sum(0)
        down = off @ params["out"].T
        for now in reversed(range(x.shape[1])):
            inner = down * (1 - h[now + 1] ** 2)
            slopes["in"] += x[:, now].T @ inner
            slopes["on"] += h[now].T @ inner
            slopes["bias"] += inner.sum(0)
            down = inner @ params["on"].T if carries else jnp.zeros_like(down)
        return slopes

    return gradient


def data():
    """A sum with signs over five samples, bent."""
    rng = np.random.default_rng(13)
    x = rng.normal(size=(900, 5, 2)).astype(np.float32)
    y = np.sin(0.8 * (x[:, 0, 0] - x[:, 1, 1] + x[:, 3, 0]))[:, None]
    y = ((y - y.mean()) / y.std()).astype(np.float32)
    return (x[:700], y[:700]), (x[700:], y[700:])


def problem(carries) -> Problem:
    """Either."""
    train, test = data()
    return supervised(
        init,
        predict,
        mean_square,
        train,
        test=test,
        gradient=gradient_by(carries),
        learning_rate=0.05,
        batch_size=50,
        num_steps=1000,
    )


def broken() -> Problem:
    """As it was written."""
    return problem(False)


def repaired() -> Problem:
    """Mended."""
    return problem(True)


FAULT = Fault(
    broken,
    "wrong-gradient",
    repaired,
    task="sequence",
    symptom=Figure(squared_error, at_least=0.25),
    reaches=Figure(squared_error, at_most=0.18),
)
