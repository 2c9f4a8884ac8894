"""Heart disease: what is fitted inside a fold is scikit-learn's; numbers are of rows a model has not seen."""

import jax
import numpy as np
import pytest
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from experiments import heart_disease as experiment


@pytest.fixture(scope="module")
def dataset():
    return experiment.data(experiment.Settings())


def test_gaps_and_scales_are_those_of_the_training_rows(dataset):
    patients, fold = dataset.train.inputs
    assert patients.missing.sum() == 6
    table = np.where(patients.missing > 0, np.nan, patients.values)
    seen = fold != 3
    peer = make_pipeline(SimpleImputer(strategy="median"), StandardScaler()).fit(table[seen])
    found = jax.jit(lambda p: experiment._prepare(experiment._fit(p, seen.astype(np.float32)), p))(patients)
    np.testing.assert_allclose(found, peer.transform(table), rtol=1e-4, atol=1e-5)


def test_folds_are_stratified(dataset):
    fold, labels = dataset.train.inputs.fold, dataset.train.targets
    ill = np.bincount(fold, weights=labels)
    assert set(np.bincount(fold)) == {30, 31}
    assert ill.max() - ill.min() <= 1


def test_numbers_are_of_the_logits(dataset, monkeypatch):
    labels = dataset.test.targets
    logits = np.where(labels == 1, 2.0, -2.0)
    logits[:30] *= -1
    monkeypatch.setattr(experiment, "_logits", lambda *_: logits)
    found = experiment.evaluate(None, None, dataset)
    assert found["accuracy"] == pytest.approx(1 - 30 / 303)
    wrong, right = (1 / (1 + np.exp(-2 * sign)) for sign in (1, -1))
    assert found["brier"] == pytest.approx((30 * wrong**2 + 273 * right**2) / 303, rel=1e-5)
