"""Rows cut into named splits: seeded, and stratified where the targets are labels."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from jaxnets import check
from jaxnets.data.dataset import Dataset, refuse_unusable
from jaxnets.types import Array, Batch, Int

SEEDS = (0, 2**32 - 1)
TEST, VALID, SUBSET, FOLDS = range(4)  # each draw has a random stream of its own


def split(
    dataset: Dataset,
    *,
    seed: int = 0,
    test_fraction: float = 0.2,
    valid_fraction: float = 0.0,
    num_examples: int | None = None,
) -> Dataset:
    """Cuts ``test`` and ``valid`` from ``train``, where the data set does not have them already.

    The test rows depend on ``seed`` and ``test_fraction`` alone. With labels each split holds the classes in
    their proportions, and at least one row of each class that has a row for every split, as far as its size
    allows: no split is smaller than asked.

    Args:
        dataset: rows to cut, in ``train``.
        seed: which rows; the same seed gives the same rows on every machine.
        test_fraction: of all rows, in [0, 1).
        valid_fraction: of the rows that are not for testing, in [0, 1).
        num_examples: rows of ``train`` to keep of those left; None keeps all.

    Raises:
        InputError: a number is out of range, a split would be empty, or ``dataset`` cannot be used.

    Example:
        >>> from jaxnets.data import load
        >>> iris = load("iris", test_fraction=0.2, valid_fraction=0.25)
        >>> {name: np.bincount(rows.targets).tolist() for name, rows in iris.splits.items()}
        {'train': [30, 30, 30], 'valid': [10, 10, 10], 'test': [10, 10, 10]}
    """
    check.count("seed", seed, *SEEDS)
    refuse_unusable(dataset, allow_missing=True)
    strata = _strata(dataset)
    left = np.arange(len(strata))
    taken = {}
    fractions = {"test": test_fraction, "valid": valid_fraction}
    for name, fraction in fractions.items():
        _refuse_fraction(f"{name}_fraction", fraction)
    wanted = {name: f for name, f in fractions.items() if f > 0 and name not in dataset.splits}
    for later, (name, fraction) in enumerate(wanted.items()):
        size = _size(f"{name}_fraction = {fraction:g}", fraction, len(left))
        spare = len(wanted) - later
        stream = np.random.default_rng([seed, TEST if name == "test" else VALID])
        chosen = _draw(strata[left], size, spare, stream)
        taken[name] = left[chosen]
        left = np.delete(left, chosen)
    if num_examples is not None:
        check.count("num_examples", num_examples, 1, len(left))
        left = left[_draw(strata[left], num_examples, 0, np.random.default_rng([seed, SUBSET]))]
    elif taken:
        left = np.random.default_rng([seed, SUBSET]).permutation(left)
    else:
        return dataset
    cut = {name: rows(dataset.train, index) for name, index in {**taken, "train": left}.items()}
    return dataset.replace(**cut)


def folds(dataset: Dataset, *, num_folds: int, seed: int = 0) -> Int[np.ndarray, " n"]:
    """The fold, ``0..num_folds-1``, of each row of ``train``: stratified, of equal sizes but for one row.

    >>> from jaxnets.data import load
    >>> np.bincount(folds(load("iris", test_fraction=0.0), num_folds=4)).tolist()
    [38, 38, 37, 37]
    """
    check.count("seed", seed, *SEEDS)
    refuse_unusable(dataset, allow_missing=True)
    strata = _strata(dataset)
    check.count("num_folds", num_folds, 2, len(strata))
    fold = np.empty(len(strata), np.int32)
    fold[_by_class(strata, np.random.default_rng([seed, FOLDS]))] = np.arange(len(strata)) % num_folds
    return fold


def rows(batch: Batch, index: Int[Array, " m"]) -> Batch:
    """Those rows of a batch."""
    return jax.tree.map(lambda leaf: leaf[index], batch)


def _strata(dataset: Dataset) -> Int[np.ndarray, " n"]:
    """What is to be spread evenly: the labels, or one class of all rows."""
    if dataset.num_classes is not None:
        return np.asarray(dataset.train.targets)
    return np.zeros(len(jax.tree.leaves(dataset.train)[0]), np.int32)


def _refuse_fraction(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
        raise check.InputError(f"{name} = {value!r}, allowed is {check.FRACTION}")
    check.interval(name, value, check.FRACTION)


def _size(what: str, fraction: float, total: int) -> int:
    size = round(fraction * total)
    if not 0 < size < total:
        raise check.InputError(f"{what} of {total} rows leaves an empty split, at least one row is needed")
    return size


def _draw(
    strata: Int[np.ndarray, " n"], size: int, spare: int, stream: np.random.Generator
) -> Int[np.ndarray, " m"]:
    """Rows in random order, of each class its share, leaving ``spare`` rows of it or more if it can."""
    counts = np.bincount(strata)
    rank = np.arange(len(strata)) - np.repeat(np.cumsum(counts) - counts, counts)
    chosen = _by_class(strata, stream)[rank < np.repeat(_shares(counts, size, spare), counts)]
    rest = np.setdiff1d(np.arange(len(strata)), chosen)
    more = stream.choice(
        rest, size - len(chosen), replace=False
    )  # where classes are too small to be shared out
    return stream.permutation(np.concatenate([chosen, more]))


def _by_class(strata: Int[np.ndarray, " n"], stream: np.random.Generator) -> Int[np.ndarray, " n"]:
    """All rows class by class, in random order within each."""
    order = stream.permutation(len(strata))
    return order[np.argsort(strata[order], kind="stable")]


def _shares(counts: Int[np.ndarray, " k"], size: int, spare: int) -> Int[np.ndarray, " k"]:
    """Rows to take of each class: in proportion, none left out, ``spare`` left; ``size`` if possible."""
    most = np.maximum(counts - spare, 0)
    least = np.minimum(most, int(size >= np.count_nonzero(counts)))
    exact = size * counts / counts.sum()
    shares = np.clip(np.floor(exact).astype(int), least, most)
    while shares.sum() < size and (shares < most).any():
        shares[np.argmax(np.where(shares < most, exact - shares, -np.inf))] += 1
    while shares.sum() > size and (shares > least).any():
        shares[np.argmax(np.where(shares > least, shares - exact, -np.inf))] -= 1
    return shares
