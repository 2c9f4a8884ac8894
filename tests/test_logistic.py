"""Logistic regression: scikit-learn's coefficients, and the optimality conditions of L1 and L2."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import expit, softmax
from sklearn import datasets
from sklearn.linear_model import LogisticRegression

from jaxnets import losses, status, train
from jaxnets.check import InputError
from jaxnets.models.logistic import logistic_regression, one_vs_rest_cross_entropy
from jaxnets.types import Batch

KEY = jax.random.key(0)


def load(name):
    """Raw units: the model must not mind them."""
    inputs, labels = getattr(datasets, f"load_{name}")(return_X_y=True)
    return inputs.astype(np.float32)[:600], labels.astype(np.int32)[:600]


@partial(jax.jit, static_argnames=("num_classes", "loss"))
def fit(rows, l2, l1, tolerance=2e-7, *, num_classes, loss=losses.softmax_cross_entropy):
    model = logistic_regression(num_classes=num_classes, l2=l2, l1=l1, loss=loss, tolerance=tolerance)
    return train.run(KEY, model, rows, num_steps=5000, evaluate_every=50)


def reference(rows, *, l2, l1=0.0, **options):
    strength = l2 + l1
    kind = {"penalty": "elasticnet", "l1_ratio": l1 / strength} if l1 else {}
    model = LogisticRegression(C=1 / strength, tol=1e-8, max_iter=20_000, **kind, **options)
    return model.fit(rows[0].astype(np.float64), rows[1])


def assert_same(coefficients, expected):
    """To 1e-3 of the largest coefficient."""
    np.testing.assert_allclose(coefficients, expected, atol=1e-3 * np.abs(expected).max())


@pytest.mark.parametrize(("name", "l2"), [("iris", 0.1), ("iris", 10.0), ("wine", 1.0), ("digits", 10.0)])
def test_softmax_equals_scikit_learn(name, l2):
    rows = load(name)
    run = fit(rows, l2, 0.0, num_classes=int(rows[1].max()) + 1)
    expected = reference(rows, l2=l2, solver="newton-cg")
    assert run.status.code == status.CONVERGED
    assert_same(run.state.coefficients.T, expected.coef_)
    assert_same(run.state.intercept, expected.intercept_)


@pytest.mark.parametrize("l2", [1.0, 100.0])
def test_two_classes_equal_scikit_learn(l2):
    rows = load("breast_cancer")
    expected = reference(rows, l2=l2, solver="newton-cg")
    separate = fit(rows, l2, 0.0, num_classes=2, loss=one_vs_rest_cross_entropy).state
    assert_same(separate.coefficients[:, 1], expected.coef_[0])
    assert_same(separate.coefficients[:, 0], -expected.coef_[0])
    joint = fit(rows, 2 * l2, 0.0, num_classes=2).state
    assert_same(joint.coefficients[:, 1] - joint.coefficients[:, 0], expected.coef_[0])


@pytest.mark.filterwarnings("ignore:.*penalty.*")
@pytest.mark.parametrize(("l2", "l1"), [(0.0, 5.0), (2.0, 3.0)])
def test_l1_and_elastic_net_equal_scikit_learn(l2, l1):
    inputs, labels = load("breast_cancer")
    rows = ((inputs - inputs.mean(0)) / inputs.std(0), labels)
    expected = reference(rows, l2=l2, l1=l1, solver="saga").coef_[0]
    found = np.asarray(
        fit(rows, l2, l1, num_classes=2, loss=one_vs_rest_cross_entropy).state.coefficients[:, 1]
    )
    assert_same(found, expected)
    assert 0 < (found == 0).sum() < len(found)


@pytest.mark.parametrize("loss", [losses.softmax_cross_entropy, one_vs_rest_cross_entropy])
@pytest.mark.parametrize(("l2", "l1"), [(0.0, 2.0), (1.0, 0.0), (0.5, 1.0)])
def test_optimality_conditions(loss, l2, l1):
    """``X' r + l2 W = -l1 sign(W)`` where W is not 0, within l1 of 0 where it is; residuals sum to 0."""
    rows = load("digits")
    inputs, labels = rows[0].astype(np.float64), rows[1]
    state = fit(rows, l2, l1, num_classes=10, loss=loss).state
    weights, intercept = (np.asarray(a, np.float64) for a in (state.coefficients, state.intercept))
    link = (lambda scores: softmax(scores, axis=1)) if loss is not one_vs_rest_cross_entropy else expit
    residual = link(inputs @ weights + intercept) - np.eye(10)[labels]
    gradient = inputs.T @ residual + l2 * weights
    size = np.abs(inputs).sum(0)[:, None]
    small = 1e-3 * np.maximum(size, size.mean() / 100)
    assert np.all(
        np.abs(gradient + l1 * np.sign(weights))[weights != 0]
        <= np.broadcast_to(small, weights.shape)[weights != 0]
    )
    assert np.all(np.abs(gradient)[weights == 0] <= (l1 + small + 0 * weights)[weights == 0])
    assert np.abs(residual.sum(0)).max() < 1e-3 * len(labels)


