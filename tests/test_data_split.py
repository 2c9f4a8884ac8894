"""Splits: complete, disjoint, stratified, seeded."""

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


@pytest.mark.parametrize("rows", [[1, 0], [1, 1]])
def test_too_few_rows_are_refused(rows):
    with pytest.raises(InputError, match="leaves an empty split"):
        split(numbered(rows), test_fraction=0.2)
