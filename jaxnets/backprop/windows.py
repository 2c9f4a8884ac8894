"""The windows of an image, and the way back: what convolution and pooling share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxnets import check
from jaxnets.types import Array, Float


def windows(
    x: Float[Array, "n h w c"], size: Sequence[int], strides: Sequence[int]
) -> Float[Array, "n i j p q c"]:
    """All windows of the images: ``u[n,i,j,p,q,c] = x[n, i*s+p, j*s+q, c]``.

    Args:
        x: images, channels last.
        size: height and width of a window.
        strides: steps between windows, down and across.

    Raises:
        InputError: a window larger than the image, or sizes or strides that are not two numbers from 1 on.

    >>> windows(jnp.arange(9.0).reshape(1, 3, 3, 1), (2, 2), (1, 1))[0, 1, 1, :, :, 0].tolist()
    [[4.0, 5.0], [7.0, 8.0]]

    Reference: Dumoulin and Visin, A guide to convolution arithmetic for deep learning, 2016.
    """
    refuse_no_pair("window", size, low=1)
    refuse_no_pair("strides", strides, low=1)
    if any(room < length for room, length in zip(x.shape[1:3], size, strict=True)):
        raise check.InputError(
            f"windows {tuple(size)} on images {x.shape[1:3]}, allowed are ones that fit in"
        )
    parts = jnp.stack([x[place] for place in _places(x.shape, size, strides)], axis=3)
    return parts.reshape(*parts.shape[:3], *size, x.shape[3])


def refuse_no_pair(name: str, value: Any, *, low: int) -> None:
    """Refuses what is not two whole numbers from ``low`` on, down and across.

    >>> refuse_no_pair("strides", 2, low=1)
    Traceback (most recent call last):
    jaxnets.check.InputError: strides = 2, allowed is a pair of whole numbers
    """
    if not isinstance(value, Sequence) or len(value) != 2:
        raise check.InputError(f"{name} = {value!r}, allowed is a pair of whole numbers")
    for number in value:
        check.count(name, number, low)


def add_windows(
    u: Float[Array, "n i j p q c"], shape: Sequence[int], strides: Sequence[int]
) -> Float[Array, "n h w c"]:
    """The transpose of :func:`windows`: each pixel's sum over all windows that it is in.

    ``windows`` copies, ``u_a = x_b`` for all ``a`` that show pixel ``b``; so ``dx_b = sum_a du_a``.

    Args:
        u: a number for each place of each window.
        shape: of the images.
        strides: steps between windows, down and across.

    >>> add_windows(jnp.ones((1, 2, 2, 2, 2, 1)), (1, 3, 3, 1), (1, 1))[0, :, :, 0].tolist()
    [[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]]
    """
    size = u.shape[3:5]
    parts = u.reshape(*u.shape[:3], -1, u.shape[5])
    x = jnp.zeros(tuple(shape), u.dtype)
    for number, place in enumerate(_places(shape, size, strides)):
        x = x.at[place].add(parts[:, :, :, number])
    return x


def _places(
    shape: Sequence[int], size: Sequence[int], strides: Sequence[int]
) -> Iterator[tuple[slice, slice, slice]]:
    """For each place in a window, the pixels there in all windows."""
    ends = [
        (room - length) // step * step + 1
        for room, length, step in zip(shape[1:3], size, strides, strict=True)
    ]
    for p, q in np.ndindex(*size):
        yield slice(None), slice(p, p + ends[0], strides[0]), slice(q, q + ends[1], strides[1])