def test_in_float64_the_coefficients_agree_to_1e_7():
    with jax.enable_x64(True):
        inputs, labels = datasets.load_iris(return_X_y=True)
        run = fit((inputs, labels), 1.0, 0.0, 1e-10, num_classes=3)
        expected = reference((inputs, labels), l2=1.0, solver="newton-cg").coef_
        np.testing.assert_allclose(run.state.coefficients.T, expected, atol=1e-7)


def test_the_loss_falls_to_the_optimum_and_the_history_says_so():
    run = fit(load("iris"), 1.0, 0.0, num_classes=3)
    loss = run.history["loss"][~jnp.isnan(run.history["loss"])]
    assert loss[0] > loss[-1]
    np.testing.assert_allclose(loss[-1], loss.min(), rtol=1e-5)


def test_a_grid_of_penalties_equals_single_fits():
    rows, penalties = load("iris"), jnp.array([0.1, 1.0, 10.0])
    grid = jax.vmap(lambda l2: fit(rows, l2, 0.0, num_classes=3).state.coefficients)(penalties)
    for l2, coefficients in zip(penalties, grid, strict=True):
        assert_same(coefficients, fit(rows, l2, 0.0, num_classes=3).state.coefficients)


def test_constant_features_and_images_are_welcome():
    inputs, labels = load("digits")
    images = np.concatenate([inputs, np.full_like(inputs, 7), np.zeros_like(inputs)], axis=1).reshape(
        -1, 24, 8, 1
    )
    state = fit((images, labels), 0.0, 1.0, num_classes=10).state
    np.testing.assert_array_equal(state.coefficients[64:], 0)
    assert (logistic_regression(num_classes=10).predict(state, images).argmax(1) == labels).mean() > 0.95


def test_the_default_tolerance_suffices_for_raw_units_and_a_small_penalty():
    rows = load("breast_cancer")
    model = logistic_regression(num_classes=2, l2=0.1, loss=one_vs_rest_cross_entropy)
    run = train.run(KEY, model, rows, num_steps=5000, evaluate_every=50)
    assert run.status.code == status.CONVERGED
    assert_same(run.state.coefficients[:, 1], reference(rows, l2=0.1, solver="newton-cg").coef_[0])


def test_the_loss_is_the_objective_a_row():
    rows, (l2, l1) = load("iris"), (0.3, 0.2)
    model = logistic_regression(num_classes=3, l2=l2, l1=l1)
    state = train.run(KEY, model, rows, num_steps=9).state
    _, metrics = model.step(KEY, state, Batch(*rows))
    weights = np.asarray(state.ahead.coefficients, np.float64)
    scores = (rows[0] - np.asarray(state.center)) @ weights + np.asarray(state.ahead.level)
    total = -np.log(softmax(scores, axis=1)[np.arange(150), rows[1]]).sum()
    expected = (total + l2 / 2 * (weights**2).sum() + l1 * np.abs(weights).sum()) / 150
    np.testing.assert_allclose(metrics["loss"], expected, rtol=1e-5)


@pytest.mark.parametrize("wrong", [{"l2": -1.0}, {"l1": -0.1}, {"tolerance": 0.0}, {"num_classes": 1}])
def test_refuses_values_out_of_range(wrong):
    with pytest.raises(InputError, match=f"{next(iter(wrong))} = .*, allowed"):
        logistic_regression(**{"num_classes": 2} | wrong)


def test_refuses_labels_that_are_no_class():
    with pytest.raises(InputError, match="label 2, allowed are 0 to 1"):
        logistic_regression(num_classes=2).init(KEY, Batch(*load("iris")))
