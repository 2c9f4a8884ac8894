"""Changes of inputs and targets whose numbers come from the training rows alone.

Each function returns a new data set; those that begin with ``fit_`` return the fitted numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from jaxnets import check
from jaxnets.data.dataset import Dataset
from jaxnets.types import Array, Float, Inputs, Int, Shaped, Targets


class Affine(NamedTuple):
    """``(x - shift) / scale``, feature by feature."""

    shift: Float[Array, ...]
    scale: Float[Array, ...]

    def __call__(self, inputs: Float[Array, "n ..."]) -> Float[Array, "n ..."]:
        return (inputs - self.shift[None]) / self.scale[None]


def fit_standardise(inputs: Shaped[Array, "n ..."]) -> Affine:
    """Mean 0 and variance 1 for each feature; a feature that does not vary is only shifted."""
    table = _numbers(inputs).astype(np.float64)
    return _affine(table.mean(0), table.std(0))


def fit_scale(inputs: Shaped[Array, "n ..."]) -> Affine:
    """Smallest value 0 and largest 1 for each feature; a feature that does not vary is only shifted."""
    table = _numbers(inputs).astype(np.float64)
    return _affine(table.min(0), np.ptp(table, axis=0))


def standardise(dataset: Dataset) -> Dataset:
    """``(x - mean) / deviation`` for each feature, mean and deviation of the training rows.

    >>> from jaxnets.data import load
    >>> wine = standardise(load("wine"))
    >>> bool(abs(wine.train.inputs.mean(0)).max() < 1e-5), bool(abs(wine.test.inputs.mean(0)).max() < 1e-5)
    (True, False)
    """
    return map_inputs(dataset, fit_standardise(dataset.train.inputs))


def scale(dataset: Dataset) -> Dataset:
    """``(x - min) / (max - min)`` for each feature: training rows lie in [0, 1], others may lie outside.

    >>> from jaxnets.data import load
    >>> wine = scale(load("wine"))
    >>> float(wine.train.inputs.min()), float(wine.train.inputs.max())
    (0.0, 1.0)
    """
    return map_inputs(dataset, fit_scale(dataset.train.inputs))


def impute(dataset: Dataset) -> Dataset:
    """Puts the median of the training rows where a value is missing (NaN).

    Raises:
        InputError: a feature is missing in every training row.

    Example:
        >>> from jaxnets.data import load
        >>> heart = load("cleveland")
        >>> bool(np.isnan(heart.train.inputs).any()), bool(np.isnan(impute(heart).train.inputs).any())
        (True, False)
    """
    medians = fit_impute(dataset.train.inputs)
    return map_inputs(dataset, lambda inputs: np.where(np.isnan(inputs), medians[None], inputs))


def fit_impute(inputs: Shaped[Array, "n ..."]) -> Float[Array, ...]:
    """The median of each feature over the rows that have it."""
    table = _numbers(inputs, missing=True)
    empty = np.isnan(table).all(0)
    if empty.any():
        where = np.argwhere(empty)[0].tolist()
        raise check.InputError(f"feature {where} has no value in any training row: leave it out")
    return np.nanmedian(table.astype(np.float64), axis=0).astype(np.float32)


def one_hot(dataset: Dataset, columns: Sequence[int | str]) -> Dataset:
    """One column of 0 and 1 for each value that a column takes in the training rows; other values give zeros.

    Args:
        dataset: inputs ``[n, d]``.
        columns: positions or names of the columns to replace, each once; the new ones follow the rest.

    Raises:
        InputError: inputs that are no table, no such column, or one given twice.

    Example:
        >>> from jaxnets.data import load
        >>> heart = one_hot(load("cleveland"), ["sex", "chest_pain_type"])
        >>> heart.feature_names[-6:]
        ('sex=0', 'sex=1', 'chest_pain_type=1', 'chest_pain_type=2', 'chest_pain_type=3', 'chest_pain_type=4')
    """
    train = _numbers(dataset.train.inputs, missing=True)
    if train.ndim != 2:
        raise check.InputError(f"inputs of shape {train.shape}, allowed are tables (rows, columns)")
    names = dataset.feature_names or tuple(str(column) for column in range(train.shape[1]))
    chosen = [_position(column, names) for column in columns]
    if len(set(chosen)) < len(chosen):
        raise check.InputError(f"columns {list(columns)}: one is given twice, allowed is once")
    kept = [column for column in range(train.shape[1]) if column not in chosen]
    values = {column: np.unique(train[~np.isnan(train[:, column]), column]) for column in chosen}

    def encode(inputs: Float[Array, "n d"]) -> Float[Array, "n e"]:
        flags = [inputs[:, column, None] == values[column][None] for column in chosen]
        return np.concatenate([inputs[:, kept], *flags], axis=1).astype(np.float32)

    flag_names = [f"{names[column]}={value:g}" for column in chosen for value in values[column]]
    return map_inputs(dataset, encode).replace(feature_names=(*(names[i] for i in kept), *flag_names))


def one_hot_targets(dataset: Dataset) -> Dataset:
    """Labels ``[n]`` become rows ``[n, k]`` of 0 and a 1: labels no more, so ``num_classes`` is None.

    >>> from jaxnets.data import load
    >>> one_hot_targets(load("iris")).test.targets.sum(0).tolist()
    [10.0, 10.0, 10.0]
    """
    if dataset.num_classes is None:
        raise check.InputError("targets are no labels, only labels have a one-hot form")
    return map_targets(dataset, lambda labels: _flags(labels, dataset.num_classes)).replace(num_classes=None)


def map_inputs(dataset: Dataset, function: Callable[[Inputs], Inputs]) -> Dataset:
    """``function`` applied to the inputs of every split."""
    changed = {name: rows._replace(inputs=function(rows.inputs)) for name, rows in dataset.splits.items()}
    return dataset.replace(**changed)


def map_targets(dataset: Dataset, function: Callable[[Targets], Targets]) -> Dataset:
    """``function`` applied to the targets of every split."""
    changed = {name: rows._replace(targets=function(rows.targets)) for name, rows in dataset.splits.items()}
    return dataset.replace(**changed)


def _flags(labels: Int[Array, " n"], num_classes: int) -> Float[Array, "n k"]:
    return (labels[:, None] == np.arange(num_classes)[None]).astype(np.float32)


def _affine(shift: Float[Array, ...], spread: Float[Array, ...]) -> Affine:
    # The deviation of a constant feature is a rounding error, not 0.
    constant = spread <= 1e-9 * (1 + np.abs(shift))
    return Affine(shift.astype(np.float32), np.where(constant, 1.0, spread).astype(np.float32))


def _numbers(inputs: Shaped[Array, "n ..."], *, missing: bool = False) -> Float[np.ndarray, "n ..."]:
    table = np.asarray(inputs)
    if table.dtype.kind != "f":
        raise check.InputError(f"inputs are {table.dtype}, allowed are floats")
    if not missing and np.isnan(table).any():
        raise check.InputError("inputs have missing values (NaN): apply jaxnets.data.impute first")
    return table


def _position(column: int | str, names: tuple[str, ...]) -> int:
    if isinstance(column, str):
        check.choice("column", column, names)
        return names.index(column)
    check.count("column", column, 0, len(names) - 1)
    return column
