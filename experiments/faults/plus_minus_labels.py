"""Labels -1 and 1 of a support vector machine in ``-(y log p + (1 - y) log(1 - p))``, written for 0 and 1.

Source: questions about a cross-entropy that becomes negative.
Symptom: the loss falls below zero without end, and weights grow.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from experiments.faults._data import scaled_table
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import loss
from jaxnets.diagnose import Problem


def init(key):
    """30 slopes and an intercept."""
    return 0.01 * jax.random.normal(key, (31,))


def probability(theta, x):
    """Of a tumour that is malign, or not."""
    return jax.nn.sigmoid(x @ theta[1:] + theta[0])


def cost(theta, x, y):
    """As in the lecture."""
    p = jnp.clip(probability(theta, x), 1e-6, 1 - 1e-6)
    return -jnp.mean(y * jnp.log(p) + (1 - y) * jnp.log(1 - p))


def problem(low) -> Problem:
    """Full batches."""
    x, y = scaled_table("breast_cancer")
    targets = np.where(y == 1, 1.0, low).astype(np.float32)
    return Problem(init, probability, cost, (x, targets), learning_rate=0.5, num_steps=200)


def broken() -> Problem:
    """-1 and 1."""
    return problem(-1.0)


def repaired() -> Problem:
    """0 and 1."""
    return problem(0.0)


FAULT = Fault(
    broken, "loss-not-minimal-at-target", repaired, task="classification",
    equivalents=("labels-out-of-range", "targets-outside-range"),
    symptom=Figure(loss, at_most=-0.5), reaches=Figure(loss, at_least=0.0, at_most=0.15),
)  # fmt: skip
