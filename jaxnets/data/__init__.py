"""Data sets: ``load(name) -> Dataset``. Start in ``load.py``."""

from jaxnets.data.dataset import Dataset

__all__ = ["Dataset"]
