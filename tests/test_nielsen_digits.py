"""Both forms of backpropagation: the gradient of one cost, and the same training."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import nielsen_digits as experiment


@pytest.fixture(scope="module")
def case():
    normal = np.random.default_rng(0).normal
    params = tuple((normal(size=(d, k)), normal(size=k)) for d, k in ((6, 5), (5, 4), (4, 3)))
    return params, normal(size=(7, 2, 3)), np.arange(7, dtype=np.int32) % 3


@pytest.mark.parametrize("form", experiment.FORMS.values(), ids=experiment.FORMS)
def test_gradient_is_that_of_the_quadratic_cost(form, case):
    params, x, labels = case

    def cost(params):
        a = x.reshape(7, 6)
        for w, b in params:
            a = 1 / (1 + jnp.exp(-(a @ w + b[None])))
        return ((a - jnp.eye(3)[labels]) ** 2).sum() / (2 * len(x))

    with jax.enable_x64(True):
        params = jax.tree.map(jnp.asarray, params)
        found = jax.jit(form)(params, jnp.asarray(x), labels)
        expected = jax.jit(jax.value_and_grad(cost))(params)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-13), found, expected)


def test_loop_of_the_book_makes_the_steps_of_the_matrices(case):
    params, x, labels = case
    batches = np.stack([x.reshape(7, 6)] * 2), np.stack([labels] * 2)
    by_loop = experiment._book(params, (batches[0], np.eye(3)[batches[1]]))
    with jax.enable_x64(True):
        wide = jax.tree.map(jnp.asarray, params)
        by_matrices = experiment._compiled(experiment.as_matrices)(wide, batches)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9), by_loop, by_matrices)


def test_predicts_activations_between_0_and_1(case):
    params, x, _ = case
    scores = experiment.predict(jax.tree.map(jnp.float32, params), jnp.float32(x))
    assert scores.shape == (7, 3)
    assert 0 < float(scores.min()) < float(scores.max()) < 1
