"""Rules on the rows, before any function is called."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from jaxnets.diagnose.finding import Finding
from jaxnets.diagnose.probe import Probe

MIXED = 0.4
"""Share of the mixture of classes that a batch must have of what shuffled rows would give it."""
RARE = 0.1
"""A class is missing where train has less than this share of what valid or test has."""


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


def classes_missing_from_train(probe: Probe) -> Iterator[Finding]:
    """Classes of the validation or test rows that train lacks, or has less than a tenth of the share of."""
    if probe.labels is None:
        return
    for name in ("valid", "test"):
        split = getattr(probe.problem, name)
        labels = _labels(split)
        if labels is None:
            continue
        classes, counts = np.unique(labels, return_counts=True)
        there = np.array([(probe.labels == one).mean() for one in classes])
        missing = classes[(there < RARE * counts / len(labels)) & (counts > 1)]
        if len(missing):
            yield Finding(
                "classes-missing-from-train", "error", {f"classes of {name}": missing.tolist()},
                f"train has hardly any row of {len(missing)} classes that {name} has",
                "split each class alike (stratified)",
            )  # fmt: skip


def leaking_split(probe: Probe) -> Iterator[Finding]:
    """Rows of the validation or test split that stand in train as well, inputs and all."""
    train = {row.tobytes() for row in np.ascontiguousarray(probe.inputs)}
    for name in ("valid", "test"):
        split = getattr(probe.problem, name)
        if split is None:
            continue
        leaf = np.asarray(jax.tree.leaves(split.inputs)[0])
        rows = np.ascontiguousarray(leaf.reshape(len(leaf), -1))
        share = float(np.mean([row.tobytes() in train for row in rows]))
        chance = 1 - len(train) / len(probe.inputs)  # rows that train has twice by itself
        if share > 0.05 and share > 2 * chance:
            yield Finding(
                "leaking-split", "warning", {f"rows of {name} in train": share},
                f"{share:.0%} of the rows of {name} stand in train as well",
                "take a row into one split only",
            )  # fmt: skip


def train_smaller_than_test(probe: Probe) -> Iterator[Finding]:
    """Fewer rows to train on than to test with: usually the split is the wrong way round."""
    test = probe.problem.test
    if test is None:
        return
    num_train, num_test = probe.problem.num_rows, len(jax.tree.leaves(test.inputs)[0])
    if num_test > 2 * num_train:
        yield Finding(
            "train-smaller-than-test", "warning", {"train": num_train, "test": num_test},
            f"{num_train} rows to train on, {num_test} to test with: the wrong way round?",
            "train on the larger part",
        )  # fmt: skip


def _labels(split: object) -> np.ndarray | None:
    if split is None:
        return None
    found = np.asarray(jax.tree.leaves(split.targets)[0])
    if found.ndim == 2 and found.shape[1] > 1:
        return found.argmax(axis=1)
    return found if found.ndim == 1 and found.dtype.kind in "iu" else None
