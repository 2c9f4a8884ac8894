"""Slope and intercept of a line from its points by one squared error, though the intercept is an integer.

Source: the courses' exercise on mixed outputs: intercepts -2, -1, 0, 1, 2.
Symptom: the intercept comes out between the integers; rounded, it is often wrong.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import outputs
from experiments.faults._networks import cross_entropy, mean_square, of_module
from jaxnets.diagnose import Problem
from jaxnets.models import MLP


def rows():
    """Ten values of each line at the same places, its slope and its intercept."""
    generator = np.random.default_rng(0)
    slope, intercept = generator.uniform(-2, 2, 600), generator.integers(-2, 3, 600)
    x = slope[:, None] * np.linspace(-1, 1, 10)[None] + intercept[:, None] + generator.normal(size=(600, 10))
    return x.astype(np.float32), np.column_stack([slope, intercept]).astype(np.float32)


def problem(cost, num_outputs) -> Problem:
    """A network of 32 units."""
    model = MLP(widths=(32,), num_outputs=num_outputs)
    return of_module(model, cost, rows(), optimizer=optax.adam(0.01), num_steps=400)


def broken() -> Problem:
    """One squared error."""
    return problem(mean_square, 2)


def mixed(out, y):
    """Squared error of the slope, softmax over the five intercepts."""
    return mean_square(out[:, 0], y[:, 0]) + cross_entropy(out[:, 1:], y[:, 1].astype(jnp.int32) + 2)


def repaired() -> Problem:
    """A head for each."""
    return problem(mixed, 6)


def from_integers(problem, params):
    """How far intercepts are from integers on average."""
    found = outputs(problem, params)[:, 1]
    return float(np.abs(found - found.round()).mean())


def exact(problem, params):
    """Share of intercepts that are right, from the softmax."""
    found = jax.jit(problem.predict)(params, problem.data.inputs)[:, 1:].argmax(axis=1) - 2
    return float(np.mean(np.asarray(found) == problem.data.targets[:, 1]))


FAULT = Fault(
    broken, "integer-targets", repaired, task="regression",
    symptom=Figure(from_integers, at_least=0.1), reaches=Figure(exact, at_least=0.8),
)  # fmt: skip
