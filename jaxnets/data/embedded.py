"""Data sets that come with installed packages, and one that comes with this one."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import numpy as np

from jaxnets.data import cache, table
from jaxnets.data.dataset import Dataset
from jaxnets.data.files import images
from jaxnets.types import Array, Batch, Int, Shaped

BOSTON_FEATURES = (
    "CRIM", "ZN", "INDUS", "CHAS", "NOX", "RM", "AGE", "DIS", "RAD", "TAX", "PTRATIO", "B", "LSTAT",
)  # fmt: skip


def digits() -> Dataset:
    """1,797 handwritten digits, 8 x 8 (scikit-learn; UCI Optical Recognition of Handwritten Digits)."""
    from sklearn import datasets

    source = datasets.load_digits()
    return _classes("digits", source.images[..., None] / 16, source.target, map(str, range(10)))


def mnist5k() -> Dataset:
    """5,000 handwritten digits, 28 x 28, 500 of each (mlxtend; LeCun, Cortes and Burges, MNIST)."""
    key = f"mnist5k-mlxtend-{importlib.metadata.version('mlxtend')}"
    source = cache.cached(key, [cache.user_folder()], _parse_mnist5k)
    return _classes("mnist5k", images(source["inputs"]), source["targets"], map(str, range(10)))


def cleveland() -> Dataset:
    """303 patients, 13 findings each; has the patient a heart disease? Six values are missing (NaN).

    Reference: R. Detrano et al., International application of a new probability algorithm for the diagnosis
    of coronary artery disease, American Journal of Cardiology 64, 1989 (UCI Heart Disease, CC BY 4.0).
    """
    found = table.read(Path(__file__).with_name("cleveland.csv"), separator=",", allow_missing=True)
    return found.replace(name="cleveland", class_names=("healthy", "heart disease"))


def boston() -> Dataset:
    """506 suburbs of Boston, 13 features each; the target is the median house price in 1,000 dollars.

    Reference: D. Harrison and D. L. Rubinfeld, Hedonic housing prices and the demand for clean air,
    Journal of Environmental Economics and Management 5, 1978 (mlxtend).
    """
    from mlxtend.data import boston_housing_data

    rows = Batch(*(part.astype(np.float32) for part in boston_housing_data()))
    return Dataset(rows, name="boston", feature_names=BOSTON_FEATURES)


def diabetes() -> Dataset:
    """442 patients with 10 findings each; the target is the progression of the disease (scikit-learn)."""
    from sklearn import datasets

    source = datasets.load_diabetes()
    rows = Batch(source.data.astype(np.float32), source.target.astype(np.float32))
    return Dataset(rows, name="diabetes", feature_names=tuple(source.feature_names))


def _measured(name: str) -> Dataset:
    """A table of scikit-learn's with class names: iris, wine, breast_cancer."""
    from sklearn import datasets

    source = getattr(datasets, f"load_{name}")()
    found = _classes(name, source.data, source.target, map(str, source.target_names))
    return found.replace(feature_names=tuple(map(str, source.feature_names)))


def _classes(
    name: str, inputs: Shaped[Array, "n ..."], labels: Int[Array, " n"], class_names: Iterable[str]
) -> Dataset:
    names = tuple(class_names)
    rows = Batch(inputs.astype(np.float32), labels.astype(np.int32))
    return Dataset(rows, name=name, num_classes=len(names), class_names=names)


def _parse_mnist5k() -> cache.Arrays:
    from mlxtend.data import mnist_data

    inputs, labels = mnist_data()  # parses text: 2 seconds
    return {"inputs": inputs.reshape(-1, 28, 28, 1).astype(np.uint8), "targets": labels.astype(np.int32)}


EMBEDDED: dict[str, Callable[[], Dataset]] = {
    "digits": digits,
    "mnist5k": mnist5k,
    "cleveland": cleveland,
    "boston": boston,
    "diabetes": diabetes,
    **{name: partial(_measured, name) for name in ("iris", "wine", "breast_cancer")},
}
WITH_MISSING = ("cleveland",)
