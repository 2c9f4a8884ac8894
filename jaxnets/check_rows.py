"""What rows are refused, in one line each: those that no learner can use. Traced ones pass."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets import check
from jaxnets.check import InputError
from jaxnets.types import Batch


def batch(name: str, rows: Batch, num_classes: int | None = None) -> None:
    """Refuses rows that no learner can use.

    Raises:
        InputError: no rows, inputs and targets of different lengths, NaN or infinity, or labels
            outside ``0..num_classes-1``.
    """
    if check.is_traced(rows):
        return
    lengths = {len(leaf) if np.ndim(leaf) else None for leaf in jax.tree.leaves(rows)}
    if None in lengths:
        raise InputError(f"{name}: a single number, allowed are arrays that hold rows")
    if lengths == {0}:
        raise InputError(f"{name}: no rows, at least one is needed")
    for shape in map(np.shape, jax.tree.leaves(rows.inputs)):
        if 0 in shape:
            raise InputError(f"{name}: inputs of shape {shape}, at least one column is needed")
    if len(lengths) > 1:
        inputs, targets = (len(jax.tree.leaves(part)[0]) for part in rows)
        raise InputError(f"{name}: {inputs} inputs and {targets} targets, allowed is one target a row")
    for part, leaves in zip(("inputs", "targets"), map(jax.tree.leaves, rows), strict=True):
        for leaf in leaves:
            _finite(f"{name} {part}", leaf)
    if num_classes is not None:
        labels(rows.targets, num_classes, name=f"{name} targets")


def splits(named: dict[str, Batch], num_classes: int | None = None) -> None:
    """Refuses splits of a data set that no learner can use; see :func:`batch`."""
    if num_classes is not None:
        check.count("num_classes", num_classes, 2)
    for name, rows in named.items():
        numbers(name, rows)
        batch(name, rows, num_classes)
    for name in {"valid", "test"} & set(named):
        same_columns(name, named[name], named["train"])


def labels(targets: Any, num_classes: int, *, name: str = "targets") -> None:
    """Refuses labels that are no integers from 0 to ``num_classes - 1``, one a row.

    >>> labels([0, 3], num_classes=3)
    Traceback (most recent call last):
    jaxnets.check.InputError: targets: label 3, allowed are 0 to 2
    """
    if check.is_traced(targets):
        return
    found = np.asarray(targets)
    if found.dtype.kind not in "iu" or found.ndim != 1:
        raise InputError(
            f"{name}: {found.dtype} of shape {found.shape}, allowed are integers of shape (rows,)"
        )
    wrong = found[(found < 0) | (found >= num_classes)]
    if wrong.size:
        raise InputError(f"{name}: label {wrong[0]}, allowed are 0 to {num_classes - 1}")


def same_columns(name: str, rows: Batch, train: Batch) -> None:
    """Refuses rows whose inputs do not have the shape of the training rows'."""
    found, wanted = ([leaf.shape[1:] for leaf in jax.tree.leaves(part.inputs)] for part in (rows, train))
    if found != wanted:
        raise InputError(f"{name}: inputs of shape {found} a row, allowed is {wanted}, as in train")


def numbers(name: str, rows: Batch) -> None:
    """Refuses rows that are no real numbers yet: texts and objects need an encoding first."""
    for leaf in jax.tree.leaves(rows):
        if hasattr(leaf, "toarray") or isinstance(leaf, np.ma.MaskedArray):
            raise InputError(f"{name}: {type(leaf).__name__}, allowed are arrays in which every value stands")
        kind = leaf.dtype if hasattr(leaf, "dtype") else np.asarray(leaf).dtype
        if not any(jnp.issubdtype(kind, one) for one in check.REAL):
            raise InputError(f"{name}: {kind} arrays, allowed are real numbers: encode them first")


def _finite(name: str, array: Any) -> None:
    """Refuses values that are no finite numbers, or are none in the bits that a device computes with."""
    array = np.asarray(array)
    with np.errstate(over="ignore"):
        kept = array.astype(jax.dtypes.canonicalize_dtype(array.dtype), copy=False)
    if jnp.issubdtype(array.dtype, jnp.floating):
        wrong, what = ~np.isfinite(kept), "NaN or infinite"
    elif kept is array:
        return
    else:
        wrong, what = kept != array, "too large"
    if wrong.any():
        row = int(np.argwhere(wrong)[0][0])
        bits = f" in {8 * kept.itemsize} bits" if np.isfinite(array).all() else ""
        raise InputError(
            f"{name}: {wrong.sum()} of {array.size} values are {what}{bits}, the first in row {row}"
        )
