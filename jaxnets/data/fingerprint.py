"""One number for the content of arrays, to notice any change of the data."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import jax
import numpy as np

from jaxnets.data.dataset import Dataset
from jaxnets.types import Array, Shaped


def digest(arrays: Mapping[str, Shaped[Array, ...]]) -> str:
    """SHA-256 over the names, shapes, dtypes and bytes of arrays, whatever their order.

    >>> digest({"a": np.zeros(2)}) == digest({"a": np.zeros(2, np.float32)})
    False
    """
    total = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        host = np.asarray(array)
        total.update(f"{name}|{host.dtype.str}|{host.shape}|".encode())
        total.update(_content(host))
    return total.hexdigest()


def _content(array: Shaped[np.ndarray, ...]) -> bytes | memoryview:
    """The bytes of an array; strings of varying width, each ended by a zero."""
    if array.dtype.kind == "T":
        return "".join(f"{text}\0" for text in array.ravel()).encode()
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def fingerprint(dataset: Dataset) -> str:
    """SHA-256 over the splits of a data set: their names, shapes, dtypes and bytes.

    >>> from jaxnets.data import load
    >>> fingerprint(load("iris", seed=1)) == fingerprint(load("iris", seed=2))
    False
    """
    leaves, _ = jax.tree_util.tree_flatten_with_path(dataset.splits)
    return digest({jax.tree_util.keystr(path): leaf for path, leaf in leaves})
