"""The user's own files: ``.csv``, ``.tsv`` and ``.npz``."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from jaxnets.check import InputError
from jaxnets.data import npz, table
from jaxnets.data.dataset import Dataset
from jaxnets.data.npz import Arrays
from jaxnets.types import Array, Batch, Float, Shaped

SEPARATORS = {".csv": ",", ".tsv": "\t"}
SUFFIXES = (*SEPARATORS, ".npz")
SPLITS = ("train", "valid", "test")
PAIRS = (("inputs", "targets"), ("x", "y"))


def read(path: Path, *, allow_missing: bool = False) -> Dataset:
    """Reads a file by its suffix; rows that the file does not split become ``train``.

    Args:
        path: ``.csv`` and ``.tsv`` as in :func:`jaxnets.data.table.read`; ``.npz`` as in :func:`read_npz`.
        allow_missing: whether inputs may be missing (they become NaN).

    Raises:
        InputError: no such file, or something in it that cannot be used; one line.
    """
    if not os.path.isfile(path):
        raise InputError(f"no file {str(path)!r}")
    suffix = path.suffix.lower()
    try:
        if suffix == ".npz":
            dataset = read_npz(path)
        else:
            dataset = table.read(path, separator=SEPARATORS[suffix], allow_missing=allow_missing)
    except PermissionError:
        raise InputError(f"{str(path)!r}: no permission to read it") from None
    return dataset.replace(name=repr(path.name)[1:-1])  # it stands in messages of one line


def read_npz(path: Path) -> Dataset:
    """Reads arrays ``inputs`` and ``targets``, or ``x`` and ``y``, or such a pair for each split.

    A pair for each split is named ``x_train``, ``y_train``, ``x_valid``, ..., or ``train_x``, ... Inputs of
    bytes with two or three axes a row are images: scaled to [0, 1], with an axis for the channels. Targets
    are classes, numbered in sorted order, where they are words or integers; floats are values.

    Raises:
        InputError: no such arrays, two pairs for one split, a pair of no split beside pairs of splits, splits
            of different shapes or dtypes, arrays of Python objects (which only pickle reads), a damaged file.
    """
    there = npz.names(path)
    found = [(split, pair) for split in ("", *SPLITS) for pair in _pairs(split) if set(pair) <= set(there)]
    pairs = dict(found)
    if len(pairs) < len(found) or not (set(pairs) == {""} or ("train" in pairs and "" not in pairs)):
        allowed = "one pair for each split: inputs and targets, x and y, or x_train, y_train, x_test, y_test"
        listed = ", ".join(map(repr, there)) or "none"
        raise InputError(f"{str(path)!r}: arrays {listed}, allowed are {allowed}")
    arrays = npz.read(path, [name for pair in pairs.values() for name in pair])
    for names in zip(*pairs.values(), strict=True):
        _refuse(path, {name: arrays[name] for name in names})
    splits = {split or "train": Batch(_inputs(arrays[x]), arrays[y]) for split, (x, y) in pairs.items()}
    return _number(Dataset(splits.pop("train"), name=path.name).replace(**splits))


def _pairs(split: str) -> list[tuple[str, str]]:
    """Names that the inputs and targets of a split may have."""
    patterns = ("{0}_{1}", "{1}_{0}") if split else ("{0}",)
    return [(form.format(x, split), form.format(y, split)) for x, y in PAIRS for form in patterns]


def _refuse(path: Path, arrays: Arrays) -> None:
    """Refuses the inputs, or the targets, of the splits where they are no rows of one shape."""
    for name, array in arrays.items():
        if array.ndim == 0 or array.dtype.kind not in "biufUS":
            found = f"{array.dtype} of shape {array.shape}"
            raise InputError(f"{str(path)!r}: {name} is {found}, allowed are rows of numbers or text")
    shapes = {name: array.shape[1:] for name, array in arrays.items()}
    if len(set(shapes.values())) > 1:
        raise InputError(f"{str(path)!r}: rows of the shapes {shapes}, allowed is one shape")
    dtypes = {
        name: "text" if array.dtype.kind in "US" else str(array.dtype) for name, array in arrays.items()
    }
    if len(set(dtypes.values())) > 1:
        raise InputError(f"{str(path)!r}: rows of the dtypes {dtypes}, allowed is one dtype")


def _inputs(array: Shaped[np.ndarray, ...]) -> Shaped[np.ndarray, ...]:
    if array.dtype.kind in "US":
        return array.astype(np.dtypes.StringDType())
    if array.dtype == np.uint8 and array.ndim > 2:
        return images(array)
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused as such
        return array.astype(np.float32)


def images(pixels: Shaped[Array, "n h w ..."]) -> Float[np.ndarray, "n h w c"]:
    """Bytes 0 to 255 as floats in [0, 1], with an axis for the channels.

    >>> images(np.full((2, 8, 8), 255, np.uint8)).shape
    (2, 8, 8, 1)
    """
    pixels = pixels if pixels.ndim > 3 else pixels[..., None]
    return np.divide(pixels, np.float32(255), dtype=np.float32)


def _number(dataset: Dataset) -> Dataset:
    """Labels numbered from 0, the same in all splits, where the targets are integers or words."""
    splits = dataset.splits
    values = np.concatenate([rows.targets for rows in splits.values()])
    names = ()
    if values.dtype.kind in "biuUS" and values.size == len(values):
        values, names = table.classes(values.ravel())
    parts = np.split(values, np.cumsum([len(rows.targets) for rows in splits.values()])[:-1])
    numbered = {
        name: rows._replace(targets=part) for (name, rows), part in zip(splits.items(), parts, strict=True)
    }
    return dataset.replace(**numbered, num_classes=len(names) or None, class_names=names)
