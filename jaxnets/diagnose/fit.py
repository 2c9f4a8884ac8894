"""Whether a few rows can be memorised at all: Adam on the functions as they are written."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxnets.diagnose.problem import Problem, some_rows
from jaxnets.diagnose.quick import quick
from jaxnets.diagnose.training import Run, Trainer
from jaxnets.types import Array, Batch, PyTree

NUM_ROWS = 32
NUM_STEPS = 300
RATES = (0.01, 0.001, 0.1)


class Fit(NamedTuple):
    """The best of some trainings by Adam on a few rows.

    Attributes:
        run: the training.
        rows: that were memorised.
        before: the outputs for them before the first step.
        outputs: after the last.
    """

    run: Run
    rows: Batch
    before: np.ndarray
    outputs: np.ndarray

    @property
    def labels(self) -> np.ndarray | None:
        """Of the rows; None where the outputs are no classes' scores."""
        return labels_of(self.outputs, np.asarray(jax.tree.leaves(self.rows.targets)[0]))

    @property
    def share_right(self) -> float:
        """Of the labels that have the largest output; NaN without labels."""
        labels = self.labels
        return float("nan") if labels is None else float((self.outputs.argmax(axis=-1) == labels).mean())

    @property
    def rank(self) -> float:
        """Share of the other classes that score lower than the row's own, the mean over rows."""
        labels, scores = self.labels, np.asarray(self.outputs, float)
        own = np.take_along_axis(scores, labels[..., None], axis=-1)
        lower = (scores < own).sum(axis=-1) + 0.5 * ((scores == own).sum(axis=-1) - 1)
        return float(lower.mean() / (scores.shape[-1] - 1))

    @property
    def correlation(self) -> float:
        """Between outputs and targets, or the column that agrees best; NaN where they do not compare."""
        targets = np.asarray(jax.tree.leaves(self.rows.targets)[0], float)
        num_rows = len(targets)
        if self.outputs.dtype.kind != "f" or len(self.outputs) != num_rows:
            return float("nan")
        outputs, targets = self.outputs.reshape(num_rows, -1), targets.reshape(num_rows, -1)
        if outputs.shape == targets.shape:
            return correlation(outputs, targets)
        if targets.shape[1] > 1:
            return float("nan")
        found = [correlation(outputs[:, [place]], targets) for place in range(outputs.shape[1])]
        return max(found, key=abs)


def labels_of(outputs: Array, targets: np.ndarray) -> np.ndarray | None:
    """Each row's class, whole or one-hot, where the outputs have a number for each; None elsewhere.

    >>> labels_of(np.zeros((2, 3)), np.eye(3)[[2, 0]]).tolist()
    [2, 0]
    """
    num_scores = outputs.shape[-1] if outputs.ndim else 0
    if num_scores < 2:
        return None
    if targets.dtype.kind in "iu" and outputs.ndim == targets.ndim + 1:
        return targets if targets.max() < num_scores and targets.min() >= 0 else None
    if targets.shape == outputs.shape and np.isin(targets, (0, 1)).all():
        return targets.argmax(axis=-1) if (targets.sum(axis=-1) == 1).all() else None
    return None


def _are_real(params: PyTree) -> PyTree:
    """Which leaves are numbers that a step can move; counters are none."""
    return jax.tree.map(lambda leaf: jnp.issubdtype(jnp.result_type(leaf), jnp.inexact), params)


def adam_for(params: PyTree) -> optax.GradientTransformation:
    """Adam at a rate of 1; its small number is one that the params' bits can hold.

    >>> state = adam_for(jnp.ones(2, jnp.float16)).init(jnp.ones(2, jnp.float16))
    """
    is_half = any(jnp.result_type(leaf) == jnp.float16 for leaf in jax.tree.leaves(params))
    return optax.adam(1.0, eps=1e-4 if is_half else 1e-8)


class Fitter:
    """Adam on a few rows of a problem, from the same params; compiled once."""

    def __init__(self, problem: Problem, params: PyTree) -> None:
        self._problem, self._params = problem, params
        alone = problem.replace(
            data=tuple(some_rows(problem.data, NUM_ROWS)), update=None, gradient=None, learning_rate=None,
            batch_size=None, num_steps=None, valid=None, test=None,
            optimizer=optax.masked(adam_for(params), _are_real),
        )  # fmt: skip
        self._trainer = Trainer(alone, params)

    def fit(self, rows: Batch | None = None) -> Fit:
        """The training that brings the loss of ``NUM_ROWS`` rows down furthest, of some rates.

        Args:
            rows: the training rows' own where not said.
        """
        rows, trainer = some_rows(rows or self._problem.data, NUM_ROWS), self._trainer
        num_steps = min(NUM_STEPS, trainer.most_steps)
        found = [trainer.run(scale=rate, num_steps=num_steps, data=rows) for rate in RATES]
        best = min(found, key=lambda run: run.end)
        before, outputs = (self._outputs(one, rows) for one in (self._params, best.params))
        return Fit(best, Batch(*rows), before, outputs)

    def _outputs(self, params: PyTree, rows: Batch) -> np.ndarray:
        return np.asarray(jax.tree.leaves(quick(self._problem.predict)(params, rows.inputs))[0])


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Over all columns, each about its mean; 0 where nothing varies."""
    one, other = (np.asarray(leaf, float) - leaf.mean(axis=0) for leaf in (one, other))
    length = np.sqrt(np.square(one).sum() * np.square(other).sum())
    return float((one * other).sum() / length) if length > 1e-12 else 0.0
