"""Both forms of backpropagation: the gradient of one cost, and the same training."""

import functools
import itertools
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import _timing
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


@pytest.mark.parametrize("form", [experiment._loop, experiment._matrices])
def test_numpys_gradient_and_step_are_those_of_the_compiled_matrices(form, case):
    """The sum over rows, and a step by their mean."""
    params, x, labels = case
    rows = x.reshape(7, 6), np.eye(3)[labels]
    with jax.enable_x64(True):
        wide = jax.tree.map(jnp.asarray, params)
        _, mean = jax.jit(experiment.as_matrices)(wide, jnp.asarray(x), labels)
        after = experiment._epoch(experiment.as_matrices)(wide, jnp.asarray(x), labels)
    stepped = params
    for _ in range(10):
        stepped = experiment._step(form, stepped, *rows)
    same = functools.partial(np.testing.assert_allclose, rtol=1e-9, atol=1e-14)
    jax.tree.map(lambda a, b: same(a, 7 * b), form(params, *rows), jax.device_get(mean))
    jax.tree.map(same, stepped, jax.device_get(after))


def test_checks_measure_each_pair_and_tell_a_wrong_gradient(case, monkeypatch):
    """Programs of known speed; one form's gradient is 2 % too long."""
    params, x, labels = case
    dataset = Dataset(Batch(np.float32(np.tile(x, (4, 1, 1))), np.tile(labels, 4)))
    settings = experiment.Settings(batch_size=5, num_classes=3)
    run = SimpleNamespace(state=SimpleNamespace(params=jax.tree.map(jnp.float32, params)))
    result = SimpleNamespace(runs=[run], settings=settings, num_rows=28)
    clock = itertools.chain(*([60.0, 3.0] * 31, [20.0, 4.0] * 31, [6.0, 2.0] * 31))

    def seconds(work, repeats):
        work()
        return next(clock)

    monkeypatch.setattr(_timing, "_seconds", seconds)
    wrong = lambda *args: jax.tree.map(lambda leaf: 1.02 * leaf, experiment.one_at_a_time(*args))  # noqa: E731
    monkeypatch.setitem(experiment.FORMS, "one_at_a_time", wrong)
    found = experiment.checks([result], dataset)
    assert found["largest_difference"] == pytest.approx(0.02 / 1.02, rel=1e-6)
    speeds = [found[f"{prefix}speed_over_loop"] for prefix in ("", "step_", "compiled_")]
    assert speeds == [20, 5, 3]


def test_predicts_the_last_layers_activations(case):
    params, x, _ = case
    expected = x.reshape(7, 6)
    for w, b in params:
        expected = 1 / (1 + np.exp(-(expected @ w + b)))
    scores = experiment.predict(jax.tree.map(jnp.float32, params), jnp.float32(x))
    np.testing.assert_allclose(scores, expected, rtol=1e-4)
