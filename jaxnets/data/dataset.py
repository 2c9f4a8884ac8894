"""A data set: named splits of arrays, and what is known about them."""

from __future__ import annotations

import dataclasses
from functools import partial

import jax

from jaxnets.types import Batch


@partial(
    jax.tree_util.register_dataclass,
    data_fields=("train", "valid", "test"),
    meta_fields=("name", "num_classes", "class_names", "feature_names"),
)
@dataclasses.dataclass(frozen=True)
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

    def replace(self, **changes) -> Dataset:
        """The same data set with other fields."""
        return dataclasses.replace(self, **changes)

    @property
    def splits(self) -> dict[str, Batch]:
        """The splits there are, by name."""
        named = {name: getattr(self, name) for name in ("train", "valid", "test")}
        return {name: rows for name, rows in named.items() if rows is not None}
