"""Linear support vector machines: SciPy's optimum of the same objective, LIBLINEAR, and the duality gap."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn import datasets
from sklearn.svm import LinearSVC

from jaxnets import status, train
from jaxnets.check import InputError
from jaxnets.models.svm import linear_svm

KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def iris():
    inputs, labels = datasets.load_iris(return_X_y=True)
    return inputs.astype(np.float32), labels.astype(np.int32)


@partial(jax.jit, static_argnames="num_classes")
def fit(rows, C, tolerance=2e-7, *, num_classes=3):
    model = linear_svm(num_classes=num_classes, C=C, tolerance=tolerance)
    return train.run(KEY, model, rows, num_steps=8000, evaluate_every=50)


@pytest.fixture(scope="module", params=[0.01, 1.0, 100.0])
def solved(request, iris):
    """C and the solution in float64, where the optimum is known to many digits."""
    with jax.enable_x64(True):
        run = fit((iris[0].astype(np.float64), iris[1]), request.param, 1e-9)
        assert run.status.code == status.CONVERGED
        return request.param, np.asarray(run.state.coefficients), np.asarray(run.state.intercept)


def hinges(rows, weights, bias, positive):
    signs = np.where(rows[1] == positive, 1.0, -1.0)
    return signs, np.maximum(0, 1 - signs * (rows[0].astype(np.float64) @ weights + bias))


def objective(point, rows, C, positive):
    _, slack = hinges(rows, point[:-1], point[-1], positive)
    return point[:-1] @ point[:-1] / 2 + C * (slack**2).sum()


def test_equals_scipys_optimum_for_each_class(iris, solved):
    C, coefficients, intercept = solved
    for positive in range(3):
        best = minimize(objective, np.zeros(5), (iris, C, positive), method="BFGS", options={"gtol": 1e-6})
        found = np.append(coefficients[:, positive], intercept[positive])
        np.testing.assert_allclose(found, best.x, atol=1e-3 * np.abs(best.x).max())
        assert objective(found, iris, C, positive) <= best.fun * (1 + 1e-9)


def test_the_duality_gap_is_small_and_never_negative(iris, solved):
    """alpha = 2 C slack is dual feasible once ``sum y alpha = 0``, which the free intercept brings about."""
    C, coefficients, intercept = solved
    for positive in range(3):
        weights, bias = coefficients[:, positive], intercept[positive]
        signs, slack = hinges(iris, weights, bias, positive)
        alpha = 2 * C * slack
        assert abs(signs @ alpha) <= 1e-5 * alpha.sum()
        primal = weights @ weights / 2 + C * (slack**2).sum()
        spanned = (alpha * signs) @ iris[0]
        dual = alpha.sum() - spanned @ spanned / 2 - (alpha**2).sum() / (4 * C)
        assert -1e-6 * primal <= primal - dual <= 1e-4 * primal


def test_predictions_and_objective_equal_libliners():
    inputs, labels = datasets.load_digits(return_X_y=True)
    inputs, labels = (inputs / 16).astype(np.float32), labels.astype(np.int32)
    rows = (inputs[:1000], labels[:1000])
    run = fit(rows, 0.1, num_classes=10)
    reference = LinearSVC(C=0.1, tol=1e-6, intercept_scaling=10.0, max_iter=20_000).fit(*rows)
    predicted = linear_svm(num_classes=10).predict(run.state, inputs[1000:]).argmax(1)
    assert (predicted == reference.predict(inputs[1000:])).mean() >= 0.995
    for positive in range(10):
        ours = np.append(run.state.coefficients[:, positive], run.state.intercept[positive])
        theirs = np.append(reference.coef_[positive], reference.intercept_[positive])
        assert objective(ours, rows, 0.1, positive) <= objective(theirs, rows, 0.1, positive) * (1 + 1e-5)


def test_a_grid_of_C_equals_single_fits(iris):
    strengths = jnp.array([0.1, 10.0])
    grid = jax.vmap(lambda C: fit(iris, C).state.coefficients)(strengths)
    for C, found in zip(strengths, grid, strict=True):
        alone = fit(iris, C).state.coefficients
        np.testing.assert_allclose(found, alone, atol=1e-3 * jnp.abs(alone).max())


def test_the_loss_is_the_sum_of_the_objectives_over_C_n(iris):
    run = fit(iris, 10.0)
    weights, intercept = np.asarray(run.state.coefficients), np.asarray(run.state.intercept)
    total = sum(objective(np.append(weights[:, j], intercept[j]), iris, 10.0, j) for j in range(3))
    loss = run.history["loss"][~np.isnan(run.history["loss"])][-1]
    np.testing.assert_allclose(loss, total / (10.0 * 150), rtol=1e-5)


@pytest.mark.parametrize("wrong", [{"C": 0.0}, {"tolerance": 0.0}, {"num_classes": 1}])
def test_refuses_values_out_of_range(wrong):
    with pytest.raises(InputError, match=f"{next(iter(wrong))} = .*, allowed"):
        linear_svm(**{"num_classes": 2} | wrong)
