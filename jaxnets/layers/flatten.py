"""Rows of any shape as rows of features."""

from __future__ import annotations

import jax.numpy as jnp

from jaxnets.types import Array, Float, Shaped


def flatten(inputs: Shaped[Array, "n ..."]) -> Float[Array, "n d"]:
    """Inputs as a matrix of floats, a row an example; numbers of lower precision stay as they are.

    >>> flatten(jnp.ones((5, 28, 28, 1))).shape
    (5, 784)
    """
    rows = jnp.reshape(jnp.asarray(inputs), (len(inputs), -1))
    return rows if jnp.issubdtype(rows.dtype, jnp.floating) else rows.astype(float)
