"""Splits: complete, disjoint, stratified, seeded."""

import re

import numpy as np
import pytest

from jaxnets.check import InputError
from jaxnets.data import Dataset, split
from jaxnets.data.split import folds
from jaxnets.types import Batch


def numbered(counts, num_classes=None):
    """Rows whose input is their own number; ``counts`` of each class, in order."""
    labels = np.repeat(np.arange(len(counts)), counts).astype(np.int32)
    inputs = np.arange(len(labels), dtype=np.float32)[:, None]
    return Dataset(Batch(inputs, labels), num_classes=num_classes or len(counts))


FRACTIONS = [(0.2, 0.0), (0.2, 0.25), (0.5, 0.5), (0.0, 0.1), (0.9, 0.9), (1 / 3, 1 / 3)]


@pytest.mark.parametrize("counts", [[50, 50, 50], [100, 3, 17], [997, 3], [1, 40, 40], [5, 4, 3, 90]])
@pytest.mark.parametrize(("test_fraction", "valid_fraction"), FRACTIONS)
def test_every_row_once_and_every_class_everywhere(counts, test_fraction, valid_fraction):
    source = numbered(counts)
    cut = split(source, seed=1, test_fraction=test_fraction, valid_fraction=valid_fraction)
    rows = np.concatenate([part.inputs[:, 0] for part in cut.splits.values()])
    assert sorted(rows) == list(range(sum(counts)))
    for part in cut.splits.values():
        assert np.array_equal(source.train.targets[part.inputs[:, 0].astype(int)], part.targets)
        wanted = {k for k, count in enumerate(counts) if count >= len(cut.splits)}
        if len(part.targets) >= 2 * len(counts):
            assert wanted <= set(part.targets.tolist())
    test = round(test_fraction * sum(counts))
    valid = round(valid_fraction * (sum(counts) - test))
    sizes = {"train": sum(counts) - test - valid, "valid": valid, "test": test}
    assert {name: len(part.targets) for name, part in cut.splits.items()} == {
        k: n for k, n in sizes.items() if n
    }
    if sizes["train"] >= 2 * len(counts):
        assert len(set(cut.train.targets.tolist())) == len(counts)


def test_classes_keep_their_proportions():
    cut = split(numbered([600, 300, 100]), test_fraction=0.2, valid_fraction=0.25, num_examples=60)
    counts = {name: np.bincount(part.targets).tolist() for name, part in cut.splits.items()}
    assert counts == {"train": [36, 18, 6], "valid": [120, 60, 20], "test": [120, 60, 20]}


def test_test_rows_hang_on_seed_and_test_fraction_alone():
    source = numbered([40, 60])
    plain = split(source, seed=5).test
    for options in ({"valid_fraction": 0.5}, {"num_examples": 7}):
        assert np.array_equal(split(source, seed=5, **options).test.inputs, plain.inputs)
    assert not np.array_equal(split(source, seed=6).test.inputs, plain.inputs)


def test_rows_are_mixed():
    # Sorted by class before; half of neighbours differ in class after (standard deviation 0.018).
    targets = split(numbered([500, 500])).train.targets
    assert abs((targets[1:] != targets[:-1]).mean() - 0.5) < 0.1


def test_own_splits_are_kept():
    source = numbered([30, 30]).replace(test=numbered([4, 4]).train)
    cut = split(source, valid_fraction=0.1)
    assert cut.test is source.test
    assert len(cut.valid.targets) == 6
    assert split(source) is source


def test_values_are_split_without_classes():
    values = Dataset(Batch(np.arange(10, dtype=np.float32)[:, None], np.arange(10, dtype=np.float32)))
    cut = split(values, test_fraction=0.3)
    assert len(cut.test.targets) == 3
    assert np.array_equal(cut.test.inputs[:, 0], cut.test.targets)


def test_trees_of_arrays_are_split():
    inputs = {"tokens": np.arange(20).reshape(10, 2), "lengths": np.arange(10)}
    cut = split(Dataset(Batch(inputs, np.arange(10, dtype=np.float32))))
    assert np.array_equal(cut.test.inputs["tokens"][:, 0], 2 * cut.test.inputs["lengths"])


@pytest.mark.parametrize("num_folds", [2, 5, 10])
def test_folds_are_even_in_size_and_class(num_folds):
    labels = numbered([50, 31, 19])
    fold = folds(labels, num_folds=num_folds, seed=2)
    sizes = np.bincount(fold, minlength=num_folds)
    assert sizes.max() - sizes.min() <= 1
    for k in range(3):
        counts = np.bincount(fold[labels.train.targets == k], minlength=num_folds)
        assert counts.max() - counts.min() <= 1


@pytest.mark.parametrize(
    ("counts", "options", "sizes"),
    [
        ([2] * 30, {"valid_fraction": 0.2}, [38, 10, 12]),
        ([1] * 60, {}, [48, 12]),
        ([1] * 60, {"test_fraction": 0.9, "num_examples": 5}, [5, 54]),
        ([1, 1, 1], {"valid_fraction": 0.5}, [1, 1, 1]),
    ],
)
def test_small_classes_give_no_smaller_splits(counts, options, sizes):
    cut = split(numbered(counts), **options)
    assert [len(part.targets) for part in cut.splits.values()] == sizes
    rows = np.concatenate([part.inputs[:, 0] for part in cut.splits.values()])
    assert len(set(rows)) == sum(sizes)


FLOATS, LABELS = np.zeros((4, 2), np.float32), np.array([0, 1, 0, 1])


@pytest.mark.parametrize(
    ("inputs", "targets", "num_classes", "message"),
    [
        (FLOATS, LABELS[:3], 2, "4 inputs and 3 targets"),
        (FLOATS, LABELS - 1, 2, "label -1, allowed are 0 to 1"),
        (FLOATS, LABELS + 1, 2, "label 2, allowed are 0 to 1"),
        (FLOATS, LABELS / 2, 2, "float64 of shape"),
        (FLOATS + np.inf, LABELS, 2, "NaN or infinite"),
        (FLOATS[:0], LABELS[:0], 2, "no rows"),
        (FLOATS[:, :0], LABELS, 2, "at least one column"),
        (FLOATS, 0 * LABELS, 1, "one class (1), two or more"),
    ],
)
def test_unusable_rows_are_refused(inputs, targets, num_classes, message):
    dataset = Dataset(Batch(inputs, targets), num_classes=num_classes)
    for cut in (split, lambda rows: folds(rows, num_folds=2)):
        with pytest.raises(InputError, match=re.escape(message)):
            cut(dataset)


def test_missing_values_are_split_as_they_are():
    rows = Batch(np.full((4, 2), np.nan, np.float32), LABELS)
    assert np.isnan(split(Dataset(rows, num_classes=2), test_fraction=0.5).test.inputs).all()


@pytest.mark.parametrize("rows", [[1, 0], [1, 1]])
def test_too_few_rows_are_refused(rows):
    with pytest.raises(InputError, match="leaves an empty split"):
        split(numbered(rows), test_fraction=0.2)
