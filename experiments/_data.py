"""Data sets as experiments read them: the rows of a table share one copy, read and split once."""

from __future__ import annotations

import functools
from typing import Any

from jaxnets import data
from jaxnets.data import Dataset


@functools.lru_cache(maxsize=2)
def load(name: str, **options: Any) -> Dataset:
    """As :func:`jaxnets.data.load`, read once for all rows of a table, their checks and their pictures.

    Two data sets are kept, not more: the whole of MNIST takes 0.2 GB. Nobody may write into them.

    >>> load("iris", valid_fraction=0.2) is load("iris", valid_fraction=0.2)
    True
    """
    return data.load(name, **options)
