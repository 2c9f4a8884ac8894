"""Heart disease: what is fitted inside a fold is scikit-learn's; numbers are of rows a model has not seen."""

import functools
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from experiments import heart_disease as experiment
from jaxnets.learner import Learner
from jaxnets.models.cross_validation import cross_validated


@pytest.fixture(scope="module")
def dataset():
    return experiment.data(experiment.Settings())


def test_gaps_and_scales_are_those_of_the_training_rows(dataset):
    patients = dataset.train.inputs
    assert patients.missing.sum() == 6
    table = np.where(patients.missing > 0, np.nan, patients.values)
    seen = np.arange(len(table)) % 10 != 3
    peer = make_pipeline(SimpleImputer(strategy="median"), StandardScaler()).fit(table[seen])
    found = jax.jit(lambda p: experiment._prepare(experiment._fit(p, seen.astype(np.float32)), p))(patients)
    np.testing.assert_allclose(found, peer.transform(table), rtol=1e-4, atol=1e-5)


def test_folds_are_stratified_and_the_seed_draws_them(dataset):
    labels = dataset.train.targets
    draw = jax.jit(functools.partial(experiment.stratified, num_folds=10))
    one, other = (np.asarray(draw(jax.random.key(seed), labels)) for seed in (0, 1))
    for fold in (one, other):
        ill = np.bincount(fold, weights=labels)
        assert set(np.bincount(fold)) == {30, 31}
        assert ill.max() - ill.min() <= 1
    assert 0.05 < np.mean(one == other) < 0.15  # a tenth of 303, and four deviations


def test_predictions_are_out_of_the_folds_drawn(dataset):
    """A learner that remembers which patients it saw has seen none that it is asked about."""

    def step(key, state, batch):
        return batch.targets.weight, {"loss": 0.0}

    rows = dataset.train
    seen = Learner(lambda key, data: jnp.zeros(303), step, lambda state, inputs: state[:, None])
    model = experiment.assigning(cross_validated(seen, num_folds=10), 10)
    state, _ = model.step(jax.random.key(1), model.init(jax.random.key(0), rows), rows)
    assert state.models.models.sum(axis=1).min() == 303 - 31
    assert model.predict(state, rows.inputs).sum() == 0


def test_numbers_are_of_the_logits(dataset, monkeypatch):
    labels = dataset.test.targets
    logits = np.where(labels == 1, 2.0, -2.0)
    logits[:30] *= -1
    monkeypatch.setattr(experiment, "_logits", lambda *_: logits)
    found = experiment.evaluate(None, None, dataset)
    assert found["accuracy"] == pytest.approx(1 - 30 / 303)
    assert float(found["auroc"]) == pytest.approx(roc_auc_score(labels, logits), rel=1e-5)
    wrong, right = (1 / (1 + np.exp(-2 * sign)) for sign in (1, -1))
    assert found["brier"] == pytest.approx((30 * wrong**2 + 273 * right**2) / 303, rel=1e-5)


def test_checks_tell_a_patient_whose_probability_is_wrong(dataset):
    """The regressions of three folds, refitted here; then the fortieth patient's logit is 1 too large."""
    patients, labels = dataset.test
    table, fold = np.where(patients.missing > 0, np.nan, patients.values), np.arange(303) % 3
    hparams, logits = experiment.Hparams(l2=0.2), np.zeros(303)
    for out in (fold == number for number in range(3)):
        regression = LogisticRegression(C=1 / (0.2 * 202))
        peer = make_pipeline(SimpleImputer(strategy="median"), StandardScaler(), regression)
        logits[out] = peer.fit(table[~out], labels[~out]).decision_function(table[out])

    def check(logits):
        row = SimpleNamespace(
            name="logistic", hparams=hparams, settings=experiment.Settings(num_folds=3),
            learner=Learner(None, None, lambda state, inputs: state.models[:, None]),
            runs=[SimpleNamespace(state=experiment.Assigned(fold, logits))],
        )  # fmt: skip
        return experiment.checks([SimpleNamespace(name="mlp"), row], dataset)["difference_from_scikit_learn"]

    wrong = logits + (np.arange(303) == 40)
    before, after = (1 / (1 + np.exp(-some[40])) for some in (logits, wrong))
    assert check(logits) < 1e-6
    assert check(wrong) == pytest.approx(after - before, rel=1e-4)
    assert after - before > 1e-2
