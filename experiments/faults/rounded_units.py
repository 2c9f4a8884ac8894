"""Hidden units rounded to 0 or 1, for a "binary code": a step has no slope, so the first layer stays.

Source: questions about ``round``, ``sign`` and comparisons inside a network; Bengio, Léonard & Courville
2013.
Symptom: the first layer never moves.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.faults._data import moons
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import accuracy
from experiments.faults._networks import cross_entropy, dense, forward, supervised
from jaxnets.diagnose import Problem


def straight_through(z):
    """Rounded, with the slope of the sigmoid."""
    p = jax.nn.sigmoid(z)
    return p + jax.lax.stop_gradient(jnp.round(p) - p)


def problem(activation) -> Problem:
    """Half moons by six units."""
    return supervised(
        lambda key: dense(key, (2, 6, 2)), lambda params, x: forward(params, x, activation), cross_entropy,
        moons(), optimizer=optax.adam(0.03), num_steps=400,
    )  # fmt: skip


def broken() -> Problem:
    """Rounded."""
    return problem(lambda z: jnp.round(jax.nn.sigmoid(z)))


def repaired() -> Problem:
    """With a slope."""
    return problem(straight_through)


def moved(problem, params):
    """How far the first layer is from its beginning."""
    return float(np.abs(problem.init(jax.random.key(0))[0]["w"] - params[0]["w"]).max())


FAULT = Fault(
    broken, "frozen-parameters", repaired, task="classification",
    symptom=Figure(moved, at_most=1e-6), reaches=Figure(accuracy, at_least=0.9),
)  # fmt: skip
