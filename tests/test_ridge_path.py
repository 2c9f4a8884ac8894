"""The ridge path against scikit-learn's fits, its leave-one-out error against leaving one out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.model_selection import LeaveOneOut, cross_val_predict

from jaxnets.check import InputError
from jaxnets.models.ridge_path import ridge_path
from jaxnets.types import Batch

KEY = jax.random.key(0)
ALPHAS = np.geomspace(1e-3, 1e3, 13)
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(40, 6)) + 2
Y = X @ RANDOM.normal(size=6) + RANDOM.normal(size=40) + 5


def fit(x, y, alphas=ALPHAS):
    with jax.enable_x64(True):
        model = ridge_path(basis=jnp.asarray, alphas=jnp.asarray(alphas))
        state, metrics = jax.jit(model.step)(KEY, (), Batch(x, y))
        return jax.tree.map(np.asarray, (state, metrics, model.predict(state, x)))


PATH, METRICS, PREDICTIONS = fit(X, Y)


def test_every_penalty_is_scikit_learns():
    for alpha, w, b in zip(ALPHAS, PATH.coefficients, PATH.intercepts, strict=True):
        reference = Ridge(alpha=alpha).fit(X, Y)
        np.testing.assert_allclose(w, reference.coef_, rtol=1e-8)
        np.testing.assert_allclose(b, reference.intercept_, rtol=1e-8)


def test_leave_one_out_is_leaving_one_out():
    for alpha, found in zip(ALPHAS, PATH.leave_one_out, strict=True):
        left_out = cross_val_predict(Ridge(alpha=alpha), X, Y, cv=LeaveOneOut())
        np.testing.assert_allclose(found, np.mean((Y - left_out) ** 2), rtol=1e-9)


def test_the_choice_is_scikit_learns_and_predicts():
    reference = RidgeCV(alphas=ALPHAS).fit(X, Y)
    assert ALPHAS[PATH.chosen] == reference.alpha_ == METRICS["alpha"]
    np.testing.assert_allclose(PREDICTIONS, reference.predict(X), rtol=1e-8)
    np.testing.assert_allclose(METRICS["loss"], PATH.leave_one_out.min())


def test_the_path_solves_the_normal_equations_and_shrinks():
    centred = X - X.mean(0)
    for alpha, w, b in zip(ALPHAS, PATH.coefficients, PATH.intercepts, strict=True):
        np.testing.assert_allclose(centred.T @ (Y - X @ w - b), alpha * w, atol=1e-10)
    assert (np.diff(np.linalg.norm(PATH.coefficients, axis=1)) < 0).all()


def test_more_columns_than_rows():
    x, y = X[:5], Y[:5]
    path, _, _ = fit(x, y, np.array([0.5]))
    np.testing.assert_allclose(path.coefficients[0], Ridge(alpha=0.5).fit(x, y).coef_, rtol=1e-8)


def test_penalties_can_be_traced():
    def lowest(scale):
        return ridge_path(basis=jnp.asarray, alphas=scale * jnp.ones(1)).step(KEY, (), Batch(X, Y))[1]["loss"]

    with jax.enable_x64(True):
        losses, slopes = jax.jit(jax.vmap(jax.value_and_grad(lowest)))(jnp.array([9.5, 10.0, 10.5]))
        np.testing.assert_allclose(slopes[1], losses[2] - losses[0], rtol=1e-3)


def test_penalties_that_are_not_positive_are_refused():
    with pytest.raises(InputError, match=r"alphas = 0.0, allowed is \(0, inf\)"):
        ridge_path(basis=jnp.asarray, alphas=np.array([1.0, 0.0]))
