"""Numbers of trained problems, ``measure(problem, params) -> number``: on test rows where there are any."""

from __future__ import annotations

from collections.abc import Callable

import jax
import numpy as np

from jaxnets.diagnose import Problem
from jaxnets.types import Array, Batch, Params


def _rows(problem: Problem) -> Batch:
    return problem.data if problem.test is None else problem.test


def outputs(problem: Problem, params: Params) -> np.ndarray:
    """All predictions."""
    return np.asarray(jax.jit(problem.predict)(params, _rows(problem).inputs))


def labels(found: Array) -> np.ndarray:
    """Classes: as they are, or the largest of each row."""
    found = np.asarray(found)
    return found.argmax(axis=1) if found.ndim == 2 and found.shape[1] > 1 else found.ravel()


def accuracy(problem: Problem, params: Params) -> float:
    """Share of rows whose largest output is their label's."""
    return float(np.mean(labels(outputs(problem, params)) == labels(_rows(problem).targets)))


def sided(threshold: float) -> Callable[[Problem, Params], float]:
    """Accuracy of a single output that means class 1 above a threshold."""

    def measure(problem: Problem, params: Params) -> float:
        return float(
            np.mean((outputs(problem, params).ravel() > threshold) == labels(_rows(problem).targets))
        )

    return measure


def squared_error(problem: Problem, params: Params) -> float:
    """Mean over rows and outputs, in units of the targets' variance: 1 is what their mean reaches."""
    targets = np.asarray(_rows(problem).targets)
    found = outputs(problem, params).reshape(targets.shape)
    return float(np.mean((found - targets) ** 2) / np.mean((targets - targets.mean(axis=0)) ** 2))


def loss(problem: Problem, params: Params) -> float:
    """What is minimised."""
    return float(jax.jit(problem.loss)(params, *_rows(problem)))


def commonest(problem: Problem, params: Params) -> float:
    """Share of rows with the class that is predicted most."""
    return float(
        np.bincount(labels(outputs(problem, params)).astype(int)).max() / len(_rows(problem).targets)
    )


def spread(problem: Problem, params: Params) -> float:
    """The largest difference between the predictions of two rows."""
    return float(np.ptp(outputs(problem, params), axis=0).max())


def not_finite(problem: Problem, params: Params) -> float:
    """Share of predictions that are NaN or infinite."""
    return float(np.mean(~np.isfinite(outputs(problem, params))))


def gradient_error(problem: Problem, params: Params) -> float:
    """Length of the difference between the gradient by hand and jax's, over that of jax's."""
    given = jax.tree.leaves(jax.jit(problem.grad)(params, *problem.data))
    right = jax.tree.leaves(jax.jit(jax.grad(problem.loss))(params, *problem.data))
    off = sum(float(np.sum((np.asarray(g) - np.asarray(r)) ** 2)) for g, r in zip(given, right, strict=True))
    return float(np.sqrt(off / sum(float(np.sum(np.asarray(r) ** 2)) for r in right)))


def gradient_norm(problem: Problem, params: Params) -> float:
    """Length of the gradient that a step follows; infinite where 32 bits do not hold it."""
    leaves = jax.tree.leaves(jax.jit(problem.grad)(params, *problem.data))
    length = np.sqrt(sum(np.sum(np.square(np.asarray(leaf, np.float64))) for leaf in leaves))
    return float("inf") if np.isnan(length) else float(length)


def largest_weight(problem: Problem, params: Params) -> float:
    """The largest size of a parameter."""
    return max(float(np.abs(leaf).max()) for leaf in jax.tree.leaves(params))
