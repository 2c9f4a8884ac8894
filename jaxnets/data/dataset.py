"""A data set: named splits of arrays, and what is known about them."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any

import jax
import numpy as np

from jaxnets import check, check_rows
from jaxnets.types import Batch, Inputs


@partial(
    jax.tree_util.register_dataclass,
    data_fields=("train", "valid", "test"),
    meta_fields=("name", "num_classes", "class_names", "feature_names"),
)
@dataclasses.dataclass(frozen=True, eq=False)  # arrays have no hash, and no one answer to ==
class Dataset:
    """Named splits; a pytree whose leaves are the splits' arrays, so it can be an argument of ``jit``.

    Attributes:
        train: the rows to learn from.
        valid: rows to choose hyperparameters by, looked at during training; or None.
        test: rows looked at once, at the end; or None.
        name: what was loaded.
        num_classes: number of classes, where the targets are labels; else None.
        class_names: a name for each class.
        feature_names: a name for each column of the inputs.
    """

    train: Batch
    valid: Batch | None = None
    test: Batch | None = None
    name: str = ""
    num_classes: int | None = None
    class_names: tuple[str, ...] = ()
    feature_names: tuple[str, ...] = ()

    def replace(self, **changes: Any) -> Dataset:
        """The same data set with other fields."""
        return dataclasses.replace(self, **changes)

    @property
    def class_labels(self) -> list[str]:
        """A word for each class: its name, or its number where it has none."""
        return list(self.class_names) or [str(label) for label in range(self.num_classes or 0)]

    @property
    def splits(self) -> dict[str, Batch]:
        """The splits there are, by name."""
        named = {name: getattr(self, name) for name in ("train", "valid", "test")}
        return {name: rows for name, rows in named.items() if rows is not None}


def refuse_unusable(dataset: Dataset, *, allow_missing: bool = False) -> None:
    """Refuses a data set from which nothing can be learned.

    Args:
        dataset: splits to look at.
        allow_missing: whether inputs may be missing (NaN).

    Raises:
        InputError: a single class, inputs without a column, or rows that
            :func:`jaxnets.check_rows.batch` refuses.
    """
    if dataset.num_classes is not None and dataset.num_classes < 2:
        found = ", ".join(map(repr, dataset.class_names)) or dataset.num_classes
        raise check.InputError(f"{dataset.name or 'targets'}: one class ({found}), two or more are needed")
    for name, (inputs, targets) in dataset.splits.items():
        which = f"{dataset.name} {name}".strip()
        known = jax.tree.map(_filled, inputs) if allow_missing else inputs
        check_rows.batch(which, Batch(known, targets), dataset.num_classes)
        for shape in map(np.shape, jax.tree.leaves(inputs)):
            if 0 in shape:
                raise check.InputError(f"{which}: inputs of shape {shape}, at least one column is needed")


def _filled(inputs: Inputs) -> Inputs:
    """Inputs with 0 where a value is missing."""
    array = np.asarray(inputs)
    missing = np.isnan(array) if array.dtype.kind == "f" else np.zeros(())
    return np.where(missing, 0, array) if missing.any() else array
