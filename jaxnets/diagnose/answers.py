"""How long an optimizer's steps are, one after the other, where the gradient stays the same: its schedule."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxnets.diagnose.quick import quick
from jaxnets.types import Array, PyTree

MOST_STEPS = 20_000
"""That are looked at."""


def answers(optimizer: optax.GradientTransformation, params: PyTree, num_steps: int) -> np.ndarray:
    """The lengths of the first steps, as shares of the longest.

    Of each leaf one number is looked at, so that thousands of steps are cheap. A schedule is what it is, a
    momentum comes to its full length within some steps, AdaGrad's steps fall with the root of their number.

    >>> rate = optax.linear_schedule(0.0, 1.0, 4)
    >>> answers(optax.sgd(rate), {"w": jnp.ones((2, 3))}, 6).round(2).tolist()
    [0.0, 0.25, 0.5, 0.75, 1.0, 1.0]
    """
    some = jax.tree.map(lambda leaf: jnp.asarray(leaf)[(slice(0, 1),) * jnp.ndim(leaf)], params)
    slope = jax.tree.map(_slope, some)

    def value(params: PyTree) -> Array:
        return optax.tree.vdot(slope, params)

    asked = optax.with_extra_args_support(optimizer)  # a line search asks for the loss, too

    def step(memory: Any, _: None) -> tuple[Any, Array]:
        updates, memory = asked.update(slope, memory, some, value=value(some), grad=slope, value_fn=value)
        return memory, optax.tree.norm(jax.tree.map(_real, updates))

    found = quick(
        lambda: jax.lax.scan(step, optimizer.init(some), None, length=min(num_steps, MOST_STEPS))[1]
    )()
    lengths = np.asarray(found, np.float64)
    return lengths / max(lengths.max(initial=0), 1e-300)


def _slope(leaf: Array) -> Array:
    is_real = jnp.issubdtype(leaf.dtype, jnp.inexact)
    return jnp.full_like(leaf, 1e-3) if is_real else jnp.zeros_like(leaf)


def _real(leaf: Array) -> Array:
    return jnp.asarray(leaf, jnp.float32)
