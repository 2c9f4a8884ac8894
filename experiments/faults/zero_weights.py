"""All weights begin at 0: no layer passes anything on, in either direction.

Source: questions about networks from scratch; Goodfellow, Bengio, Courville, Deep Learning, 8.4.
Symptom: only the last biases move; every prediction is the frequency of the classes.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import optax

from experiments.faults._data import moons
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import accuracy, spread
from experiments.faults._networks import cross_entropy, dense, forward, supervised
from jaxnets.diagnose import Problem

SIZES = (2, 16, 16, 2)


def problem(init) -> Problem:
    """Half moons."""
    return supervised(init, forward, cross_entropy, moons(), optimizer=optax.adam(0.02), num_steps=300)


def broken() -> Problem:
    """Zeros."""
    return problem(lambda key: jax.tree.map(jnp.zeros_like, dense(key, SIZES)))


def repaired() -> Problem:
    """Normal numbers."""
    return problem(lambda key: dense(key, SIZES))


FAULT = Fault(
    broken, "symmetric-init", repaired, task="classification",
    equivalents=("identical-units", "constant-prediction"),
    symptom=Figure(spread, at_most=1e-6), reaches=Figure(accuracy, at_least=0.97),
)  # fmt: skip
