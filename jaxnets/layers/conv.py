"""Convolution of images whose gradients stay fast inside a compiled loop on a CPU.

A convolution is fast on a CPU only in canonical form: rows first and channels last (NHWC), kernel
HWIO. Outside of loops XLA brings the two gradients into that form; in the body of ``lax.scan`` it
does not, and they are naive loops, 20 to 40 times slower (jax issue 12868). Here they are written as
convolutions in canonical form, their operands transposed behind an optimization barrier so that the
transposes are not folded back. On other platforms autodiff's own gradients are the fast ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype
from jax import lax

from jaxnets import check
from jaxnets.types import Array, Float

Pads = tuple[tuple[int, int], ...]

_convolve = partial(lax.conv_general_dilated, dimension_numbers=("NHWC", "HWIO", "NHWC"))


def conv2d(
    x: Float[Array, "n h w c"],
    kernel: Float[Array, "p q c k"],
    *,
    strides: tuple[int, int] = (1, 1),
    padding: str | Sequence[tuple[int, int]] = "SAME",
) -> Float[Array, "n i j k"]:
    """Convolves padded images: ``y[n,i,j,k] = sum_pqc x[n, i*s+p, j*s+q, c] kernel[p,q,c,k]``.

    Equals ``lax.conv_general_dilated`` and its gradients; a second ``grad`` works, forward mode
    (``jvp`` of the function itself) does not.

    Args:
        x: images, channels last.
        kernel: height, width, channels in, channels out.
        strides: steps between windows, down and across.
        padding: ``"SAME"``, ``"VALID"``, or pairs (before, after) of zeros, down and across.

    Raises:
        InputError: another padding, or a kernel larger than the padded image.

    >>> conv2d(jnp.ones((1, 3, 3, 1)), jnp.ones((2, 2, 1, 1)), padding="VALID").ravel().tolist()
    [4.0, 4.0, 4.0, 4.0]
    """
    size, window, pads = x.shape[1:3], kernel.shape[:2], padding
    if isinstance(padding, str):
        check.choice("padding", padding, ["SAME", "VALID"])
        pads = lax.padtype_to_pads(size, window, strides, padding)
    padded = tuple(length + sum(pair) for length, pair in zip(size, pads, strict=True))
    if any(room < width for room, width in zip(padded, window, strict=True)):
        raise check.InputError(f"kernel {window} on padded images {padded}, allowed is one that fits in")
    return _conv2d(x, kernel, tuple(strides), tuple(map(tuple, pads)))


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _conv2d(x: Array, kernel: Array, strides: tuple[int, int], pads: Pads) -> jax.Array:
    return _convolve(x, kernel, strides, pads)


def _forward(x: Array, kernel: Array, strides: tuple[int, int], pads: Pads):
    return _conv2d(x, kernel, strides, pads), (x, kernel)


def _backward(strides: tuple[int, int], pads: Pads, saved: tuple[Array, Array], dy: Array):
    def canonical(x: Array, kernel: Array, dy: Array):
        dx = _input_gradient(x.shape[1:3], kernel, dy, strides, pads)
        return dx, _kernel_gradient(x, kernel.shape[:2], dy, strides, pads)

    def autodiff(x: Array, kernel: Array, dy: Array):
        return jax.vjp(partial(_convolve, window_strides=strides, padding=pads), x, kernel)[1](dy)

    return lax.platform_dependent(*saved, dy, cpu=canonical, default=autodiff)


_conv2d.defvjp(_forward, _backward)


def _input_gradient(
    size: tuple[int, int], kernel: Array, dy: Array, strides: tuple[int, int], pads: Pads
) -> jax.Array:
    """``dy``, spread out by the strides, convolved with the turned kernel."""
    ends = [
        (width - 1 - before, length - 1 - (windows - 1) * stride + before)
        for length, width, windows, stride, (before, _) in zip(
            size, kernel.shape[:2], dy.shape[1:3], strides, pads, strict=True
        )
    ]
    turned = lax.optimization_barrier(jnp.flip(kernel, (0, 1)).swapaxes(2, 3))
    return _convolve(dy, turned, (1, 1), ends, lhs_dilation=strides)


def _kernel_gradient(
    x: Array, window: tuple[int, int], dy: Array, strides: tuple[int, int], pads: Pads
) -> jax.Array:
    """``x`` convolved with ``dy`` at distances of the strides; channels and rows change places."""
    ends = [
        (before, width + (windows - 1) * stride - length - before)
        for length, width, windows, stride, (before, _) in zip(
            x.shape[1:3], window, dy.shape[1:3], strides, pads, strict=True
        )
    ]
    images, weights = lax.optimization_barrier((x.transpose(3, 1, 2, 0), dy.transpose(1, 2, 0, 3)))
    product = _convolve(images, weights, (1, 1), ends, rhs_dilation=strides)
    return lax.optimization_barrier(product).transpose(1, 2, 0, 3)


class Conv(nn.Module):
    """A layer of :func:`conv2d`: ``x * kernel + bias``.

    Attributes:
        features: number of channels out.
        kernel_size: height and width.
        strides: steps between windows, down and across.
        padding: ``"SAME"``, ``"VALID"``, or pairs (before, after), down and across.
        use_bias: false where a BatchNorm follows.
        kernel_init: ``(key, shape, dtype) -> kernel``.

    >>> layer = Conv(8, (3, 3), strides=(2, 2))
    >>> layer.init_with_output(jax.random.key(0), jnp.ones((1, 28, 28, 1)))[0].shape
    (1, 14, 14, 8)
    """

    features: int
    kernel_size: tuple[int, int]
    strides: tuple[int, int] = (1, 1)
    padding: str | Sequence[tuple[int, int]] = "SAME"
    use_bias: bool = True
    kernel_init: Callable = nn.initializers.lecun_normal()

    @nn.compact
    def __call__(self, x: Float[Array, "n h w c"]) -> Float[Array, "n i j k"]:
        """The images convolved."""
        shape = (*self.kernel_size, x.shape[-1], self.features)
        x, kernel = promote_dtype(x, self.param("kernel", self.kernel_init, shape))
        y = conv2d(x, kernel, strides=self.strides, padding=self.padding)
        if not self.use_bias:
            return y
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        return y + bias.astype(y.dtype).reshape(1, 1, 1, -1)
