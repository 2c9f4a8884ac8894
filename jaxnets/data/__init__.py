"""Data sets as named splits of host arrays; start with :func:`load`."""

from jaxnets.data.dataset import Dataset
from jaxnets.data.fingerprint import fingerprint
from jaxnets.data.load import load, names
from jaxnets.data.split import folds, split
from jaxnets.data.transform import impute, one_hot, one_hot_targets, scale, standardise

__all__ = [
    "Dataset",
    "fingerprint",
    "folds",
    "impute",
    "load",
    "names",
    "one_hot",
    "one_hot_targets",
    "scale",
    "split",
    "standardise",
]
