"""A softmax over a single output, which is 1 whatever the network says.

Source: questions about a binary classifier that predicts one class for all; Chollet's table of last layers.
Symptom: every probability is 1, nothing moves.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import optax

from experiments.faults._data import column, scaled_table
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import sided, spread
from experiments.faults._networks import dense, forward, supervised
from jaxnets.diagnose import Problem


def cost(p, y):
    """Binary cross-entropy of probabilities."""
    p = jnp.clip(p, 1e-6, 1 - 1e-6)
    return -jnp.mean(y * jnp.log(p) + (1 - y) * jnp.log(1 - p))


def problem(last) -> Problem:
    """Tumours, one output."""
    x, labels = scaled_table("breast_cancer")
    return supervised(
        lambda key: dense(key, (30, 16, 1)), lambda params, x: last(forward(params, x, jax.nn.relu)),
        cost, (x, column(labels)), optimizer=optax.adam(0.003), batch_size=64, num_steps=300,
    )  # fmt: skip


def broken() -> Problem:
    """softmax."""
    return problem(jax.nn.softmax)


def repaired() -> Problem:
    """sigmoid."""
    return problem(jax.nn.sigmoid)


FAULT = Fault(
    broken, "single-output-softmax", repaired, task="classification", equivalents=("constant-prediction",),
    symptom=Figure(spread, at_most=0.0), reaches=Figure(sided(0.5), at_least=0.97),
)  # fmt: skip
