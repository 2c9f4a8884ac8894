"""One name in, one data set out."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import jax
import numpy as np

from jaxnets import check
from jaxnets.data import embedded, files, tfds
from jaxnets.data.dataset import Dataset, refuse_unusable
from jaxnets.data.split import SEEDS, split
from jaxnets.data.synthetic import SYNTHETIC
from jaxnets.types import Array, Shaped


def load(
    name: str | Path,
    *,
    seed: int = 0,
    test_fraction: float = 0.2,
    valid_fraction: float = 0.0,
    num_examples: int | None = None,
    allow_missing: bool = False,
) -> Dataset:
    """Loads a data set and splits it: seeded, and stratified where the targets are labels.

    Numbers are float32 (images ``[n, h, w, c]`` in [0, 1]), labels int32 from 0, numbered words and users
    int32, texts NumPy strings.

    Args:
        name: an embedded or synthetic data set (see :func:`names`), a file (``.csv``, ``.tsv``, ``.npz``), or
            a name of TensorFlow Datasets, such as ``mnist`` or ``movielens/100k-ratings``.
        seed: which rows go to which split, and what a synthetic data set holds; below 2**32.
        test_fraction: of all rows, in [0, 1); where the data set has test rows of its own, those are used.
        valid_fraction: of the rows that are not for testing, in [0, 1); as above for its own validation rows.
        num_examples: training rows to keep; None keeps all.
        allow_missing: whether inputs in a file may be missing; they become NaN, for
            :func:`~jaxnets.data.impute` (in ``cleveland`` they always may).

    Raises:
        InputError: in one line: an unknown name, no network, a file or a number that cannot be used.

    Example:
        >>> iris = load("iris", num_examples=30)
        >>> iris.train.inputs.shape, iris.test.inputs.shape, iris.class_names
        ((30, 4), (30, 4), ('setosa', 'versicolor', 'virginica'))
    """
    if not isinstance(name, (str, Path)):
        raise check.InputError(f"data set {name!r}, allowed is a name, or the path of a file")
    check.count("seed", seed, *SEEDS)
    dataset = jax.tree.map(_host, _read(str(name), seed, allow_missing))
    refuse_unusable(dataset, allow_missing=allow_missing or str(name) in embedded.WITH_MISSING)
    return split(
        dataset,
        seed=seed,
        test_fraction=test_fraction,
        valid_fraction=valid_fraction,
        num_examples=num_examples,
    )


def names() -> tuple[str, ...]:
    """The data sets that need no file and no network.

    >>> "mnist5k" in names()
    True
    """
    return (*embedded.EMBEDDED, *SYNTHETIC)


def _read(name: str, seed: int, allow_missing: bool) -> Dataset:
    if Path(name).suffix.lower() in files.SUFFIXES:
        return files.read(Path(os.path.expanduser(name)), allow_missing=allow_missing)
    if name in embedded.EMBEDDED:
        return embedded.EMBEDDED[name]()
    if name in SYNTHETIC:
        make, num_examples, num_classes = SYNTHETIC[name]
        rows = jax.jit(partial(make, num_examples=num_examples))(jax.random.key(seed))
        return Dataset(rows, name=name, num_classes=num_classes)
    known = tfds.names()
    if tfds.base(name) not in known:
        hint = check.suggestion(tfds.base(name), [*names(), *known])
        allowed = f"{', '.join(names())}, a {', '.join(files.SUFFIXES)} file, a name of TensorFlow Datasets"
        raise check.InputError(f"unknown data set {name!r}: {hint}allowed: {allowed}")
    return tfds.read(name)


def _host(leaf: Shaped[Array, ...]) -> Shaped[np.ndarray, ...]:
    """On the host, in 32 bits."""
    array = np.asarray(leaf)
    narrow = {"f": np.float32, "i": np.int32, "u": np.int32, "b": np.int32}.get(array.dtype.kind)
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused as such
        return array if narrow is None else array.astype(narrow, copy=False)
