"""Pegasos: the optimum that LIBLINEAR finds for the same objective, and its rate."""

import jax
import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import scale
from sklearn.svm import LinearSVC

from jaxnets import train
from jaxnets.check import InputError
from jaxnets.models.pegasos import pegasos
from jaxnets.types import Batch

KEY = jax.random.key(0)
L2 = 0.01


@pytest.fixture(scope="module")
def rows():
    inputs, labels = load_breast_cancer(return_X_y=True)
    return scale(inputs).astype(np.float32), labels.astype(np.int32)


def objective(weights, rows):
    signs = 2.0 * rows[1] - 1
    scores = np.c_[rows[0], np.ones(len(rows[0]))] @ weights
    return L2 / 2 * weights @ weights + np.maximum(0, 1 - signs * scores).mean()


def test_comes_within_a_hundredth_of_liblinears_optimum(rows):
    """Same objective: LIBLINEAR penalises the intercept too, and its C is 1 / (l2 n)."""
    best = LinearSVC(C=1 / (L2 * len(rows[0])), loss="hinge", tol=1e-6, max_iter=100_000).fit(*rows)
    optimum = objective(np.append(best.coef_, best.intercept_), rows)
    model = pegasos(num_classes=2, l2=L2)
    values = []
    for num_steps in (100, 3000):
        state = train.run(KEY, model, rows, num_steps=num_steps, batch_size=20).state
        np.testing.assert_allclose(state.average[:, 0], -state.average[:, 1], atol=1e-6)
        values.append(objective(np.asarray(state.average[:, 1], np.float64), rows))
    early, late = values
    assert optimum <= late <= 1.01 * optimum
    assert late < early
    agree = model.predict(state, rows[0]).argmax(1) == best.predict(rows[0])
    assert agree.mean() >= 0.99


def test_weights_stay_in_the_ball_that_holds_the_optimum(rows):
    state = train.run(KEY, pegasos(num_classes=2, l2=L2), rows, num_steps=3, batch_size=5).state
    norms = np.linalg.norm(state.weights, axis=0)
    assert np.all((norms > 0) & (norms <= (1 + 1e-5) / np.sqrt(L2)))


def test_the_loss_is_the_objective_of_the_last_iterate(rows):
    model = pegasos(num_classes=2, l2=L2)
    state = train.run(KEY, model, rows, num_steps=20, batch_size=5).state
    _, metrics = model.step(KEY, state, Batch(*rows))
    last = np.asarray(state.weights, np.float64)
    expected = objective(-last[:, 0], rows) + objective(last[:, 1], rows)
    np.testing.assert_allclose(metrics["loss"], expected, rtol=1e-5)


@pytest.mark.parametrize("wrong", [{"l2": 0.0}, {"num_classes": 1}])
def test_refuses_values_out_of_range(wrong):
    with pytest.raises(InputError, match=f"{next(iter(wrong))} = .*, allowed"):
        pegasos(**{"num_classes": 2} | wrong)


def test_refuses_labels_that_are_no_class(rows):
    with pytest.raises(InputError, match="label 2, allowed are 0 to 1"):
        pegasos(num_classes=2).init(KEY, Batch(rows[0], rows[1] + 1))
