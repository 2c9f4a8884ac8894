"""Maxout units whose three pieces are drawn from the same key: three times the same line.

Source: questions about ``jax.random`` keys used again; Goodfellow et al. 2013.
Symptom: the largest of equal numbers is one of them, and their gradients are the same: a linear classifier.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from experiments.faults._data import rings
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import sided
from experiments.faults._networks import binary_cross_entropy
from jaxnets.diagnose import Problem


def piece(key):
    """Weights and thresholds of ten lines."""
    return {"w": jax.random.normal(key, (2, 10)), "b": jnp.zeros(10)}


def start(keys_of):
    """Pieces stacked along axis 0, and the output."""

    def init(key):
        pieces, out = jax.random.split(key)
        return {"pieces": jax.vmap(piece)(keys_of(pieces)), "out": jax.random.normal(out, (10, 1)) / 3}

    return init


def logit(p, x):
    """The largest piece of each unit, and a weighted sum."""
    lines = jnp.einsum("ni,kij->nkj", x, p["pieces"]["w"]) + p["pieces"]["b"][None]
    return (lines.max(axis=1) @ p["out"])[:, 0]


def problem(keys_of) -> Problem:
    """Two circles."""
    x, y = rings()
    loss = lambda p, x, y: binary_cross_entropy(logit(p, x), y)  # noqa: E731
    return Problem(start(keys_of), logit, loss, (x, y.astype("float32")), learning_rate=0.3, num_steps=300)


def broken() -> Problem:
    """One key three times."""
    return problem(lambda key: jnp.stack([key] * 3))


def repaired() -> Problem:
    """Three keys."""
    return problem(lambda key: jax.random.split(key, 3))


FAULT = Fault(
    broken, "symmetric-init", repaired, task="classification",
    equivalents=("identical-units", "linear-network"),
    symptom=Figure(sided(0.0), at_most=0.7), reaches=Figure(sided(0.0), at_least=0.95),
)  # fmt: skip
