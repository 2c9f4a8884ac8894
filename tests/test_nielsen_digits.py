"""Both forms of backpropagation: the gradient of one cost, and the same training."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import nielsen_digits as experiment
from jaxnets.data import Dataset
from jaxnets.types import Batch


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


@pytest.mark.parametrize("form", experiment.FORMS)
def test_numpy_makes_the_steps_of_the_compiled_matrices(form, case):
    params, x, labels = case
    batches = np.stack([x.reshape(7, 6)] * 2), np.stack([labels] * 2)
    in_numpy = experiment._in_numpy(params, (batches[0], np.eye(3)[batches[1]]), form=form)
    with jax.enable_x64(True):
        wide = jax.tree.map(jnp.asarray, params)
        compiled = experiment._compiled(experiment.as_matrices)(wide, batches)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9), in_numpy, compiled)


def test_checks_measure_both_engines_and_tell_a_wrong_gradient(case, monkeypatch):
    """Four programs of known speed, in the order of the forms; one form's gradient is 2 % too long."""
    params, x, labels = case
    dataset = Dataset(Batch(np.float32(np.tile(x, (4, 1, 1))), np.tile(labels, 4)))
    settings = experiment.Settings(batch_size=5, num_classes=3)
    run = SimpleNamespace(state=SimpleNamespace(params=jax.tree.map(jnp.float32, params)))
    result = SimpleNamespace(runs=[run], settings=settings)
    clock = iter([2.0, 6.0, 3.0, 60.0])

    def seconds(epoch, params, batches):
        epoch(params, batches)
        return next(clock)

    monkeypatch.setattr(experiment, "_seconds", seconds)
    wrong = lambda *args: jax.tree.map(lambda leaf: 1.02 * leaf, experiment.one_at_a_time(*args))  # noqa: E731
    monkeypatch.setitem(experiment.FORMS, "one_at_a_time", wrong)
    found = experiment.checks([result], dataset)
    assert found["largest_difference"] == pytest.approx(0.02 / 1.02, rel=1e-6)
    assert (found["speed_over_loop"], found["compiled_speed_over_loop"]) == (20, 3)


def test_predicts_the_last_layers_activations(case):
    params, x, _ = case
    expected = x.reshape(7, 6)
    for w, b in params:
        expected = 1 / (1 + np.exp(-(expected @ w + b)))
    scores = experiment.predict(jax.tree.map(jnp.float32, params), jnp.float32(x))
    np.testing.assert_allclose(scores, expected, rtol=1e-4)
