"""The largest curvature of a loss, by power iteration on products of the Hessian with a vector."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.diagnose.problem import Problem, spaced
from jaxnets.diagnose.quick import quick
from jaxnets.types import Array, Key, PyTree

FEWEST_STEPS, MOST_STEPS = 10, 100
TOLERANCE = 1e-4
"""The iteration ends where the length grows by less, relatively: it grows at every step, and converges."""
FEW_ROWS = 16
"""Batches of fewer rows are averaged over, until so many rows are seen."""
MOST_ROWS = 2048
"""Of a larger batch so many are looked at."""


def top_curvature(loss: Callable, params: PyTree, *rows: Any, key: Key) -> Array:
    """The size of the Hessian's largest eigenvalue; 0 where the loss is linear.

    The iteration starts from noise and the gradient, which lies mostly along the top eigenvectors.

    >>> loss = lambda w, scales: 0.5 * (scales * w**2).sum()
    >>> round(float(top_curvature(loss, jnp.ones(3), jnp.array([1.0, -9.0, 2.0]), key=jax.random.key(0))), 3)
    9.0
    """
    leaves, structure = jax.tree.flatten(params)
    places = [n for n, leaf in enumerate(leaves) if jnp.issubdtype(jnp.result_type(leaf), jnp.inexact)]

    def of_moving(moving: list[Array]) -> Array:
        whole = [*leaves]
        for place, leaf in zip(places, moving, strict=True):
            whole[place] = leaf
        return loss(jax.tree.unflatten(structure, whole), *rows)

    here = [jnp.asarray(leaves[place]) for place in places]
    slope = jax.grad(of_moving)

    def onwards(so_far: Any) -> Any:
        vector, length, _, number = so_far
        found, new = _unit(jax.jvp(slope, (here,), (vector,))[1])
        return found, new, length, number + 1

    def goes_on(so_far: Any) -> Array:
        _, length, before, number = so_far
        return (number < MOST_STEPS) & (
            (number < FEWEST_STEPS) | (jnp.abs(length - before) > TOLERANCE * length)
        )

    keys = jax.random.split(key, max(1, len(here)))
    noise = [jax.random.normal(one, leaf.shape, leaf.dtype) for one, leaf in zip(keys, here, strict=False)]
    start = jax.tree.map(lambda one, other: one + 0.5 * other, _unit(noise)[0], _unit(slope(here))[0])
    begin = (_unit(start)[0], jnp.zeros(()), jnp.zeros(()), jnp.zeros((), jnp.int32))
    return jax.lax.while_loop(goes_on, onwards, begin)[1]


def batch_curvature(problem: Problem, params: PyTree, key: Key) -> float:
    """The top curvature that a step meets: on the first batch, the mean over several where they are tiny.

    Steps on single rows contract, in the mean over rows, where the rate times the mean curvature of single
    rows is below 2: one row's own curvature says too much or too little. Of large batches evenly spaced rows
    are looked at; a loss that is a sum over rows (it grows with their number) is scaled back.
    """
    size = min(problem.batch_size or problem.num_rows, problem.num_rows)
    data = tuple(problem.data)
    if size >= FEW_ROWS:
        looked = spaced(size, MOST_ROWS)
        rows = jax.tree.map(lambda leaf: jnp.asarray(leaf[looked]), data)
        found = quick(lambda params, rows: top_curvature(problem.loss, params, *rows, key=key))
        whole = jax.tree.map(lambda leaf: leaf[:size], data)
        return float(found(params, rows)) * _times(problem, params, rows, whole, size / len(looked))
    first = spaced(problem.num_rows // size, FEW_ROWS // size)
    looked = first[:, None] * size + np.arange(size)[None]
    batches = jax.tree.map(lambda leaf: jnp.asarray(leaf[looked]), data)
    several = quick(
        lambda params, batches: jax.lax.map(
            lambda rows: top_curvature(problem.loss, params, *rows, key=key), batches
        )
    )
    return float(several(params, batches).mean())


def _times(problem: Problem, params: PyTree, rows: Any, whole: Any, ratio: float) -> float:
    """By how much the loss is larger on all rows than on some: their ratio for sums, 1 for means."""
    if ratio < 1.5:
        return 1.0
    larger, smaller = (abs(float(quick(problem.loss)(params, *one))) for one in (whole, rows))
    return ratio if larger > smaller * ratio**0.5 else 1.0


def _unit(tree: list[Array]) -> tuple[list[Array], Array]:
    """Of length 1 (or 0), and the length."""
    length = jnp.sqrt(sum(jnp.vdot(leaf, leaf) for leaf in tree)).astype(jnp.float32)
    return [leaf / jnp.maximum(length, 1e-30).astype(leaf.dtype) for leaf in tree], length
