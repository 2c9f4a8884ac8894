"""Rules on the rows, before any function is called."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from jaxnets.diagnose.finding import Finding
from jaxnets.diagnose.fit import correlation
from jaxnets.diagnose.probe import Probe
from jaxnets.diagnose.problem import spaced
from jaxnets.diagnose.quick import quick
from jaxnets.diagnose.training import Trainer

MIXED = 0.4
"""Share of the mixture of classes that a batch must have of what shuffled rows would give it."""
MOST_COMPARED, LEAST_COMPARED = 512, 40
"""Rows whose neighbours are looked at."""
NEIGHBOURS = 5
"""Rows whose labels are compared with a row's."""
MOST_COLUMNS = 16
"""Of values that are compared."""
LEAST_LEARNED, MOST_LEARNED, NUM_FEATURES = 200, 2000, 256
"""Rows of which values are learned, and random features."""
ONE = 0.95
"""Correlation of a target with an input that it is."""
CLUSTERED = 0.75
"""Rows cluster where neighbours are nearer than this share of what independent columns would give: tables of
a dozen correlated columns are at 0.6, independent ones at 1."""


def non_finite_data(probe: Probe) -> Iterator[Finding]:
    """NaN or infinity among inputs or targets: a single one makes every sum of its batch NaN."""
    for name, leaves in zip(("inputs", "targets"), map(jax.tree.leaves, probe.problem.data), strict=True):
        wrong = sum(int((~np.isfinite(leaf)).sum()) for leaf in leaves if leaf.dtype.kind == "f")
        if wrong:
            yield Finding(
                "non-finite-data", "error", {f"{name} that are NaN or infinite": wrong},
                f"{wrong} of the {name} are NaN or infinite",
                "leave these rows out, or fill the gaps in",
            )  # fmt: skip


def inputs_constant(probe: Probe) -> Iterator[Finding]:
    """No column of the inputs varies: nothing can be learned from them. (Single ones are a note.)"""
    inputs = probe.inputs
    if inputs.dtype.kind != "f" or len(inputs) < 2:
        return
    constant = int((inputs.max(axis=0) == inputs.min(axis=0)).sum())
    if constant == inputs.shape[1]:
        yield Finding(
            "inputs-constant", "error", {"constant columns": constant, "columns": inputs.shape[1]},
            "all rows have the same inputs", "look at how the inputs are read",
        )  # fmt: skip


