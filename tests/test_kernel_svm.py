"""The kernel SVM: scikit-learn's predictions, and in float64 the conditions that prove the optimum."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn import datasets
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import scale
from sklearn.svm import SVC

from jaxnets import kernels, status, train
from jaxnets.check import InputError
from jaxnets.models.kernel_svm import kernel_svm
from jaxnets.models.multiclass import one_vs_one, one_vs_rest
from jaxnets.types import Batch

KEY = jax.random.key(0)
KERNELS = {
    "linear": (lambda gamma: kernels.linear(), {"kernel": "linear"}),
    "polynomial": (
        lambda gamma: kernels.polynomial(degree=3, gamma=gamma, coef0=1.0),
        {"kernel": "poly", "degree": 3, "coef0": 1.0},
    ),
    "rbf": (lambda gamma: kernels.rbf(gamma=gamma), {"kernel": "rbf"}),
    "sigmoid": (lambda gamma: kernels.sigmoid(gamma=gamma), {"kernel": "sigmoid"}),
}


def load(name, num_train):
    """Standardised rows to learn from, others to predict, in an order drawn once."""
    inputs, labels = getattr(datasets, f"load_{name}")(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    inputs, labels = scale(inputs).astype(np.float32)[order], labels.astype(np.int32)[order]
    return (inputs[:num_train], labels[:num_train]), inputs[num_train:]


def gamma_of(kind, rows):
    """A tenth for the sigmoid: wider, its matrix is far from semi-definite, and its optimum not unique."""
    return float(kernels.scale_gamma(rows[0])) / (10 if kind == "sigmoid" else 1)


def fit(rows, kind, C, *, num_classes, strategy=one_vs_one, gamma=None, tolerance=1e-3):
    kernel = KERNELS[kind][0](gamma_of(kind, rows) if gamma is None else gamma)
    model = kernel_svm(kernel=kernel, num_classes=num_classes, C=C, strategy=strategy, tolerance=tolerance)
    return model, train.run(KEY, model, rows, num_steps=1)


def reference(rows, kind, C, **options):
    return SVC(C=C, gamma=gamma_of(kind, rows), **KERNELS[kind][1], **options)


@pytest.mark.parametrize("C", [10.0, pytest.param(0.1, marks=pytest.mark.release)])
@pytest.mark.parametrize("kind", KERNELS)
@pytest.mark.parametrize("name", ["iris", "breast_cancer", "digits"])
def test_predictions_equal_scikit_learns_and_the_gap_is_small(name, kind, C):
    rows, others = load(name, {"iris": 100, "breast_cancer": 300, "digits": 500}[name])
    num_classes = int(rows[1].max()) + 1
    model, run = fit(rows, kind, C, num_classes=num_classes)
    theirs = reference(rows, kind, C, break_ties=num_classes > 2).fit(*rows)
    assert (model.predict(run.state, others).argmax(1) == theirs.predict(others)).mean() >= 0.995
    assert -1e-5 <= run.history["gap"][0] <= 1e-3
    assert run.history["violation"][0] <= 1e-3
    assert run.status.code == status.CONVERGED
    assert run.history["support_vectors"][0] == pytest.approx(len(theirs.support_), rel=0.03, abs=2)


def test_scores_equal_scikit_learns_decision_function():
    rows, others = load("iris", 100)
    model, run = fit(rows, "rbf", 1.0, num_classes=3, tolerance=1e-4)
    theirs = reference(rows, "rbf", 1.0, tol=1e-5).fit(*rows)
    np.testing.assert_allclose(model.predict(run.state, others), theirs.decision_function(others), atol=2e-3)


def test_one_class_against_the_rest_equals_scikit_learn():
    rows, others = load("digits", 500)
    model, run = fit(rows, "rbf", 5.0, num_classes=10, strategy=one_vs_rest)
    theirs = OneVsRestClassifier(reference(rows, "rbf", 5.0)).fit(*rows)
    np.testing.assert_allclose(model.predict(run.state, others), theirs.decision_function(others), atol=5e-3)


@pytest.mark.parametrize("kind", KERNELS)
def test_the_conditions_of_the_optimum_hold(kind):
    """Feasible, on the margin where 0 < alpha < C, beyond it where alpha = 0, within where alpha = C."""
    rows, _ = load("breast_cancer", 200)
    C = 1.0
    _, run = fit(rows, kind, C, num_classes=2)
    beta, bias = np.asarray(run.state.coefficients[:, 0], np.float64), float(run.state.biases[0])
    signs = np.where(rows[1] == 0, 1.0, -1.0)
    alpha, inputs = signs * beta, rows[0].astype(np.float64)
    shape = {"degree": 3, "coef0": 1.0, "gamma": gamma_of(kind, rows)}
    products = inputs @ inputs.T
    distances = np.diag(products)[:, None] + np.diag(products) - 2 * products
    gram = {
        "linear": products,
        "polynomial": (shape["gamma"] * products + 1) ** 3,
        "rbf": np.exp(-shape["gamma"] * distances),
        "sigmoid": np.tanh(shape["gamma"] * products),
    }[kind]
    margins = signs * (gram @ beta + bias)
    assert abs(beta.sum()) <= 1e-5 * alpha.sum()
    assert np.all((alpha >= 0) & (alpha <= C))
    free = (alpha > 0) & (alpha < C)
    assert free.any()
    np.testing.assert_allclose(margins[free], 1, atol=2e-3)
    assert np.all(margins[alpha == 0] >= 1 - 2e-3)
    assert np.all(margins[alpha == C] <= 1 + 2e-3)
    primal = beta @ gram @ beta / 2 + C * np.maximum(0, 1 - margins).sum()
    dual = alpha.sum() - beta @ gram @ beta / 2
    assert -1e-6 * primal <= primal - dual <= 1e-3 * primal


def test_in_float64_the_gap_closes():
    with jax.enable_x64(True):
        rows, _ = load("iris", 100)
        rows = (rows[0].astype(np.float64), rows[1])
        _, run = fit(rows, "linear", 1000.0, num_classes=3, tolerance=1e-8)
        assert run.history["gap"][0] <= 1e-8
        assert run.history["violation"][0] <= 1e-8


def test_a_grid_of_C_and_gamma_equals_single_fits():
    rows, others = load("iris", 60)

    def scores(C, gamma):
        model, run = fit(rows, "rbf", C, num_classes=3, gamma=gamma)
        return model.predict(run.state, others)

    strengths, widths = jnp.array([0.1, 1.0, 100.0]), jnp.array([0.05, 0.5])
    grid = jax.jit(jax.vmap(jax.vmap(scores, (None, 0)), (0, None)))(strengths, widths)
    for (i, j), _ in np.ndenumerate(np.zeros((3, 2))):
        np.testing.assert_allclose(grid[i, j], scores(strengths[i], widths[j]), atol=5e-3)


@pytest.mark.parametrize("strategy", [one_vs_one, one_vs_rest])
def test_a_class_without_rows_is_never_chosen(strategy):
    inputs = np.array([[-2.0], [-1.0], [1.0], [2.0]], np.float32)
    labels = np.array([0, 0, 2, 2], np.int32)
    model, run = fit((inputs, labels), "linear", 1.0, num_classes=3, strategy=strategy, gamma=1.0)
    np.testing.assert_array_equal(model.predict(run.state, inputs).argmax(1), labels)


def test_equal_rows_with_different_labels_do_no_harm():
    inputs = np.array([[0.0], [0.0], [1.0], [1.0], [1.0]], np.float32).reshape(5, 1, 1, 1)
    labels = np.array([0, 1, 1, 1, 0], np.int32)
    model, run = fit((inputs, labels), "rbf", 10.0, num_classes=2, gamma=1.0)
    assert run.status.code == status.CONVERGED
    assert model.predict(run.state, inputs).argmax(1)[-1] == 1


@pytest.mark.parametrize("wrong", [{"C": 0.0}, {"tolerance": -1.0}, {"max_updates": 0}, {"num_classes": 1}])
def test_refuses_values_out_of_range(wrong):
    with pytest.raises(InputError, match=f"{next(iter(wrong))} = .*, allowed"):
        kernel_svm(**{"kernel": kernels.linear(), "num_classes": 2} | wrong)


def test_refuses_labels_that_are_no_class():
    rows, _ = load("iris", 100)
    with pytest.raises(InputError, match="label 2, allowed are 0 to 1"):
        kernel_svm(kernel=kernels.linear(), num_classes=2).init(KEY, Batch(*rows))
