"""What rules look at: pure measurements of a problem, each made once, when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.diagnose.curvature import batch_curvature
from jaxnets.diagnose.fit import Fit, Fitter
from jaxnets.diagnose.flow import Flow, follower, slope_of
from jaxnets.diagnose.heads import Head
from jaxnets.diagnose.problem import Problem, some_rows, spaced
from jaxnets.diagnose.quick import quick
from jaxnets.diagnose.reach import reachable
from jaxnets.diagnose.sides import Side, unseen_side
from jaxnets.diagnose.start import moved
from jaxnets.diagnose.trace import Trace
from jaxnets.diagnose.training import Run, Trainer
from jaxnets.types import Array, Batch, PyTree

MOST_ROWS = 256
"""Rows that are looked at; evenly spaced over all."""
LONGER = (10.0, 100.0, 1e3, 1e4, 1e5, 1e6)
"""By what steps are multiplied, to see whether longer ones get further."""
RISEN = 0.01
"""Share of a loss by which one that rises does so; less is the noise of batches."""
FEW_ROWS = 32
"""Rows at which the head is looked at."""


class Probe:
    """A problem with what was measured of it.

    Args:
        key: of the initialisation, and of what is drawn besides.
    """

    def __init__(self, problem: Problem, key: jax.Array) -> None:
        self.problem, self.key = problem, key
        self._runs: dict[float, Run] = {}

    @cached_property
    def params(self) -> PyTree:
        """Before the first step."""
        return quick(lambda key: jax.tree.map(jnp.asarray, self.problem.init(key)))(self.key)

    @cached_property
    def sample(self) -> Batch:
        """Rows from all over the training set."""
        return some_rows(self.problem.data, MOST_ROWS)

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
        return jax.tree.leaves(quick(self.problem.predict)(self.params, self.sample.inputs))[0]

    @cached_property
    def nudged(self) -> PyTree:
        """The initial params, moved by a tenth of their scale: zeros no longer hide what differs."""
        generator = np.random.default_rng(0)
        return jax.tree.map(lambda leaf: _nudged(generator, leaf), self.params)

    @cached_property
    def some(self) -> Batch:
        """A few rows from all over the training set."""
        rows = spaced(self.problem.num_rows, FEW_ROWS)
        return jax.tree.map(lambda leaf: leaf[rows], self.problem.data)

    @cached_property
    def head(self) -> Head | None:
        """What stands between the last layer and the loss; None where that cannot be told."""
        found = Head(self.problem, self.nudged, self.some)
        return found if found.outputs is not None else None

    @cached_property
    def unseen_side(self) -> Side | None:
        """One of two classes of whose rows the loss sees nothing."""
        return None if self.head is None else unseen_side(self.problem, self.head)

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
        return float(quick(self.problem.loss)(self.params, *self.batch))

    @cached_property
    def slope(self) -> PyTree:
        """The gradient of the loss on the first batch; zero for leaves that are whole numbers."""
        return quick(slope_of(self.problem.loss))(self.params, *self.batch)

    @cached_property
    def slope_at(self) -> Callable[[PyTree], PyTree]:
        """The gradient of the loss on the sample, at any params."""
        slope = quick(slope_of(self.problem.loss))
        return lambda params: slope(params, *self.sample)

    @cached_property
    def seen_at(self) -> Callable[[PyTree], tuple[Any, Array]]:
        """What is predicted for the sample, and its loss, at any params."""
        problem, (inputs, targets) = self.problem, self.sample
        return quick(lambda params: (problem.predict(params, inputs), problem.loss(params, inputs, targets)))

    @cached_property
    def flow_at(self) -> Callable[[PyTree], Flow]:
        """The loss on the sample followed through its layers, for any params."""
        return follower(self.problem.loss, self.params, *self.sample)

    @cached_property
    def flow(self) -> Flow:
        """Before the first step."""
        return self.flow_at(self.params)

    @cached_property
    def elsewhere(self) -> list[PyTree]:
        """Params at other places: moved by as much as they are large, so that no unit is dead in all."""
        move = quick(moved)
        return [move(key, self.params) for key in jax.random.split(jax.random.fold_in(self.key, 1), 3)]

    @cached_property
    def trainer(self) -> Trainer:
        """Of the steps as they are made."""
        return Trainer(self.problem, self.params)

    @cached_property
    def run(self) -> Run:
        """A short training as it is made; as long as planned where that can be afforded."""
        return self.run_at(1.0)

    def run_at(self, scale: float) -> Run:
        """With steps so many times as long; each length is trained once."""
        if scale not in self._runs:
            self._runs[scale] = self.trainer.run(scale=scale)
        return self._runs[scale]

    @cached_property
    def longer_run(self) -> Run:
        """Ten times as many steps, or as many as can be afforded."""
        return self.trainer.run(num_steps=min(10 * self.run.num_steps, 5 * self.trainer.most_steps))

    @cached_property
    def smaller_scale(self) -> float | None:
        """By what steps must be multiplied so that the loss falls as it should; None where they need not.

        It must fall where it rose or diverged, or three times as far as it did. A rise of less than a percent
        is that of batches which differ: one where longer and shorter steps stay on a plateau.
        """
        run, first = self.run, abs(float(self.run.losses[0]))
        for scale in (0.1, 0.01, 1e-3, 1e-4, 1e-5) if not run.drop > 0 else (0.1,):
            drop = self.run_at(scale).drop
            if drop > 1e-4 * first and (
                run.drop < -RISEN * first or (drop > 0.05 * first and run.drop < 0.3 * drop)
            ):
                return scale
        return None

    @cached_property
    def larger_scale(self) -> float:
        """By what steps can be multiplied as long as the loss falls further and further.

        Where it does not change at all, steps are rounded off: longer ones are tried.
        """
        best, least = 1.0, 1e-6 * abs(float(self.run.losses[0]))
        for scale in LONGER:
            if self.run_at(scale).drop > self.run_at(best).drop:
                best = scale
            elif not abs(self.run_at(best).drop) <= least:
                break
        return best

    @cached_property
    def fitter(self) -> Fitter:
        """Adam on a few rows."""
        return Fitter(self.problem, self.params)

    @cached_property
    def fit(self) -> Fit:
        """What Adam makes of a few rows in a few hundred steps, whatever steps are planned."""
        return self.fitter.fit()

    @cached_property
    def stepped(self) -> PyTree:
        """The params after the first step as it is made."""
        problem = self.problem
        step = quick(lambda params, batch: problem.step(params, problem.begin(params), *batch)[0])
        return step(self.params, self.batch)

    @cached_property
    def curvature(self) -> float:
        """The size of the Hessian's largest eigenvalue on the first batch, or the mean over tiny ones."""
        return batch_curvature(self.problem, self.params, self.key)


def _nudged(generator: np.random.Generator, leaf: Array) -> Array:
    if not jnp.issubdtype(leaf.dtype, jnp.inexact):
        return leaf
    value = np.asarray(leaf, np.float64)
    noise = generator.standard_normal(leaf.shape)
    return jnp.asarray(value + 0.1 * (np.abs(value).mean() + 0.1) * noise, leaf.dtype)


def norm(tree: PyTree) -> float:
    """The length of all numbers of a pytree together."""
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(tree)]
    return float(np.sqrt(sum(float(np.vdot(leaf, leaf)) for leaf in leaves)))


def is_finite(tree: Any) -> bool:
    """Whether all numbers of a pytree are."""
    return all(bool(np.isfinite(np.asarray(leaf)).all()) for leaf in jax.tree.leaves(tree))
