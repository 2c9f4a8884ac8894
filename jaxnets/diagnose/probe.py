"""What rules look at: pure measurements of a problem, each made once, when it is first asked for."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.diagnose.heads import Head
from jaxnets.diagnose.problem import Problem
from jaxnets.diagnose.reach import reachable
from jaxnets.diagnose.trace import Trace
from jaxnets.types import Array, Batch, PyTree

MOST_ROWS = 256
"""Rows that are looked at; evenly spaced over all."""
FEW_ROWS = 32
"""Rows at which the head is looked at."""
POWER_STEPS = 30
"""Of the power iteration."""


class Probe:
    """A problem with what was measured of it.

    Args:
        key: of the initialisation, and of what is drawn besides.
    """

    def __init__(self, problem: Problem, key: jax.Array) -> None:
        self.problem, self.key = problem, key

    @cached_property
    def params(self) -> PyTree:
        """Before the first step."""
        return jax.tree.map(jnp.asarray, self.problem.init(self.key))

    @cached_property
    def sample(self) -> Batch:
        """Rows from all over the training set."""
        rows = np.unique(np.linspace(0, self.problem.num_rows - 1, MOST_ROWS).astype(int))
        return jax.tree.map(lambda leaf: jnp.asarray(leaf[rows]), self.problem.data)

    @cached_property
    def batch(self) -> Batch:
        """Rows of the first step."""
        size = self.problem.batch_size or self.problem.num_rows
        return jax.tree.map(lambda leaf: jnp.asarray(leaf[:size]), self.problem.data)

    @cached_property
    def targets(self) -> np.ndarray:
        """Of all training rows."""
        return np.asarray(jax.tree.leaves(self.problem.data.targets)[0])

    @cached_property
    def labels(self) -> np.ndarray | None:
        """Each row's class, where the targets are whole numbers in one column, or one-hot."""
        found = self.targets
        if found.ndim == 1 and found.dtype.kind in "iu":
            return found
        is_one_hot = found.ndim == 2 and found.shape[1] > 1 and np.isin(found, (0, 1)).all()
        return found.argmax(axis=1) if is_one_hot and (found.sum(axis=1) == 1).all() else None

    @cached_property
    def inputs(self) -> np.ndarray:
        """Of all training rows, a line a row."""
        leaf = np.asarray(jax.tree.leaves(self.problem.data.inputs)[0])
        return leaf.reshape(len(leaf), -1)

    @cached_property
    def outputs(self) -> Array:
        """Of the sample, before the first step."""
        return jax.tree.leaves(jax.jit(self.problem.predict)(self.params, self.sample.inputs))[0]

    @cached_property
    def moved(self) -> PyTree:
        """The initial params, moved by a tenth of their scale: zeros no longer hide what differs."""
        generator = np.random.default_rng(0)
        return jax.tree.map(lambda leaf: _moved(generator, leaf), self.params)

    @cached_property
    def some(self) -> Batch:
        """A few rows from all over the training set."""
        rows = np.unique(np.linspace(0, self.problem.num_rows - 1, FEW_ROWS).astype(int))
        return jax.tree.map(lambda leaf: leaf[rows], self.problem.data)

    @cached_property
    def head(self) -> Head | None:
        """What stands between the last layer and the loss; None where that cannot be told."""
        found = Head(self.problem, self.moved, self.some)
        return found if found.outputs is not None else None

    def follow(self, inputs: Any) -> Trace:
        """The prediction for some rows, operation by operation, before the first step."""
        return Trace(self.problem.predict, self.params, inputs)

    @cached_property
    def followed(self) -> Trace:
        """That of the sample."""
        return self.follow(self.sample.inputs)

    @cached_property
    def reach(self) -> tuple[float, float]:
        """The interval of all outputs that params drawn at growing scales give; infinite where they grow."""
        return reachable(self.problem, self.params, self.some.inputs)

    @cached_property
    def loss(self) -> float:
        """Of the first batch, before the first step."""
        return float(jax.jit(self.problem.loss)(self.params, *self.batch))

    @cached_property
    def slope(self) -> PyTree:
        """The gradient of the loss on the first batch."""
        return jax.jit(jax.grad(self.problem.loss))(self.params, *self.batch)

    @cached_property
    def stepped(self) -> PyTree:
        """The params after the first step as it is made."""
        problem = self.problem
        return problem.step(self.params, problem.begin(self.params), *self.batch)[0]

    @cached_property
    def curvature(self) -> float:
        """The size of the Hessian's largest eigenvalue on the first batch, by power iteration."""
        slope = lambda params: jax.grad(self.problem.loss)(params, *self.batch)  # noqa: E731

        @jax.jit
        def along(vector: PyTree) -> tuple[PyTree, Array]:
            product = jax.jvp(slope, (self.params,), (vector,))[1]
            length = _norm(product)
            return jax.tree.map(lambda leaf: leaf / jnp.maximum(length, 1e-30), product), length

        keys = jax.random.split(self.key, len(jax.tree.leaves(self.params)))
        leaves, structure = jax.tree.flatten(self.params)
        drawn = [jax.random.normal(key, leaf.shape) for key, leaf in zip(keys, leaves, strict=True)]
        vector, length = jax.tree.unflatten(structure, drawn), jnp.zeros(())
        for _ in range(POWER_STEPS):
            vector, length = along(vector)
        return float(length)


def _moved(generator: np.random.Generator, leaf: Array) -> Array:
    if not jnp.issubdtype(leaf.dtype, jnp.inexact):
        return leaf
    value = np.asarray(leaf, np.float64)
    noise = generator.standard_normal(leaf.shape)
    return jnp.asarray(value + 0.1 * (np.abs(value).mean() + 0.1) * noise, leaf.dtype)


def _norm(tree: PyTree) -> Array:
    return jnp.sqrt(sum(jnp.vdot(leaf, leaf) for leaf in jax.tree.leaves(tree)))


def norm(tree: PyTree) -> float:
    """The length of all numbers of a pytree together."""
    return float(_norm(tree))


def is_finite(tree: Any) -> bool:
    """Whether all numbers of a pytree are."""
    return all(bool(np.isfinite(np.asarray(leaf)).all()) for leaf in jax.tree.leaves(tree))
