"""Ridge classifier against scikit-learn's and its normal equations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.datasets import load_digits, load_wine
from sklearn.linear_model import Ridge, RidgeClassifier

from jaxnets.check import InputError
from jaxnets.models.ridge import predict, ridge_classifier, solve
from jaxnets.types import Batch

KEY = jax.random.key(0)
DIGITS = load_digits()  # columns of zeros among its 64
IMAGES = (DIGITS.images[:, :, :, None] / 16).astype(np.float32)
WINE = load_wine()  # standard deviations from 0.1 to 300


def fit(inputs, targets, alpha):
    model = ridge_classifier(num_classes=int(max(targets)) + 1, alpha=alpha)
    return jax.jit(model.step)(KEY, model.init(KEY, Batch(inputs, targets)), Batch(inputs, targets))[0]


def relative(actual, expected):
    return np.linalg.norm(actual - expected) / np.linalg.norm(expected)


@pytest.mark.parametrize(
    ("inputs", "targets", "alpha"),
    [
        (IMAGES, DIGITS.target, 1.0),
        (IMAGES, DIGITS.target, 1e-3),
        (IMAGES[:40], DIGITS.target[:40], 1.0),  # fewer rows than columns
        (WINE.data.astype(np.float32), WINE.target, 1.0),
    ],
)
def test_equals_scikit_learn(inputs, targets, alpha):
    state = fit(inputs, targets, alpha)
    rows = inputs.reshape(len(inputs), -1).astype(float)
    reference = RidgeClassifier(alpha=alpha, solver="cholesky").fit(rows, targets)
    assert relative(state.coefficients, reference.coef_.T) < 1e-4
    assert relative(state.intercept, reference.intercept_) < 1e-4
    predictions = np.argmax(predict(state, inputs), axis=1)
    assert np.mean(predictions == reference.predict(rows)) >= 0.999


def test_two_classes_are_mirrored_and_equal_scikit_learn():
    inputs, targets = WINE.data[:130].astype(np.float32), WINE.target[:130]
    state = fit(inputs, targets, 1.0)
    reference = RidgeClassifier().fit(WINE.data[:130], targets)
    assert relative(state.coefficients[:, 1], np.ravel(reference.coef_)) < 1e-4
    np.testing.assert_allclose(state.coefficients[:, 0], -state.coefficients[:, 1], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("rows", [20, 5])
def test_primal_and_dual_satisfy_the_normal_equations(rows):
    random = np.random.default_rng(0)
    x, y = random.normal(size=(rows, 10)), random.normal(size=(rows, 2))
    with jax.enable_x64(True):
        w = np.asarray(solve(jnp.asarray(x), jnp.asarray(y), alpha=0.7))
    np.testing.assert_allclose(x.T @ (y - x @ w), 0.7 * w, atol=1e-12)
    np.testing.assert_allclose(w, Ridge(alpha=0.7, fit_intercept=False).fit(x, y).coef_.T, rtol=1e-8)


def test_without_a_penalty_dependent_columns_do_no_harm():
    x = np.random.default_rng(0).normal(size=(30, 1)).astype(np.float32)
    doubled = jnp.concatenate([x, x, 0 * x], axis=1)
    w = solve(doubled, jnp.asarray(3 * x), alpha=0.0)
    np.testing.assert_allclose(doubled @ w, 3 * x, rtol=1e-5)


def test_penalties_can_be_swept_and_differentiated():
    inputs, targets = IMAGES[:200], DIGITS.target[:200]
    alphas = jnp.array([0.1, 1.0, 10.0])
    swept = jax.jit(jax.vmap(lambda alpha: fit(inputs, targets, alpha).coefficients))(alphas)
    assert relative(swept[1], fit(inputs, targets, 1.0).coefficients) < 1e-4
    norms = jnp.linalg.norm(swept, axis=(1, 2))
    assert norms[0] > norms[1] > norms[2]  # a stronger penalty, smaller coefficients
    slope = jax.grad(lambda alpha: jnp.sum(jnp.square(fit(inputs, targets, alpha).coefficients)))(1.0)
    assert slope < 0


def test_the_loss_is_the_objective():
    x, y = IMAGES[:50].reshape(50, -1), 2 * np.eye(10)[DIGITS.target[:50]] - 1
    state, metrics = ridge_classifier(num_classes=10, alpha=3.0).step(KEY, (), Batch(x, DIGITS.target[:50]))
    residual = y - x @ np.asarray(state.coefficients) - np.asarray(state.intercept)
    expected = np.square(residual).sum() + 3 * np.square(np.asarray(state.coefficients)).sum()
    np.testing.assert_allclose(metrics["loss"], expected, rtol=1e-4)


@pytest.mark.parametrize("wrong", [{"alpha": -1.0}, {"num_classes": 1}])
def test_refuses_values_out_of_range(wrong):
    with pytest.raises(InputError, match=f"{next(iter(wrong))} = .*, allowed"):
        ridge_classifier(**{"num_classes": 2} | wrong)


def test_refuses_labels_that_are_no_class():
    with pytest.raises(InputError, match="label 2, allowed are 0 to 1"):
        ridge_classifier(num_classes=2).init(KEY, Batch(IMAGES[:3], DIGITS.target[:3]))
