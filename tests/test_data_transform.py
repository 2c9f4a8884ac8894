"""Transforms: equal to scikit-learn's, and fitted on the training rows alone."""

import numpy as np
import pytest
from sklearn import impute as sklearn_impute
from sklearn import preprocessing

from jaxnets import data
from jaxnets.check import InputError
from jaxnets.data.transform import fit_standardise
from jaxnets.types import Batch

MEDIAN = sklearn_impute.SimpleImputer(strategy="median")


@pytest.mark.parametrize(
    ("transform", "reference", "name"),
    [
        (data.standardise, preprocessing.StandardScaler(), "breast_cancer"),
        (data.scale, preprocessing.MinMaxScaler(), "wine"),
        (data.impute, MEDIAN, "cleveland"),
    ],
)
def test_equals_scikit_learn(transform, reference, name):
    before = data.load(name, valid_fraction=0.2)
    after = transform(before)
    reference.fit(before.train.inputs.astype(np.float64))
    for split, rows in after.splits.items():
        expected = reference.transform(before.splits[split].inputs)
        assert rows.inputs.dtype == np.float32
        np.testing.assert_allclose(rows.inputs, expected, rtol=1e-4, atol=1e-4)
        assert rows.targets is before.splits[split].targets


def test_only_the_training_rows_are_looked_at():
    wine = data.load("wine")
    spoiled = wine.replace(test=wine.test._replace(inputs=1e6 * wine.test.inputs))
    for transform in (data.standardise, data.scale, data.impute):
        assert np.array_equal(transform(wine).train.inputs, transform(spoiled).train.inputs)


def test_constant_features_are_only_shifted():
    constant = data.Dataset(Batch(np.full((5, 2), 0.1, np.float32), np.zeros(5, np.float32)))
    assert np.array_equal(data.standardise(constant).train.inputs, np.zeros((5, 2)))
    assert np.array_equal(fit_standardise(constant.train.inputs).scale, np.ones(2))


def test_standardised_images_keep_their_shape():
    digits = data.standardise(data.load("digits"))
    assert digits.test.inputs.shape == (359, 8, 8, 1)
    assert np.isfinite(digits.test.inputs).all()


def test_one_hot_equals_scikit_learn():
    heart = data.impute(data.load("cleveland"))
    columns = ["chest_pain_type", "thal"]
    positions = [heart.feature_names.index(column) for column in columns]
    reference = preprocessing.OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    reference.fit(heart.train.inputs[:, positions])
    after = data.one_hot(heart, columns)
    flags = reference.transform(heart.test.inputs[:, positions])
    assert np.array_equal(after.test.inputs[:, 11:], flags)
    assert np.array_equal(after.test.inputs[:, :11], np.delete(heart.test.inputs, positions, axis=1))
    assert len(after.feature_names) == after.test.inputs.shape[1]
    assert np.array_equal(data.one_hot(heart, positions).test.inputs, after.test.inputs)


def test_a_value_not_seen_in_training_gives_zeros():
    rows = Batch(np.array([[1.0], [2.0]], np.float32), np.zeros(2, np.float32))
    unseen = data.Dataset(rows, test=rows._replace(inputs=np.array([[2.0], [3.0]], np.float32)))
    assert data.one_hot(unseen, [0]).test.inputs.tolist() == [[0, 1], [0, 0]]


def test_one_hot_targets_are_the_identity_rows():
    iris = data.load("iris")
    assert np.array_equal(data.one_hot_targets(iris).test.targets, np.eye(3)[iris.test.targets])
    assert data.one_hot_targets(iris).num_classes is None


@pytest.mark.parametrize(
    ("transform", "name", "message"),
    [
        (data.standardise, "cleveland", "impute first"),
        (data.standardise, "low_rank_ratings", "int32, allowed are floats"),
        (data.one_hot_targets, "boston", "targets are no labels"),
        (lambda dataset: data.one_hot(dataset, ["alcohl"]), "wine", "did you mean 'alcohol'"),
        (lambda dataset: data.one_hot(dataset, [13]), "wine", "column = 13"),
        (lambda dataset: data.one_hot(dataset, [True]), "wine", "column = True"),
        (lambda dataset: data.one_hot(dataset, [0, "alcohol"]), "wine", "one is given twice"),
        (lambda dataset: data.one_hot(dataset, [0]), "digits", "allowed are tables"),
    ],
)
def test_refusals(transform, name, message):
    with pytest.raises(InputError, match=message):
        transform(data.load(name))


def test_a_feature_without_any_value_cannot_be_imputed():
    rows = Batch(np.array([[1.0, np.nan], [2.0, np.nan]], np.float32), np.zeros(2, np.float32))
    with pytest.raises(InputError, match=r"feature \[1\] has no value"):
        data.impute(data.Dataset(rows))
