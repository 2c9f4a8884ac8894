"""AdaGrad by hand, ``g / sqrt(sum g^2)``: the weights of pixels that are always 0 become 0 / 0.

Source: Duchi, Hazan & Singer 2011, whose small constant was left out.
Symptom: NaN after the first step.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from experiments.faults._data import digits
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import accuracy, not_finite
from experiments.faults._networks import cross_entropy
from jaxnets.diagnose import Problem


def init(key):
    """Weights, and the squares that were seen."""
    w = {"w": 0.01 * jax.random.normal(key, (64, 10)), "b": jnp.zeros(10)}
    return {"weights": w, "squares": jax.tree.map(jnp.zeros_like, w)}


def predict(state, x):
    """Logits."""
    return x @ state["weights"]["w"] + state["weights"]["b"][None]


def loss(state, x, labels):
    """Cross-entropy."""
    return cross_entropy(predict(state, x), labels)


def adagrad(epsilon):
    """An update whose root has this constant beside it."""

    def update(state, x, labels):
        g = jax.grad(loss)(state, x, labels)["weights"]
        squares = jax.tree.map(lambda s, g: s + g**2, state["squares"], g)
        move = lambda w, g, s: w - 0.1 * g / (jnp.sqrt(s) + epsilon)  # noqa: E731
        return {"weights": jax.tree.map(move, state["weights"], g, squares), "squares": squares}

    return update


def broken() -> Problem:
    """0."""
    return Problem(init, predict, loss, digits(), update=adagrad(0.0), batch_size=100, num_steps=200)


def repaired() -> Problem:
    """1e-8."""
    return broken().replace(update=adagrad(1e-8))


FAULT = Fault(
    broken, "rule-divides-by-zero", repaired, task="classification",
    symptom=Figure(not_finite, at_least=0.9), reaches=Figure(accuracy, at_least=0.95),
)  # fmt: skip
