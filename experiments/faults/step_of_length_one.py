"""Steps of a fixed length, ``g / |g|``, on a hinge loss: once all margins are kept, ``g`` is exactly 0.

Source: questions about normalised gradient descent by hand that works and then, suddenly, is NaN.
Symptom: all weights are NaN.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from experiments.faults._data import blobs
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import not_finite, sided
from jaxnets.diagnose import Problem


def init(key):
    """Zeros are as good as anything for a plane."""
    del key
    return {"w": jnp.zeros(4), "b": jnp.zeros(())}


def score(p, x):
    """Above 0: the second class."""
    return x @ p["w"] + p["b"]


def hinge(p, x, y):
    """Mean distance to the margin."""
    return jnp.maximum(0, 1 - (2 * y - 1) * score(p, x)).mean()


def problem(least) -> Problem:
    """Twenty rows a step."""
    x, y = blobs(300, num_classes=2, seed=13)

    def update(p, x, y):
        slope = jax.grad(hinge)(p, x, y)
        length = jnp.sqrt(sum(jnp.sum(g**2) for g in jax.tree.leaves(slope)))
        return jax.tree.map(lambda w, g: w - 0.05 * g / (length + least), p, slope)

    return Problem(init, score, hinge, (x, y.astype("float32")), update=update, batch_size=20, num_steps=300)


def broken() -> Problem:
    """0 / 0 in the end."""
    return problem(0.0)


def repaired() -> Problem:
    """Never divides by 0."""
    return problem(1e-8)


FAULT = Fault(
    broken, "rule-divides-by-zero", repaired, task="classification",
    symptom=Figure(not_finite, at_least=1.0), reaches=Figure(sided(0.0), at_least=0.97),
)  # fmt: skip