def unshuffled_batches(probe: Probe) -> Iterator[Finding]:
    """Consecutive batches hold few classes though the rows have many: steps undo each other.

    Measured is the Gini impurity of a batch, the mean over all, over what rows in random order would give:
    1 where they are shuffled, near 0 where they are sorted. The threshold 0.4 leaves alone what is only
    a little uneven.
    """
    size, labels = probe.problem.batch_size, probe.labels
    if size is None or size < 2 or labels is None or len(labels) < 2 * size:
        return
    codes = np.unique(labels, return_inverse=True)[1]
    batches = np.eye(codes.max() + 1)[codes[: len(codes) // size * size]].reshape(-1, size, codes.max() + 1)
    expected = _impurity(np.bincount(codes) / len(codes)) * (1 - 1 / size)
    if not expected or (mixture := _impurity(batches.mean(axis=1)).mean() / expected) > MIXED:
        return
    order = np.random.default_rng(0).permutation(len(labels))
    data = tuple(jax.tree.map(lambda leaf: leaf[order], part) for part in probe.problem.data)
    yield Finding(
        "unshuffled-batches", "error",
        {"mixture of classes": float(mixture), "classes": int(codes.max() + 1)},
        f"batches of {size} have {mixture:.0%} of the mixture of classes that shuffled rows would give",
        "shuffle the rows before each pass",
        probe.problem.replace(data=data),
    )  # fmt: skip


def _impurity(shares: np.ndarray) -> Any:
    """Gini's: how often two rows, drawn with replacement, are of two classes."""
    return 1 - np.square(shares).sum(axis=-1)


def labels_misaligned(probe: Probe) -> Iterator[Finding]:
    """Targets tell nothing about the inputs though these cluster: rows and targets are in different orders.

    Measured on the sample, in standardised columns: how often a row's 5 nearest neighbours share its label,
    against shuffled labels; of values, the correlation with the neighbours' mean. Fires where that is no more
    than two standard deviations above chance and rows lie closer together than 0.75 of the distance of rows
    whose columns are shuffled each by itself: so random inputs, or a parity of independent bits, are left
    alone. An error where some shift of the targets by a few rows, or their reverse, agrees with the
    neighbours after all; of values no shift that puts them beside an input that they are (a series is
    predicted from what came before). Values that no shift explains are a warning where neither a linear
    function of the inputs nor one of random features of them, nor the training on every other row, says
    anything about the rows that were left out. (Hastie, Tibshirani & Friedman, Elements of
    Statistical Learning, 13.3: nearest neighbours.)
    """
    targets, agreement = _compared(probe)
    if targets is None or probe.inputs.dtype.kind not in "fiu":
        return
    rows = np.arange(min(len(targets), MOST_COMPARED))  # consecutive: a shift is seen
    if len(rows) < len(targets) and (targets[rows] == targets[:1]).all():
        rows = spaced(len(targets), MOST_COMPARED)
    inputs, targets = _standardised(probe.inputs[rows].astype(float)), targets[rows]
    if len(rows) < LEAST_COMPARED or not np.isfinite(inputs).all():
        return
    if any((part == part[:1]).all() for part in (inputs, targets)):  # nothing to tell rows by
        return
    nearest, distance = _neighbours(inputs)
    generator = np.random.default_rng(0)
    chance = np.array([agreement(generator.permutation(targets), nearest) for _ in range(50)])
    found = agreement(targets, nearest)
    apart = _neighbours(generator.permuted(inputs, axis=0))[1]
    is_clustered = agreement is _shared and distance < CLUSTERED * apart
    if found > chance.mean() + 2 * chance.std() or not (is_clustered or agreement is _followed):
        return
    others = {f"{by:+d} rows": np.roll(targets, by, axis=0) for by in (-2, -1, 1, 2)}
    others["reversed"] = targets[::-1]
    moved = {name: agreement(one, nearest) for name, one in others.items() if not _is_input(one, inputs)}
    best = max(moved, key=moved.get, default="")
    is_moved = bool(moved.get(best, -np.inf) > chance.mean() + 6 * chance.std())
    if not (is_moved or is_clustered or _are_unheard(probe)):
        return
    evidence = {
        "neighbours agree": found,
        "by chance": float(chance.mean()),
        "closeness of rows": distance / apart,
    }
    yield Finding(
        "labels-misaligned", "error" if is_moved else "warning",
        evidence | ({f"neighbours agree, targets {best}": moved[best]} if is_moved else {}),
        "targets have nothing to do with their rows' inputs" + f"; moved by {best} they have" * is_moved,
        "read inputs and targets in one order, and shuffle both with the same permutation",
    )  # fmt: skip


def _are_unheard(probe: Probe) -> bool:
    """Whether what is learned of every other row says nothing about the values of those between."""
    problem, num_rows = probe.problem, probe.problem.num_rows
    inputs, targets = probe.inputs, probe.targets.reshape(num_rows, -1)
    if num_rows < LEAST_LEARNED or inputs.shape[1] > num_rows // 4 or not problem.has_step:
        return False
    learned, others = (np.arange(start, min(num_rows, MOST_LEARNED), 2) for start in (0, 1))
    wanted = targets[others]
    bound = 2.5 / np.sqrt(wanted.size)
    rows = _standardised(inputs.astype(float))
    generator = np.random.default_rng(0)
    weights, biases = (generator.normal(size=(size, NUM_FEATURES)) for size in (rows.shape[1], 1))
    bends = _standardised(np.maximum(rows @ weights + biases, 0))
    for features in (rows, np.hstack([rows, bends])):
        if correlation(_ridge(features[learned], targets[learned], features[others]), wanted) > bound:
            return False
    half = problem.replace(
        data=jax.tree.map(lambda leaf: leaf[learned], tuple(problem.data)), valid=None, test=None
    )
    trainer = Trainer(half, probe.params)
    params = trainer.run(num_steps=5 * trainer.most_steps).params
    rest = jax.tree.map(lambda leaf: leaf[others], problem.data.inputs)
    outputs = np.asarray(jax.tree.leaves(quick(problem.predict)(params, rest))[0], float)
    is_like = outputs.size == wanted.size
    return is_like and bool(correlation(outputs.reshape(wanted.shape), wanted) < bound)


def _ridge(rows: np.ndarray, targets: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Least squares with a penalty of a tenth of the rows, fitted to some rows, for others."""
    middle = targets.mean(axis=0)
    gram = rows.T @ rows + 0.1 * len(rows) * np.eye(rows.shape[1])
    return middle + others @ np.linalg.solve(gram, rows.T @ (targets - middle))


def _compared(probe: Probe) -> tuple[np.ndarray | None, Callable]:
    """Labels, or values in few columns, and how those of neighbours are compared."""
    labels, targets = probe.labels, probe.targets
    if labels is not None:
        return (labels if labels.ndim == 1 else None), _shared
    is_few = targets.dtype.kind == "f" and targets.size <= MOST_COLUMNS * len(targets)
    values = (
        targets.reshape(len(targets), -1).astype(float) if is_few and np.isfinite(targets).all() else None
    )
    return (None if values is None else _standardised(values)), _followed


def _shared(labels: np.ndarray, nearest: np.ndarray) -> float:
    """How often a row's neighbours have its label."""
    return float((labels[nearest] == labels[:, None]).mean())


def _followed(values: np.ndarray, nearest: np.ndarray) -> float:
    """How values go with the mean of the neighbours', as a correlation."""
    return float((values * values[nearest].mean(axis=1)).mean())


def _is_input(targets: np.ndarray, inputs: np.ndarray) -> bool:
    """Whether values are one of the inputs' columns, nearly."""
    if targets.ndim == 1:
        return False
    return bool(np.abs(inputs.T @ targets / len(inputs)).max(initial=0) > ONE)


def _standardised(inputs: np.ndarray) -> np.ndarray:
    scale = inputs.std(axis=0)
    return (inputs - inputs.mean(axis=0)) / np.where(scale > 0, scale, 1)


def _neighbours(inputs: np.ndarray) -> tuple[np.ndarray, float]:
    """Each row's nearest others, and the median distance to the very nearest."""
    squares = np.square(inputs).sum(axis=1)
    distances = np.maximum(squares[:, None] + squares[None, :] - 2 * inputs @ inputs.T, 0)
    np.fill_diagonal(distances, np.inf)
    return np.argsort(distances, axis=1)[:, :NEIGHBOURS], float(np.sqrt(np.median(distances.min(axis=1))))
