"""Rules on how rows were divided into those to train on, to validate and to test with."""

from __future__ import annotations

from collections.abc import Iterator

import jax
import numpy as np

from jaxnets.diagnose.finding import Finding
from jaxnets.diagnose.probe import Probe
from jaxnets.types import Batch

RARE = 0.1
"""A class is missing where train has less than this share of what valid or test has."""
BEYOND = 0.25
"""Share of the test rows that must lie outside of what a column was in training."""
ENOUGH = 100
"""Training rows a column, from which on more of them hardly matter."""
MARGIN = 0.05
"""Of a column's range in training, allowed on both sides."""
COINCIDENCE = 1e-6
"""Pairs of equal rows that independent columns would give; more may be chance."""


def classes_missing_from_train(probe: Probe) -> Iterator[Finding]:
    """Classes of the validation or test rows that train lacks, or has less than a tenth of the share of.

    Or all of train is one class, though a softmax over several is trained.
    """
    if probe.labels is None:
        return
    if (probe.labels == probe.labels[:1]).all() and _is_softmax(probe):
        yield Finding(
            "classes-missing-from-train", "error", {"classes of train": 1},
            f"all rows to train on are of class {probe.labels[0]}", "look at how the targets are read",
        )  # fmt: skip
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


def _is_softmax(probe: Probe) -> bool:
    """Whether the loss is a softmax's; what is asked about its rows alone has no loss to look at."""
    head = None if probe.problem.unasked else probe.head
    return head is not None and head.link is not None and head.link.name == "softmax"


def leaking_split(probe: Probe) -> Iterator[Finding]:
    """Rows of the validation or test split that stand in train as well, inputs, targets and all.

    Equal inputs alone are no leak: ids of users or words come again, with other targets. More than a
    twentieth of the rows, and more than could be by chance: either twice the share of inputs that train
    has several times itself; or train's own repetitions are copies too. They are where independent columns
    would give less than one in a million such pairs, and rows with the same inputs have the same target.
    (Kaufman, Rosset & Perlich 2012, Leakage in data mining.)
    """
    splits = [name for name in ("valid", "test") if getattr(probe.problem, name) is not None]
    train = set(_rows(probe.problem.data)) if splits else set()
    for name in splits:
        share = float(np.mean([row in train for row in _rows(getattr(probe.problem, name))]))
        chance = 1 - len(set(_as_bytes(probe.inputs))) / len(probe.inputs)  # that train has twice by itself
        if share > 0.05 and (share > 2 * chance or _are_copies(probe)):
            yield Finding(
                "leaking-split", "warning", {f"rows of {name} in train": share},
                f"{share:.0%} of the rows of {name} stand in train as well",
                "take a row, with all of its copies, into one split only",
            )  # fmt: skip


def _are_copies(probe: Probe) -> bool:
    """Whether rows that train has several times are no coincidence: too long for it, and targets agree."""
    columns, num_rows = probe.inputs, len(probe.inputs)
    varying = columns[:, (columns != columns[:1]).any(axis=0)]
    counts = [np.unique(column, return_counts=True)[1] / num_rows for column in varying.T]
    pairs = sum(float(np.log(np.square(shares).sum())) for shares in counts) + 2 * np.log(num_rows)
    if pairs > np.log(COINCIDENCE):
        return False
    targets: dict[bytes, set[bytes]] = {}
    for row, target in zip(_as_bytes(columns), _as_bytes(probe.targets), strict=True):
        targets.setdefault(row, set()).add(target)
    return len(set().union(*targets.values())) > 1 and all(len(one) == 1 for one in targets.values())


def _as_bytes(leaf: np.ndarray) -> list[bytes]:
    """A word a row."""
    return [row.tobytes() for row in np.ascontiguousarray(leaf.reshape(len(leaf), -1))]


def train_smaller_than_test(probe: Probe) -> Iterator[Finding]:
    """Fewer rows to train on than to test with: usually the split is the wrong way round.

    Not where they are a hundred times as many as columns: then they are no part that was left over, however
    fine a test is. (Hastie, Tibshirani & Friedman, Elements of Statistical Learning, 7.3: what fitting d
    numbers to n rows adds to the error goes with d / n.)
    """
    test = probe.problem.test
    if test is None:
        return
    num_train, num_test = probe.problem.num_rows, len(jax.tree.leaves(test.inputs)[0])
    if num_test > 2 * num_train and num_train < ENOUGH * probe.inputs.shape[1]:
        yield Finding(
            "train-smaller-than-test", "warning", {"train": num_train, "test": num_test},
            f"{num_train} rows to train on, {num_test} to test with: the wrong way round?",
            "train on the larger part",
        )  # fmt: skip


def _rows(split: Batch) -> Iterator[bytes]:
    """Each row's numbers, of inputs and targets."""
    leaves = [np.ascontiguousarray(leaf) for leaf in jax.tree.leaves(split)]
    for row in zip(*leaves, strict=True):
        yield b"".join(one.tobytes() for one in row)


def _labels(split: object) -> np.ndarray | None:
    if split is None:
        return None
    found = np.asarray(jax.tree.leaves(split.targets)[0])
    if found.ndim == 2 and found.shape[1] > 1:
        return found.argmax(axis=1)
    return found if found.ndim == 1 and found.dtype.kind in "iu" else None


def outside_training_range(probe: Probe) -> Iterator[Finding]:
    """Validation or test rows lie where no training row was: to predict there is to extrapolate.

    Fires where in some column a quarter of the rows lie beyond the training rows' range, widened by 5 % on
    both sides. Of rows drawn like n training rows, 2 / (n + 1) lie beyond the range by chance; at least three
    times that is asked for. A network is bound to the data only where there are some. (Bishop 1.1;
    Xu et al. 2021, How neural networks extrapolate.)
    """
    train = probe.inputs
    if train.dtype.kind not in "fiu" or not np.isfinite(train).all():
        return
    low, high = train.min(axis=0).astype(float), train.max(axis=0).astype(float)
    margin = MARGIN * (high - low)
    for name in ("valid", "test"):
        split = getattr(probe.problem, name)
        if split is None:
            continue
        leaf = np.asarray(jax.tree.leaves(split.inputs)[0])
        rows = leaf.reshape(len(leaf), -1)
        if rows.shape[1] != train.shape[1]:
            continue
        shares = ((rows < low - margin) | (rows > high + margin)).mean(axis=0) * (high > low)
        column = int(shares.argmax())
        if shares[column] <= max(BEYOND, 6 / (len(train) + 1)) or shares[column] * len(rows) < 3:
            continue
        yield Finding(
            "outside-training-range", "warning",
            {
                "column": column, "share of rows": float(shares[column]),
                "train": [float(low[column]), float(high[column])],
                name: [float(rows[:, column].min()), float(rows[:, column].max())],
            },
            f"{shares[column]:.0%} of the rows of {name} lie outside of what train has seen",
            "train on rows from the whole range (and scale all splits by train's numbers)",
        )  # fmt: skip
