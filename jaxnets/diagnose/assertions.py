"""Assertions for people's own test suites; each raises an AssertionError that says what was measured."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.check import InputError
from jaxnets.diagnose.derivatives import differences
from jaxnets.diagnose.flow import follower
from jaxnets.diagnose.problem import Problem
from jaxnets.diagnose.units import unit_copies
from jaxnets.types import Array, PyTree


def assert_gradient(
    gradient: Callable, loss: Callable, params: PyTree, inputs: Any, targets: Any, *, key: jax.Array
) -> None:
    """A gradient written by hand is that of the loss, leaf by leaf in float64, kinks left out.

    Args:
        gradient: ``(params, inputs, targets) -> pytree like params``, by jax or by NumPy.
        loss: ``(params, inputs, targets) -> scalar``.
        params: near which both are taken; they are moved a little, so that biases are not zero.
        key: of how they are moved.

    Raises:
        AssertionError: a leaf differs; the message says how.
        InputError: the loss is not one number.

    >>> x = np.linspace(-1, 1, 8)[:, None]
    >>> loss = lambda w, x, y: ((x @ w - y) ** 2).mean()
    >>> right = lambda w, x, y: 2 * x.T @ (x @ w - y) / len(x)
    >>> assert_gradient(right, loss, jnp.ones((1, 1)), x, 3 * x, key=jax.random.key(0))
    >>> half = lambda w, x, y: x.T @ (x @ w - y) / len(x)
    >>> assert_gradient(half, loss, jnp.ones((1, 1)), x, 3 * x, key=jax.random.key(0))
    Traceback (most recent call last):
    AssertionError: gradient: divided by 2 (off by 0.5)
    """
    shape = jnp.shape(loss(params, inputs, targets))
    if shape:
        raise InputError(f"loss: gives an array of shape {shape}, allowed is one number")
    problem = Problem(
        lambda key: params, lambda params, inputs: jnp.zeros(1), loss, (inputs, targets), gradient=gradient
    )
    try:
        found = differences(problem, key)
    except InputError as error:  # of another structure, or another shape
        raise AssertionError(str(error)) from None
    said = [f"gradient{one.leaf}: {one.pattern or 'wrong'} (off by {one.size:.3g})" for one in found]
    if said:
        raise AssertionError("; ".join(said))


def assert_batch_independent(predict: Callable, params: PyTree, inputs: Any) -> None:
    """What is predicted for a row does not depend on the other rows: each alone, and all in another order.

    >>> x = jnp.arange(6.0).reshape(3, 2)
    >>> assert_batch_independent(lambda w, x: jax.nn.softmax(x @ w), jnp.eye(2), x)
    >>> assert_batch_independent(lambda w, x: jax.nn.softmax(x @ w, 0), jnp.eye(2), x)
    Traceback (most recent call last):
    AssertionError: predict: row 0 is [0.01588 0.01588] among 3 rows, [1. 1.] alone
    """
    together = _by_row(predict, params, inputs)
    scale = np.abs(together).max(initial=0) + 1e-30
    turned = _by_row(predict, params, jax.tree.map(lambda leaf: leaf[::-1], inputs))[::-1]
    for row, here in enumerate(together):
        alone = _by_row(predict, params, jax.tree.map(lambda leaf, row=row: leaf[row : row + 1], inputs))[0]
        for words, there in (("alone", alone), ("in the reverse order", turned[row])):
            if here.shape != there.shape or not np.abs(there - here).max(initial=0) <= 1e-4 * scale:
                with np.printoptions(precision=4):
                    raise AssertionError(
                        f"predict: row {row} is {here} among {len(together)} rows, {there} {words}"
                    )


def _by_row(predict: Callable, params: PyTree, inputs: Any) -> np.ndarray:
    """All that is predicted for each row."""
    found = [np.asarray(leaf) for leaf in jax.tree.leaves(predict(params, inputs))]
    num_rows = len(jax.tree.leaves(inputs)[0])
    if any(not leaf.ndim or len(leaf) != num_rows for leaf in found):
        shapes = ", ".join(str(leaf.shape) for leaf in found)
        raise AssertionError(f"predict: gives {shapes} for {num_rows} rows, needed is one for each")
    return np.concatenate([leaf.reshape(num_rows, -1).astype(float) for leaf in found], axis=1)


def assert_descends(
    update: Callable, loss: Callable, params: PyTree, inputs: Any, targets: Any, *, num_steps: int = 10
) -> None:
    """Some steps on the same rows bring the loss down.

    Args:
        update: ``(params, inputs, targets) -> params``.

    >>> x = np.linspace(-1, 1, 8)[:, None]
    >>> loss = lambda w, x, y: ((x @ w - y) ** 2).mean()
    >>> step = lambda w, x, y: w + 0.1 * jax.grad(loss)(w, x, y)
    >>> assert_descends(step, loss, jnp.zeros((1, 1)), x, x, num_steps=1)
    Traceback (most recent call last):
    AssertionError: the loss went from 0.4286 to 0.5037 in 1 steps
    """
    before = float(loss(params, inputs, targets))
    for _ in range(num_steps):
        params = update(params, inputs, targets)
    after = float(loss(params, inputs, targets))
    if not after < before:
        raise AssertionError(f"the loss went from {before:.4g} to {after:.4g} in {num_steps} steps")


def assert_not_symmetric(predict: Callable, params: PyTree, inputs: Any) -> None:
    """No two units of a hidden layer are the same on all rows and get the same gradient: they would stay so.

    Units with the same weights but different biases, or ways out, part in training.

    >>> twins = [jnp.ones((2, 3)), jnp.ones((3, 1))]
    >>> assert_not_symmetric(lambda w, x: jnp.tanh(x @ w[0]) @ w[1], twins, jnp.ones((4, 2)))
    Traceback (most recent call last):
    AssertionError: layer 1: 1 of 3 units differ
    """

    def loss(params: PyTree, inputs: Any) -> Array:
        outputs = jax.tree.leaves(predict(params, inputs))
        keys = jax.random.split(jax.random.key(0), len(outputs))
        pairs = zip(keys, outputs, strict=True)
        return sum(jnp.vdot(jax.random.normal(key, jnp.shape(one)), one) for key, one in pairs)

    copies, _ = unit_copies(follower(loss, params, inputs)(params), most=1 - 1e-9)
    if copies:
        raise AssertionError("; ".join(f"{layer}: {words}" for layer, words in copies.items()))
