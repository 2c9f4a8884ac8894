"""Pooling of images, without the slow gradient of sliding windows where windows do not overlap.

Where the stride equals the window, a reshape cuts the image into tiles. The gradient of a sliding
maximum (``select_and_scatter``) takes five to ten times longer on a CPU; both give the same gradient.
"""

from __future__ import annotations

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxnets import check
from jaxnets.types import Array, Float, Shaped

Pair = Sequence[int]


def max_pool(
    x: Shaped[Array, "n h w c"], window: Pair, *, strides: Pair | None = None, padding: str = "VALID"
) -> Shaped[Array, "n i j c"]:
    """The largest value of each window: ``y[n,i,j,c] = max_pq x[n, i*s+p, j*s+q, c]``.

    Where several values of a window are the largest, the first in reading order takes the whole
    gradient, as in flax. A second ``grad`` works; forward mode (``jvp``, and so Hessian-vector products
    that go forward over reverse) does not where windows do not overlap.

    Args:
        x: images of floats or integers, channels last.
        window: height and width.
        strides: steps between windows, down and across; the window where not given.
        padding: ``"VALID"`` leaves out what fills no window, ``"SAME"`` fills up with the least number.

    Raises:
        InputError: another padding.

    >>> max_pool(jnp.arange(16.0).reshape(1, 4, 4, 1), (2, 2)).ravel().tolist()
    [5.0, 7.0, 13.0, 15.0]
    """
    check.choice("padding", padding, ["VALID", "SAME"])
    least = -np.inf if jnp.issubdtype(x.dtype, jnp.floating) else jnp.iinfo(x.dtype).min
    if strides is None or tuple(strides) == tuple(window):
        return _tile_max(_tiles(x, window, padding, least))
    return lax.reduce_window(
        x, np.asarray(least, x.dtype), lax.max, (1, *window, 1), (1, *strides, 1), padding
    )


def average_pool(
    x: Float[Array, "n h w c"], window: Pair, *, strides: Pair | None = None, padding: str = "VALID"
) -> Float[Array, "n i j c"]:
    """The mean of each window, in which a padding's zeros count; arguments as of :func:`max_pool`.

    Raises:
        InputError: another padding.

    >>> average_pool(jnp.arange(16.0).reshape(1, 4, 4, 1), (2, 2)).ravel().tolist()
    [2.5, 4.5, 10.5, 12.5]
    """
    check.choice("padding", padding, ["VALID", "SAME"])
    if strides is None or tuple(strides) == tuple(window):
        return jnp.mean(_tiles(x, window, padding, 0.0), axis=(2, 4))
    return nn.avg_pool(x, tuple(window), tuple(strides), padding)


def _tiles(x: Array, window: Pair, padding: str, fill: float | int) -> Shaped[Array, "n i p j q c"]:
    """Cuts images into tiles, cropped (VALID) or filled up (SAME) to a whole number of them."""

    def ends(size: int, width: int) -> tuple[int, int, int]:
        if padding == "VALID":
            return 0, -(size % width), 0
        missing = -size % width
        return missing // 2, missing - missing // 2, 0

    (n, h, w, c), (p, q) = x.shape, window
    x = lax.pad(x, jnp.asarray(fill, x.dtype), [(0, 0, 0), ends(h, p), ends(w, q), (0, 0, 0)])
    return x.reshape(n, x.shape[1] // p, p, x.shape[2] // q, q, c)


@jax.custom_vjp
def _tile_max(tiles: Shaped[Array, "n i p j q c"]) -> Shaped[Array, "n i j c"]:
    return jnp.max(tiles, axis=(2, 4))


def _forward(tiles: Array):
    largest = jnp.max(tiles, axis=(2, 4))
    return largest, (tiles, largest)


def _backward(saved: tuple[Array, Array], dy: Array):
    """Gives ``dy`` to the first largest value: looks at one place of all tiles after the other."""
    tiles, largest = saved
    free, rows = jnp.ones(largest.shape, bool), []
    for p in range(tiles.shape[2]):
        row = []
        for q in range(tiles.shape[4]):
            hit = free & (tiles[:, :, p, :, q] == largest)
            free &= ~hit
            row.append(jnp.where(hit, dy, 0))
        rows.append(jnp.stack(row, axis=3))
    return (jnp.stack(rows, axis=2),)


_tile_max.defvjp(_forward, _backward)
