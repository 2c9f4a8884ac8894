"""Three ways to one gradient, and how many multiplications each has in closed form."""

import functools

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
