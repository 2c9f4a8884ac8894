"""Linear discriminant against scikit-learn's and the laws of its space."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.datasets import load_digits, load_iris, load_wine
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from jaxnets import status, train
from jaxnets.check import InputError
from jaxnets.models.discriminant import linear_discriminant, predict, transform
from jaxnets.types import Batch

KEY = jax.random.key(0)
DIGITS = load_digits()  # columns of zeros: the covariance is singular
IMAGES = (DIGITS.images[:, :, :, None] / 16).astype(np.float32)
IRIS, WINE = load_iris(), load_wine()


def fit(inputs, targets, **hparams):
    model = linear_discriminant(num_classes=int(max(targets)) + 1, **hparams)
    return jax.jit(model.step)(KEY, model.init(KEY, Batch(inputs, targets)), Batch(inputs, targets))


def agreement(state, inputs, reference):
    rows = inputs.reshape(len(inputs), -1).astype(float)
    return np.mean(np.argmax(predict(state, inputs), axis=1) == reference.predict(rows))


@pytest.mark.parametrize("shrinkage", [1e-3, 0.1, 0.5, 1.0])
def test_predicts_as_scikit_learn_on_images_with_constant_pixels(shrinkage):
    state, _ = fit(IMAGES, DIGITS.target, shrinkage=shrinkage)
    rows = DIGITS.data / 16
    reference = LinearDiscriminantAnalysis(solver="eigen", shrinkage=shrinkage).fit(rows, DIGITS.target)
    assert agreement(state, IMAGES, reference) >= 0.999
    probabilities = jax.nn.softmax(predict(state, IMAGES))
    np.testing.assert_allclose(probabilities, reference.predict_proba(rows), atol=2e-3)


@pytest.mark.parametrize("data", [IRIS, WINE, DIGITS], ids=["iris", "wine", "digits"])
def test_predicts_as_scikit_learn_by_default(data):
    inputs = data.data.astype(np.float32)
    state, _ = fit(inputs, data.target)
    assert (
        agreement(state, inputs, LinearDiscriminantAnalysis(solver="svd").fit(inputs, data.target)) >= 0.999
    )


def test_priors_are_those_of_scikit_learn():
    inputs, priors = IRIS.data.astype(np.float32), np.array([0.6, 0.39, 0.01])
    state, _ = fit(inputs, IRIS.target, priors=priors, shrinkage=0.2)
    reference = LinearDiscriminantAnalysis(solver="eigen", shrinkage=0.2, priors=priors)
    reference.fit(IRIS.data, IRIS.target)
    probabilities = jax.nn.softmax(predict(state, inputs))
    np.testing.assert_allclose(probabilities, reference.predict_proba(IRIS.data), atol=1e-4)


def test_directions_solve_the_generalised_eigenproblem():
    x, labels = IRIS.data.astype(np.float32), IRIS.target
    state, metrics = fit(x, labels)
    means = np.stack([x[labels == j].mean(axis=0) for j in range(3)])
    within = (x - means[labels]).T @ (x - means[labels]) / len(x)
    between = (means - x.mean(axis=0)).T @ (means - x.mean(axis=0)) / 3
    w = np.asarray(state.directions)
    np.testing.assert_allclose(between @ w, within @ w * np.asarray(state.criterion), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(w.T @ within @ w, np.eye(2), atol=1e-4)
    np.testing.assert_allclose(metrics["loss"], -np.sum(state.criterion), rtol=1e-6)


def test_transform_equals_scikit_learn_up_to_signs():
    inputs = WINE.data.astype(np.float32)
    ours = transform(fit(inputs, WINE.target)[0], inputs)
    theirs = LinearDiscriminantAnalysis(solver="eigen").fit(WINE.data, WINE.target).transform(WINE.data)
    theirs -= theirs.mean(axis=0)
    signs = np.sign(np.sum(ours * theirs, axis=0, keepdims=True))
    np.testing.assert_allclose(ours, signs * theirs, rtol=1e-3, atol=2e-3)


def test_units_of_the_features_do_not_matter():
    inputs = WINE.data.astype(np.float32)
    units = np.logspace(-4, 4, inputs.shape[1], dtype=np.float32)
    plain, scaled = (fit(x, WINE.target)[0] for x in (inputs, inputs * units))
    np.testing.assert_allclose(plain.criterion, scaled.criterion, rtol=1e-3)


def test_more_classes_than_features_and_a_class_without_rows():
    random = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2, 4], 20)
    inputs = (random.normal(size=(80, 2)) + 8 * np.eye(5, 2)[labels] - 8 * (labels == 4)[:, None]).astype(
        np.float32
    )
    state, _ = fit(inputs, labels)
    assert state.directions.shape == (2, 2)
    predictions = np.argmax(predict(state, inputs), axis=1)
    assert np.mean(predictions == labels) >= 0.99


def test_shrinkage_can_be_swept():
    inputs, labels = IRIS.data.astype(np.float32), IRIS.target
    swept = jax.jit(jax.vmap(lambda s: fit(inputs, labels, shrinkage=s)[0].criterion))(jnp.array([0.0, 0.5]))
    np.testing.assert_allclose(
        swept[1], fit(inputs, labels, shrinkage=0.5)[0].criterion, rtol=1e-3, atol=1e-4
    )


@pytest.mark.parametrize("constant", [0.1, 100.1])
def test_a_constant_column_says_nothing(constant):
    """Rounding would give it a variance, and then a weight (scikit-learn's too: it goes without)."""
    random, labels = np.random.default_rng(0), np.repeat([0, 1, 2], (150, 97, 53))
    inputs = random.normal(size=(300, 4)).astype(np.float32) + np.eye(3, 4, dtype=np.float32)[labels]
    inputs[:, 3] = constant
    state, _ = fit(inputs, labels)
    reference = LinearDiscriminantAnalysis(solver="svd").fit(inputs[:, :3].astype(float), labels)
    same = np.argmax(predict(state, inputs), axis=1) == reference.predict(inputs[:, :3].astype(float))
    assert np.mean(same) >= 0.999


def test_a_class_without_rows_is_no_divergence():
    present = IRIS.target < 2
    rows = (IRIS.data[present].astype(np.float32), IRIS.target[present])
    model = linear_discriminant(num_classes=3)
    run = train.run(KEY, model, rows, num_steps=1)
    assert run.status.code != status.DIVERGED
    np.testing.assert_array_equal(np.argmax(model.predict(run.state, rows[0]), axis=1), rows[1])
    assert np.max(jax.nn.softmax(model.predict(run.state, 1e3 * rows[0]))[:, 2]) == 0


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"shrinkage": 1.5}, "shrinkage = 1.5, allowed"),
        ({"priors": np.array([1.0, 0.0])}, "priors = 0.0, allowed"),
        ({"priors": np.ones(3)}, r"priors of shape \(3,\), allowed is \(2,\)"),
        ({"num_classes": 1}, "num_classes = 1, allowed"),
    ],
)
def test_refuses_values_out_of_range(wrong, message):
    with pytest.raises(InputError, match=message):
        linear_discriminant(**{"num_classes": 2} | wrong)


def test_refuses_labels_that_are_no_class():
    with pytest.raises(InputError, match="label 2, allowed are 0 to 1"):
        linear_discriminant(num_classes=2).init(KEY, Batch(IRIS.data, IRIS.target))
