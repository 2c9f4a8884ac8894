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
    strides: Sequence[int] = (1, 1),
    padding: str | Sequence[Sequence[int]] = "SAME",
) -> Float[Array, "n i j k"]:
    """Convolves padded images: ``y[n,i,j,k] = sum_pqc x[n, i*s+p, j*s+q, c] kernel[p,q,c,k]``.

    Equals ``lax.conv_general_dilated`` and its gradients. A second ``grad`` works; forward mode (``jvp``,
    and so Hessian-vector products that go forward over reverse) does not.

    Args:
        x: images, channels last.
        kernel: height, width, channels in, channels out.
        strides: steps between windows, down and across.
        padding: ``"SAME"``, ``"VALID"``, or pairs (before, after) of zeros, down and across;
            a number below 0 cuts off.

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
    outer, inner = zip(*map(_split, size, window, strides, pads), strict=True)
    if any(map(any, outer)):
        x = lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *((*pair, 0) for pair in outer), (0, 0, 0)])
    return _conv2d(x, kernel, tuple(strides), inner)


def _split(length: int, width: int, stride: int, pads: Sequence[int]) -> Pads:
    """Pads to give (or cut off) beforehand, and to leave to the convolution: 0 to ``width - 1``, all in use.

    Others turn negative in the gradients, where XLA may read outside of the array on a CPU.
    """
    before, after = pads
    after -= (length + before + after - width) % stride
    inner = tuple(min(max(pad, 0), width - 1) for pad in (before, after))
    return (before - inner[0], after - inner[1]), inner


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _conv2d(x: Array, kernel: Array, strides: tuple[int, int], pads: Pads) -> jax.Array:
    return _convolve(x, kernel, strides, pads)


def _forward(x: Array, kernel: Array, strides: tuple[int, int], pads: Pads):
    return _conv2d(x, kernel, strides, pads), (x, kernel)


def _backward(strides: tuple[int, int], pads: Pads, saved: tuple[Array, Array], dy: Array):
    def canonical(x: Array, kernel: Array, dy: Array):
        return _input_gradient(kernel, dy, strides, pads), _kernel_gradient(x, dy, strides, pads)

    def autodiff(x: Array, kernel: Array, dy: Array):
        return jax.vjp(partial(_convolve, window_strides=strides, padding=pads), x, kernel)[1](dy)

    return lax.platform_dependent(*saved, dy, cpu=canonical, default=autodiff)


_conv2d.defvjp(_forward, _backward)


def _input_gradient(kernel: Array, dy: Array, strides: tuple[int, int], pads: Pads) -> jax.Array:
    """``dy``, spread out by the strides, convolved with the turned kernel."""
    ends = [
        tuple(width - 1 - pad for pad in pair) for width, pair in zip(kernel.shape[:2], pads, strict=True)
    ]
    turned = lax.optimization_barrier(jnp.flip(kernel, (0, 1)).swapaxes(2, 3))
    if any(windows < width for windows, width in zip(dy.shape[1:3], kernel.shape[:2], strict=True)):
        # XLA would exchange the two, and may abort the process; a dense dy is slower, but small here.
        edges = [(*pair, stride - 1) for pair, stride in zip(ends, strides, strict=True)]
        dy = lax.pad(dy, jnp.zeros((), dy.dtype), [(0, 0, 0), *edges, (0, 0, 0)])
        return _convolve(lax.optimization_barrier(dy), turned, (1, 1), "VALID")
    return _convolve(dy, turned, (1, 1), ends, lhs_dilation=strides)


def _kernel_gradient(x: Array, dy: Array, strides: tuple[int, int], pads: Pads) -> jax.Array:
    """``x`` convolved with ``dy`` at distances of the strides; channels and rows change places."""
    images, weights = lax.optimization_barrier((x.transpose(3, 1, 2, 0), dy.transpose(1, 2, 0, 3)))
    product = _convolve(images, weights, (1, 1), pads, rhs_dilation=strides)
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
