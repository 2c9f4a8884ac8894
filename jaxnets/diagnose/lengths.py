"""Steps of other lengths: from old params towards the new ones, less far or further."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxnets.check import is_traced
from jaxnets.types import Array, PyTree


def way(old: Array, new: Array, scale: Array | float) -> Array:
    """From the old to the new, longer or shorter; whole numbers go all the way.

    >>> way(jnp.array(1.0), jnp.array(3.0), 0.5).item(), way(jnp.array(1), jnp.array(3), 0.5).item()
    (1.0, 2)
    """
    if not jnp.issubdtype(jnp.result_type(old), jnp.inexact):
        return jnp.asarray(new) - old
    return (scale * (new - old)).astype(jnp.result_type(old))


def towards(old: PyTree, new: PyTree, scale: Array | float) -> PyTree:
    """``old + scale (new - old)``; the new itself, to the bit, at a scale of 1.

    >>> towards([jnp.array(1.0)], [jnp.array(3.0)], 0.5)[0].item()
    2.0
    """
    if not is_traced(scale) and scale == 1:
        return new
    return jax.tree.map(lambda start, end: start + way(start, end, scale), old, new)
