"""Batch normalisation whose momentum may be traced, so that one compiled program serves every momentum."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxnets import check
from jaxnets.types import Array, Float, Scalar


class BatchNorm(nn.Module):
    """Normalises each feature by the batch: ``y = scale (x - mean) / sqrt(var + epsilon) + bias``.

    Mean and (biased) variance are the batch's while training, over all axes but the last, and move the
    averages in ``batch_stats``: ``average <- momentum average + (1 - momentum) batch``. Otherwise
    they are those averages, which start at mean 0 and variance 1.

    Attributes:
        momentum: how much of the averages stays at each step, in ``[0, 1]``.
        epsilon: added to the variance.

    Raises:
        InputError: a momentum outside ``[0, 1]``, or a negative epsilon.

    Reference: Ioffe and Szegedy, Batch normalization, 2015.

    >>> x = jnp.array([[1.0], [3.0]])
    >>> variables = BatchNorm().init(jax.random.key(0), x, train=False)
    >>> y, updated = BatchNorm(momentum=0.9).apply(variables, x, train=True, mutable=["batch_stats"])
    >>> y.round(2).ravel().tolist(), round(float(updated["batch_stats"]["mean"][0]), 2)
    ([-1.0, 1.0], 0.2)
    """

    momentum: Scalar = 0.99
    epsilon: Scalar = 1e-5

    @nn.compact
    def __call__(self, x: Float[Array, "... d"], train: bool) -> Float[Array, "... d"]:
        """The features normalised, by the batch if ``train``, else by the averages."""
        check.interval("momentum", self.momentum, check.Interval(0, 1))
        check.interval("epsilon", self.epsilon, check.NON_NEGATIVE)
        shape, axes = x.shape[-1:], tuple(range(x.ndim - 1))
        mean = self.variable("batch_stats", "mean", jnp.zeros, shape)
        var = self.variable("batch_stats", "var", jnp.ones, shape)
        scale = self.param("scale", nn.initializers.ones, shape)
        bias = self.param("bias", nn.initializers.zeros, shape)
        center, spread = (x.mean(axes), x.var(axes)) if train else (mean.value, var.value)
        if train and not self.is_initializing():
            mean.value = self._moved(mean.value, center)
            var.value = self._moved(var.value, spread)
        rows = (1,) * (x.ndim - 1) + shape
        slope = scale * jax.lax.rsqrt(spread + self.epsilon)
        return (x - center.reshape(rows)) * slope.reshape(rows) + bias.reshape(rows)

    def _moved(self, average: Array, moment: Array) -> jax.Array:
        return (self.momentum * average + (1 - self.momentum) * moment).astype(average.dtype)
