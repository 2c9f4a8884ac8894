"""The affine map and its three gradients."""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp

from jaxnets.types import Array, Float

Backward = Callable[..., tuple]
"""``gradient by the outputs -> (gradient by each input, ...)``."""


def affine(
    x: Float[Array, "n d"], w: Float[Array, "d k"], b: Float[Array, " k"]
) -> tuple[Float[Array, "n k"], Backward]:
    """``y = x w + 1 b^T``; backward: ``dx = dy w^T``, ``dw = x^T dy``, ``db = dy^T 1``.

    Derivation: by indices ``y_ik = sum_j x_ij w_jk + b_k``, and ``dy_ik`` is ``dL/dy_ik``. The chain rule
    sums over all outputs that an input reaches::

        dx_ij = sum_k  dy_ik w_jk        row i of dy times the rows of w:        dy w^T
        dw_jk = sum_i  x_ij dy_ik        column j of x times the columns of dy:  x^T dy
        db_k  = sum_i  dy_ik             the sum of the rows:                    dy^T 1

    Each matrix is the only product of the two others that has its shape.

    >>> y, backward = affine(jnp.array([[1.0, 2.0]]), jnp.array([[3.0], [4.0]]), jnp.array([5.0]))
    >>> dx, dw, db = backward(jnp.array([[1.0]]))
    >>> y.tolist(), dx.tolist(), dw.tolist(), db.tolist()
    ([[16.0]], [[3.0, 4.0]], [[1.0], [2.0]], [1.0])

    Reference: Goodfellow, Bengio, Courville, Deep Learning, 6.5.6.
    """

    def backward(dy: Float[Array, "n k"]) -> tuple[Array, Array, Array]:
        return dy @ w.T, x.T @ dy, dy.sum(axis=0)

    return jnp.asarray(x) @ w + b[None], backward
