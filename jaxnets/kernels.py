"""Kernels: inner products of rows in a feature space, ``kernel(x, y) -> [n, m]``.

Products of rows are taken in full precision on every device: distances come from differences of
large numbers. Rows of integers become floats first: bytes would wrap.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxnets import check
from jaxnets.types import Array, Float, Scalar, Shaped

Kernel = Callable[[Any, Any], jax.Array]
"""``(x [n, d], y [m, d]) -> [n, m]``, one value for each pair of rows."""


def linear() -> Kernel:
    """``x . y``.

    >>> linear()(jnp.array([[1.0, 2.0]]), jnp.array([[3.0, 4.0]])).tolist()
    [[11.0]]
    """
    return _products


def polynomial(*, degree: int, gamma: Scalar = 1.0, coef0: Scalar = 1.0) -> Kernel:
    """``(gamma x . y + coef0)^degree``.

    Args:
        degree: a whole number of at least 1, static.
        gamma: positive.
        coef0: not negative, else the kernel is not positive semi-definite.

    >>> polynomial(degree=2)(jnp.array([[1.0, 2.0]]), jnp.array([[3.0, 4.0]])).tolist()
    [[144.0]]
    """
    check.count("degree", degree, 1)
    check.interval("gamma", gamma, check.POSITIVE)
    check.interval("coef0", coef0, check.NON_NEGATIVE)
    return lambda x, y: (gamma * _products(x, y) + coef0) ** degree


def rbf(*, gamma: Scalar) -> Kernel:
    """``exp(-gamma ||x - y||^2)``, by one matrix product; exactly 1 on the diagonal of ``kernel(x, x)``.

    Args:
        gamma: positive; see :func:`scale_gamma`.

    >>> rbf(gamma=0.5)(jnp.array([[1.0]]), jnp.array([[1.0], [1.0]])).tolist()
    [[1.0, 1.0]]
    """
    check.interval("gamma", gamma, check.POSITIVE)
    return lambda x, y: jnp.exp(-gamma * squared_distances(x, y))


def sigmoid(*, gamma: Scalar, coef0: Scalar = 0.0) -> Kernel:
    """``tanh(gamma x . y + coef0)``; not positive semi-definite in general.

    >>> sigmoid(gamma=1.0)(jnp.array([[1.0]]), jnp.array([[0.0]])).tolist()
    [[0.0]]
    """
    return lambda x, y: jnp.tanh(gamma * _products(x, y) + coef0)


def squared_distances(x: Shaped[Array, "n d"], y: Shaped[Array, "m d"]) -> Float[Array, "n m"]:
    """``||x - y||^2`` of each pair of rows, never negative, zero on the diagonal when ``y is x``.

    Distances do not change when all rows move by one vector; with the mean of ``y`` at the origin
    the norms, and so the rounding errors, are small.

    >>> squared_distances(jnp.array([[1.0, 0.0]]), jnp.array([[4.0, 4.0]])).tolist()
    [[25.0]]
    """
    same = x is y
    origin = jnp.mean(y, axis=0, keepdims=True)
    x, y = x - origin, y - origin
    norms = jnp.sum(x * x, axis=1)[:, None] + jnp.sum(y * y, axis=1)[None, :]
    distances = jnp.maximum(norms - 2 * _products(x, y), 0)
    return jnp.fill_diagonal(distances, 0, inplace=False) if same else distances


def scale_gamma(x: Shaped[Array, "n d"]) -> Float[Array, ""]:
    """``1 / (d var(x))``, the usual width of :func:`rbf`; 1 where all values are equal.

    >>> float(scale_gamma(jnp.array([[0.0, 2.0]])))
    0.5
    """
    variance = jnp.var(x)
    return jnp.where(variance > 0, 1 / (x.shape[1] * jnp.where(variance > 0, variance, 1)), 1)


def scaled(kernel: Callable[..., Kernel], factor: Scalar = 1.0) -> Kernel:
    """A kernel of ``gamma = factor scale_gamma(y)``, where ``y``, its second argument, is the training rows.

    >>> scaled(rbf)(jnp.array([[0.0, 2.0]]), jnp.array([[0.0, 2.0]])).tolist()
    [[1.0]]
    """
    return lambda x, y: kernel(gamma=factor * scale_gamma(y))(x, y)


def gram(kernel: Kernel, x: Shaped[Array, "n d"]) -> Float[Array, "n n"]:
    """``kernel(x, x)``, symmetric to the last bit.

    >>> gram(linear(), jnp.array([[1.0], [2.0]])).tolist()
    [[1.0, 2.0], [2.0, 4.0]]
    """
    matrix = kernel(x, x)
    return (matrix + matrix.T) / 2


def centre(rows: Float[Array, "m n"], train_gram: Float[Array, "n n"]) -> Float[Array, "m n"]:
    """Inner products after the mean of the ``n`` training rows is moved to the feature space's origin.

    ``K - 1/n K 1 1' - 1/n 1 1' G + 1/n^2 (1' G 1)``; ``centre(G, G)`` centres the training rows' own.

    Args:
        rows: kernel of any rows with the training rows.
        train_gram: kernel of the training rows with themselves.

    >>> centre(jnp.array([[1.0, 2.0], [2.0, 4.0]]), jnp.array([[1.0, 2.0], [2.0, 4.0]])).tolist()
    [[0.25, -0.25], [-0.25, 0.25]]

    Reference: Schölkopf, Smola & Müller 1998, appendix A.
    """
    columns = jnp.mean(train_gram, axis=0, keepdims=True)
    return rows - jnp.mean(rows, axis=1, keepdims=True) - columns + jnp.mean(columns)


def _products(x: Shaped[Array, "n d"], y: Shaped[Array, "m d"]) -> Float[Array, "n m"]:
    dtype = jnp.result_type(x, y, float)
    return jnp.matmul(jnp.asarray(x, dtype), jnp.asarray(y, dtype).T, precision="highest")
