"""Pooling: a maximum passes its gradient to one place of the window, a mean the same to all."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from jaxnets.backprop.affine import Backward
from jaxnets.backprop.windows import add_windows, windows
from jaxnets.types import Array, Float


def max_pool(
    x: Float[Array, "n h w c"], window: Sequence[int], *, strides: Sequence[int] | None = None
) -> tuple[Float[Array, "n i j c"], Backward]:
    """``y[n,i,j,c] = max_pq x[n, i*s+p, j*s+q, c]``; backward: ``dy`` to the place of the maximum.

    Derivation: near ``x`` the maximum is the copy of one pixel ``b``, so ``dy_a/dx_b = 1`` there and 0
    elsewhere; a pixel that wins several overlapping windows sums their gradients. Among equals the first in
    reading order wins.

    Args:
        x: images, channels last; what fills no window is left out.
        window: height and width.
        strides: steps between windows, down and across; the window where not given.

    Raises:
        InputError: a window larger than the image, or a window or strides that are not two numbers from 1 on.

    >>> y, backward = max_pool(jnp.array([[1.0, 4.0], [3.0, 2.0]])[None, :, :, None], (2, 2))
    >>> float(y.squeeze()), backward(jnp.ones((1, 1, 1, 1)))[0][0, :, :, 0].tolist()
    (4.0, [[0.0, 1.0], [0.0, 0.0]])

    Reference: LeCun, Bengio, Hinton, Deep learning, 2015; Goodfellow, Bengio, Courville, Deep Learning, 9.3.
    """
    strides = window if strides is None else strides
    u = windows(x, window, strides)
    n, i, j, p, q, c = u.shape
    places = u.reshape(n, i, j, p * q, c)
    winner = places.argmax(axis=3)

    def backward(dy: Float[Array, "n i j c"]) -> tuple[Array]:
        wins = jax.nn.one_hot(winner, p * q, axis=3, dtype=dy.dtype)
        return (add_windows((wins * dy[:, :, :, None]).reshape(u.shape), x.shape, strides),)

    return places.max(axis=3), backward


def average_pool(
    x: Float[Array, "n h w c"], window: Sequence[int], *, strides: Sequence[int] | None = None
) -> tuple[Float[Array, "n i j c"], Backward]:
    """``y[n,i,j,c] = 1/(p q) sum_pq x[n, i*s+p, j*s+q, c]``; backward: ``dy / (p q)`` to each place.

    Derivation: ``dy_a/dx_b = 1/(p q)`` for each window ``a`` that holds the pixel ``b``. Arguments and
    errors as of :func:`max_pool`.

    >>> y, backward = average_pool(jnp.array([[1.0, 4.0], [3.0, 2.0]])[None, :, :, None], (2, 2))
    >>> float(y.squeeze()), backward(jnp.ones((1, 1, 1, 1)))[0].ravel().tolist()
    (2.5, [0.25, 0.25, 0.25, 0.25])

    Reference: LeCun, Bottou, Bengio, Haffner, Gradient-based learning applied to document recognition, 1998.
    """
    strides = window if strides is None else strides
    u = windows(x, window, strides)

    def backward(dy: Float[Array, "n i j c"]) -> tuple[Array]:
        share = dy[:, :, :, None, None] / (window[0] * window[1])
        return (add_windows(jnp.broadcast_to(share, u.shape), x.shape, strides),)

    return u.mean(axis=(3, 4)), backward
