"""The embedded data sets, and what load refuses."""

import inspect
import re
import subprocess
import sys

import jax
import numpy as np
import pytest
from sklearn import datasets as sklearn_datasets

from jaxnets.check import InputError
from jaxnets.data import Dataset, fingerprint, load, names, split
from jaxnets.types import Batch


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path_factory):
    """A cache folder for this module, so that the user's own stays as it is."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.mark.parametrize(
    ("name", "num_rows", "row_shape", "num_classes"),
    [
        ("digits", 1797, (8, 8, 1), 10),
        ("mnist5k", 5000, (28, 28, 1), 10),
        ("cleveland", 303, (13,), 2),
        ("boston", 506, (13,), None),
        ("diabetes", 442, (10,), None),
        ("iris", 150, (4,), 3),
        ("wine", 178, (13,), 3),
        ("breast_cancer", 569, (30,), 2),
    ],
)
def test_embedded_data_set_is_whole(name, num_rows, row_shape, num_classes):
    dataset = load(name, valid_fraction=0.25)
    assert list(dataset.splits) == ["train", "valid", "test"]
    assert sum(len(rows.inputs) for rows in dataset.splits.values()) == num_rows
    assert dataset.num_classes == num_classes
    assert len(dataset.class_names) == (num_classes or 0)
    assert len(dataset.feature_names) in (0, row_shape[-1])
    for rows in dataset.splits.values():
        assert rows.inputs.shape[1:] == row_shape
        assert isinstance(rows.inputs, np.ndarray)
        assert rows.inputs.dtype == np.float32
        assert rows.targets.dtype == (np.int32 if num_classes else np.float32)
        if num_classes:
            assert set(rows.targets.tolist()) == set(range(num_classes))


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "diabetes"])
def test_tables_are_scikit_learns(name):
    source = getattr(sklearn_datasets, f"load_{name}")()
    rows = load(name, test_fraction=0.0).train
    assert np.array_equal(rows.inputs, source.data.astype(np.float32))
    assert np.array_equal(rows.targets, source.target.astype(rows.targets.dtype))


@pytest.mark.parametrize(("name", "per_class"), [("digits", None), ("mnist5k", 500)])
def test_images_lie_in_the_unit_interval(name, per_class):
    rows = load(name, test_fraction=0.0).train
    assert rows.inputs.min() == 0
    assert rows.inputs.max() == 1
    if per_class:
        assert np.bincount(rows.targets).tolist() == [per_class] * 10


def test_nearest_neighbour_reads_the_digits():
    # Images and labels belong together: 1-NN errs on 5 % of mnist5k, on 90 % if rows were mixed up.
    digits = load("mnist5k", num_examples=1000)
    train, test = (rows.inputs.reshape(len(rows.inputs), -1) for rows in (digits.train, digits.test))
    distance = (train**2).sum(1)[None] - 2 * test @ train.T
    assert (digits.train.targets[distance.argmin(1)] == digits.test.targets).mean() > 0.85


def test_cleveland_keeps_its_six_missing_values():
    heart = load("cleveland", test_fraction=0.0)
    assert np.isnan(heart.train.inputs).sum() == 6
    assert np.bincount(heart.train.targets).tolist() == [164, 139]
    assert heart.feature_names[:2] == ("age", "sex")


@pytest.mark.parametrize("name", ["digits", "boston", "xor", "lines", "negation"])
def test_same_seed_same_rows(name):
    kept = {"num_examples": 50}
    assert fingerprint(load(name, seed=3, **kept)) == fingerprint(load(name, seed=3, **kept))
    assert fingerprint(load(name, seed=3, **kept)) != fingerprint(load(name, seed=4, **kept))


def test_fingerprint_sees_every_change():
    rows = Batch(np.arange(6.0, dtype=np.float32).reshape(3, 2), np.arange(3, dtype=np.int32))
    texts = np.array(["a", "b", "c"], np.dtypes.StringDType())
    changed = [
        Dataset(rows),
        Dataset(rows, test=rows),
        Dataset(rows, valid=rows),
        Dataset(rows._replace(inputs=rows.inputs.T.copy().reshape(3, 2))),
        Dataset(rows._replace(inputs=rows.inputs.reshape(3, 1, 2))),
        Dataset(rows._replace(targets=rows.targets.astype(np.int64))),
        Dataset(rows._replace(inputs=texts)),
        Dataset(rows._replace(inputs=np.array(["ab", "", "c"], np.dtypes.StringDType()))),
    ]
    assert len({fingerprint(dataset) for dataset in changed}) == len(changed)
    assert fingerprint(Dataset(rows)) == fingerprint(Dataset(jax.tree.map(np.copy, rows)))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("mnist5", {}, "unknown data set 'mnist5': did you mean 'mnist5k'"),
        ("digits.xlsx", {}, "unknown data set"),
        ("no/such/file.csv", {}, "no file 'no/such/file.csv'"),
        ("iris", {"test_fraction": 1.0}, "test_fraction = 1.0, allowed is [0, 1)"),
        ("iris", {"valid_fraction": -0.1}, "valid_fraction = -0.1"),
        ("iris", {"test_fraction": 1e-4}, "leaves an empty split"),
        ("iris", {"num_examples": 0}, "num_examples = 0, allowed are 1 to 120"),
        ("iris", {"num_examples": 121}, "num_examples = 121, allowed are 1 to 120"),
        ("iris", {"seed": -1}, "seed = -1"),
        ("xor", {"seed": 2**70}, "allowed are 0 to 4294967295"),
        ("MNIST5K", {}, "did you mean 'mnist5k'"),
        ("iri", {}, "did you mean 'iris'? allowed"),
    ],
)
def test_refusals_are_one_line(name, options, message):
    with pytest.raises(InputError) as refusal:
        load(name, **options)
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": 2.5}, "seed = 2.5, allowed are 0 to"),
        ({"seed": True}, "seed = True"),
        ({"num_examples": 1.5}, "num_examples = 1.5"),
        ({"test_fraction": True}, "test_fraction = True, allowed is [0, 1)"),
        ({"valid_fraction": "a"}, "valid_fraction = 'a'"),
    ],
)
def test_numbers_of_another_kind(monkeypatch, options, message):
    unchecked = inspect.unwrap(load)  # the tests' own type checks would answer first
    monkeypatch.setitem(unchecked.__globals__, "split", inspect.unwrap(split))
    with pytest.raises(InputError, match=re.escape(message)):
        unchecked("iris", **options)


def test_data_sets_have_a_hash_and_pass_through_jit():
    rows = Batch(np.eye(2, dtype=np.float32), np.arange(2))
    dataset = Dataset(rows, name="eye")
    assert len({dataset, dataset, dataset.replace()}) == 2
    assert dataset != dataset.replace()
    double = jax.jit(lambda data: data.replace(train=jax.tree.map(lambda leaf: 2 * leaf, data.train)))(
        dataset
    )
    assert (double.name, double.train.targets.tolist()) == ("eye", [0, 2])


def test_import_leaves_the_heavy_packages_alone():
    code = "import sys, jaxnets.data; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    heavy = {"tensorflow_datasets", "sklearn", "mlxtend", "pandas", "PIL", "matplotlib", "requests"}
    assert not heavy & set(loaded)
    assert "mnist5k" in names()
