"""Convolution as one matrix product over all windows (im2col)."""

from __future__ import annotations

from collections.abc import Sequence

import jax.numpy as jnp
from jax import lax

from jaxnets import check
from jaxnets.backprop.affine import Backward
from jaxnets.backprop.windows import add_windows, refuse_no_pair, windows
from jaxnets.types import Array, Float


def conv2d(
    x: Float[Array, "n h w c"],
    kernel: Float[Array, "p q c k"],
    *,
    strides: Sequence[int] = (1, 1),
    padding: str | Sequence[Sequence[int]] = "SAME",
) -> tuple[Float[Array, "n i j k"], Backward]:
    """``y[n,i,j,k] = sum_pqc x[n, i*s+p, j*s+q, c] kernel[p,q,c,k]``; backward gives ``dx``, ``dkernel``.

    Derivation: let each window be a row of ``u`` ``[n i j, p q c]`` and each channel out a column of ``K``
    ``[p q c, k]``. Then ``y = u K``, an affine map: ``dK = u^T dy`` and ``du = dy K^T``. A pixel stands in
    several windows, so its gradient is the sum over all of them; that of the padding is cut off. For
    strides of 1 ``dx`` is, written out, the convolution of ``dy`` with the kernel turned by half a turn.

    Args:
        x: images, channels last.
        kernel: height, width, channels in, channels out.
        strides: steps between windows, down and across.
        padding: ``"SAME"``, ``"VALID"``, or pairs (before, after) of zeros, down and across.

    Raises:
        InputError: another padding, strides that are not two numbers from 1 on, another number of channels
            than the images', or a kernel larger than the padded image.

    >>> y, backward = conv2d(jnp.ones((1, 3, 3, 1)), jnp.ones((2, 2, 1, 1)), padding="VALID")
    >>> dx, dkernel = backward(jnp.ones((1, 2, 2, 1)))
    >>> dx[0, :, :, 0].tolist(), dkernel.ravel().tolist()
    ([[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]], [4.0, 4.0, 4.0, 4.0])

    Reference: Chellapilla, Puri, Simard, High performance convolutional neural networks, 2006; Dumoulin and
    Visin, A guide to convolution arithmetic for deep learning, 2016.
    """
    size, k = kernel.shape[:2], kernel.shape[3]
    check.count("channels of the kernel", kernel.shape[2], x.shape[3], x.shape[3])
    refuse_no_pair("strides", strides, low=1)
    zeros = _zeros(padding, x.shape[1:3], size, strides)
    padded = jnp.pad(x, ((0, 0), *zeros, (0, 0)))
    u = windows(padded, size, strides)
    rows, columns = u.reshape(-1, kernel.size // k), kernel.reshape(-1, k)
    (top, _), (left, _) = zeros

    def backward(dy: Float[Array, "n i j k"]) -> tuple[Array, Array]:
        dy = dy.reshape(-1, k)
        dpadded = add_windows((dy @ columns.T).reshape(u.shape), padded.shape, strides)
        dx = dpadded[:, top : top + x.shape[1], left : left + x.shape[2]]
        return dx, (rows.T @ dy).reshape(kernel.shape)

    return (rows @ columns).reshape(*u.shape[:3], k), backward


def _zeros(
    padding: str | Sequence[Sequence[int]], room: Sequence[int], size: Sequence[int], strides: Sequence[int]
) -> Sequence[Sequence[int]]:
    """How many before and after, down and across."""
    if isinstance(padding, str):
        check.choice("padding", padding, ["SAME", "VALID"])
        return lax.padtype_to_pads(room, size, strides, padding)
    if not isinstance(padding, Sequence) or len(padding) != 2:
        raise check.InputError(f"padding = {padding!r}, allowed are 'SAME', 'VALID' or two pairs")
    for pair in padding:
        refuse_no_pair("padding", pair, low=0)
    return padding
