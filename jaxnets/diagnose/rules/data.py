"""Rules on the rows, before any function is called."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from jaxnets.diagnose.finding import Finding
from jaxnets.diagnose.probe import Probe
from jaxnets.diagnose.problem import spaced

MIXED = 0.4
"""Share of the mixture of classes that a batch must have of what shuffled rows would give it."""
MOST_COMPARED, LEAST_COMPARED = 512, 40
"""Rows whose neighbours are looked at."""
NEIGHBOURS = 5
"""Rows whose labels are compared with a row's."""
CLUSTERED = 0.6
"""Rows cluster where neighbours are nearer than this share of what independent columns would give."""


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
    """Labels tell nothing about the inputs though these cluster: rows and labels are in different orders.

    Measured on the sample, in standardised columns: how often a row's 5 nearest neighbours share its label,
    against shuffled labels. Fires where that is no more than two standard deviations above chance and rows
    lie closer together than 0.6 of the distance of rows whose columns are shuffled each by itself: so
    random inputs, or a parity of independent bits, are left alone. An error where some shift of the labels
    by a few rows, or their reverse, agrees with the neighbours after all. (Hastie, Tibshirani & Friedman,
    Elements of Statistical Learning, 13.3: nearest neighbours.)
    """
    if probe.labels is None or probe.labels.ndim != 1 or probe.inputs.dtype.kind not in "fiu":
        return
    rows = np.arange(min(len(probe.labels), MOST_COMPARED))  # consecutive: a shift is seen
    if len(rows) < len(probe.labels) and len(np.unique(probe.labels[rows])) < 2:
        rows = spaced(len(probe.labels), MOST_COMPARED)
    inputs, labels = _standardised(probe.inputs[rows].astype(float)), probe.labels[rows]
    if len(rows) < LEAST_COMPARED or not np.isfinite(inputs).all() or len(np.unique(labels)) < 2:
        return
    nearest, distance = _neighbours(inputs)
    generator = np.random.default_rng(0)
    chance = np.array([_agreement(generator.permutation(labels), nearest) for _ in range(50)])
    found, bound = _agreement(labels, nearest), chance.mean() + 2 * chance.std()
    apart = _neighbours(generator.permuted(inputs, axis=0))[1]
    if found > bound or not distance < CLUSTERED * apart:
        return
    moved = {f"{by:+d} rows": _agreement(np.roll(labels, by), nearest) for by in (-2, -1, 1, 2)}
    moved["reversed"] = _agreement(labels[::-1], nearest)
    best = max(moved, key=moved.get)
    is_moved = bool(moved[best] > chance.mean() + 6 * chance.std())
    evidence = {
        "neighbours agree": found,
        "by chance": float(chance.mean()),
        "closeness of rows": distance / apart,
    }
    yield Finding(
        "labels-misaligned", "error" if is_moved else "warning",
        evidence | ({f"neighbours agree, labels {best}": moved[best]} if is_moved else {}),
        "labels have nothing to do with the inputs of their rows" + f"; moved by {best} they have" * is_moved,
        "read inputs and labels in one order, and shuffle both with the same permutation",
    )  # fmt: skip


def _standardised(inputs: np.ndarray) -> np.ndarray:
    scale = inputs.std(axis=0)
    return (inputs - inputs.mean(axis=0)) / np.where(scale > 0, scale, 1)


def _neighbours(inputs: np.ndarray) -> tuple[np.ndarray, float]:
    """Each row's nearest others, and the median distance to the very nearest."""
    squares = np.square(inputs).sum(axis=1)
    distances = np.maximum(squares[:, None] + squares[None, :] - 2 * inputs @ inputs.T, 0)
    np.fill_diagonal(distances, np.inf)
    return np.argsort(distances, axis=1)[:, :NEIGHBOURS], float(np.sqrt(np.median(distances.min(axis=1))))


def _agreement(labels: np.ndarray, nearest: np.ndarray) -> float:
    return float((labels[nearest] == labels[:, None]).mean())
