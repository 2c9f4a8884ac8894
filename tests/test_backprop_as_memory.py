"""Three ways to one gradient, and how many multiplications each has in closed form."""

import functools
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import backprop_as_memory as experiment


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_counts_are_those_of_the_recursion(depth):
    """Without a memory ``D(l) = 4 + 2 D(l+1)`` for each unit's slope, so ``24 2^L - 8 L - 21`` in all."""
    assert experiment.multiplications("naive", depth) == 24 * 2**depth - 8 * depth - 21
    assert experiment.multiplications("memoised", depth) == 16 * depth - 1


def test_matrix_products_are_counted_by_their_terms():
    jaxpr = jax.make_jaxpr(jax.jit(lambda a, b: (a @ b) * 2.0))(jnp.ones((3, 5)), jnp.ones((5, 2)))
    assert experiment._count(jaxpr.jaxpr) == 3 * 5 * 2 + 3 * 2


def test_gradient_is_that_of_finite_differences():
    w, x, target = (np.asarray(part, np.float64) for part in experiment._row(3))

    def loss(w):
        a = x
        for layer in w:
            a = np.tanh(layer @ a)
        return 0.5 * ((a - target) ** 2).sum()

    steps = 1e-6 * np.eye(12).reshape(12, 3, 2, 2)
    expected = np.array([(loss(w + step) - loss(w - step)) / 2e-6 for step in steps]).reshape(3, 2, 2)
    with jax.enable_x64(True):
        for method in experiment.METHODS.values():
            value, gradient = jax.jit(method)(w, x, target)
            assert float(value) == pytest.approx(loss(w), rel=1e-12)
            np.testing.assert_allclose(gradient, expected, atol=1e-8)


def test_memory_visits_each_unit_once():
    visits = []

    def counted(remember):
        def decorate(function):
            def visited(layer, i):
                visits.append((layer, i))
                return function(layer, i)

            return remember(visited)

        return decorate

    row = [np.asarray(part) for part in experiment._row(4)]
    experiment.chain_rule(*row, remember=counted(functools.cache))
    assert sorted(visits) == [(layer, i) for layer in range(1, 5) for i in range(2)]


COUNTS = {"naive": [2, 6, 15, 60], "memoised": [16, 32, 48, 64], "jax": [5, 10, 15, 20]}


def check(monkeypatch, counts=(), scales=(), errors=(0.1, 0.1, 0.1)):
    """What ``checks`` says of these counts, of gradients that are these numbers, and of these errors."""
    counts, scales = COUNTS | dict(counts), dict.fromkeys(experiment.METHODS, 1.0) | dict(scales)
    methods = {
        name: lambda w, x, target, scale=scale: (x[0], scale * jnp.ones_like(w))
        for name, scale in scales.items()
    }
    monkeypatch.setattr(experiment, "METHODS", methods)
    monkeypatch.setattr(experiment, "_row", lambda depth: (np.ones((depth, 2, 2)), np.ones(2), np.ones(2)))
    monkeypatch.setattr(experiment, "_counts", lambda method, settings: np.array(counts[method]))
    rows = [
        SimpleNamespace(settings=experiment.Settings(depth=2), metrics={"test_error": np.array([error, 0.3])})
        for error in errors
    ]
    monkeypatch.setattr(experiment, "_compiled", {"naive": 30, "memoised": 20}.get)
    return experiment.checks(rows, None)


def test_what_is_right_reaches_every_goal(monkeypatch):
    found = check(monkeypatch)
    assert all(goal.is_reached(found[goal.number]) for goal in experiment.GOALS)
    assert found["naive_growth_a_layer"] == 2.5


@pytest.mark.parametrize("method", ["memoised", "jax"])
@pytest.mark.parametrize("bent", [[3, 6, 12, 18], [9, 16, 20, 24]])
def test_counts_that_are_no_line_are_bent(monkeypatch, method, bent):
    """Upwards or downwards by 3."""
    found = check(monkeypatch, counts={method: bent})
    assert {name: found[f"{name}_bend"] for name in ("memoised", "jax")} == {"memoised": 0, "jax": 0} | {
        method: 3
    }


@pytest.mark.parametrize("method", ["naive", "memoised", "jax"])
def test_checks_tell_the_one_gradient_that_is_wrong(monkeypatch, method):
    found = check(monkeypatch, scales={method: 1 - 1e-9})
    assert found["difference_of_gradients"] == pytest.approx(1e-9, rel=1e-5)


@pytest.mark.parametrize("row", range(3))
def test_checks_tell_the_one_row_whose_error_is_another(monkeypatch, row):
    """Of means over two seeds."""
    found = check(monkeypatch, errors=np.where(np.arange(3) == row, 0.14, 0.1))
    assert found["difference_of_test_errors"] == pytest.approx(0.02)
