"""A problem with biases added to its layers, whatever its functions look like."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import jax
import jax.numpy as jnp

from jaxnets.diagnose.problem import Problem
from jaxnets.diagnose.trace import Trace
from jaxnets.types import Array, Key, PyTree


def with_biases(problem: Problem, params: PyTree, numbers: Collection[int]) -> Problem | None:
    """The problem in which some layers, by their numbers, have a bias that is trained too.

    Its params are ``{"params": as before, "biases": ...}``, its gradient is the loss's own. None where the
    loss and the prediction do not go through the same layers.

    >>> predict = lambda w, x: x @ w
    >>> loss = lambda w, x, y: ((predict(w, x) - y) ** 2).mean()
    >>> ones = jnp.ones((4, 2))
    >>> problem = Problem(lambda key: jnp.ones((2, 1)), predict, loss, (ones, ones[:, :1]))
    >>> other = with_biases(problem, jnp.ones((2, 1)), [0])
    >>> params = other.init(jax.random.key(0)) | {"biases": {0: jnp.full((1, 1), 5.0)}}
    >>> other.predict(params, ones[:1]).item()
    7.0
    """
    rows = jax.tree.map(lambda leaf: leaf[:2], tuple(problem.data))
    slots = _slots(problem.loss, params, *rows)
    if slots != _slots(problem.predict, params, rows[0]):
        return None
    layers = [place for place, slot in enumerate(slots) if slot is not None]
    sizes = {layers[number]: slots[layers[number]] for number in numbers}

    def init(key: Key) -> PyTree:
        return {"params": problem.init(key), "biases": {n: jnp.zeros(size) for n, size in sizes.items()}}

    def biased(function: Callable) -> Callable:
        def found(params: PyTree, *rows: Any) -> Array:
            nudges = [params["biases"].get(place, jnp.zeros(())) for place in range(len(slots))]
            return Trace(function, params["params"], *rows, nudges=nudges).outputs[0]

        return found

    return problem.replace(
        init=init, predict=biased(problem.predict), loss=biased(problem.loss), gradient=None, update=None
    )


def _slots(function: Callable, params: PyTree, *rows: Any) -> list[tuple[int, ...] | None]:
    """The shape of a bias for each place of a function: that of its units; None where a loop begins."""
    found: list[tuple[int, ...] | None] = []

    def look(params: PyTree, rows: Any) -> list[Array]:
        trace = Trace(function, params, *rows)
        layers = iter(trace.layers)
        for place in trace.places:
            units = () if place.is_loop else next(layers).axes.outputs
            sizes = (size if axis in units else 1 for axis, size in enumerate(place.value.shape))
            found.append(None if place.is_loop else tuple(sizes))
        return trace.outputs

    jax.eval_shape(look, params, rows)
    return found
