"""Dropout whose rate may be traced, so that one compiled program serves every rate."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxnets import check
from jaxnets.types import Array, Float, Scalar, Shaped


class Dropout(nn.Module):
    """Drops inputs at random while training, and scales up the others.

        y = x m / (1 - rate),  m ~ Bernoulli(1 - rate)

    While training it needs a random key ``dropout``; otherwise it returns the inputs. At a rate of 1 all
    outputs are 0. Half precision holds for inputs and outputs, not for the rate and the draw.

    Attributes:
        rate: the probability with which an input is dropped, in ``[0, 1]``.

    Raises:
        InputError: a rate outside ``[0, 1]``, or inputs that are no floats.

    Reference: Srivastava et al., Dropout: a simple way to prevent neural networks from overfitting, 2014.

    >>> x = jnp.ones(10_000)
    >>> y = Dropout(0.4).apply({}, x, train=True, rngs={"dropout": jax.random.key(0)})
    >>> round(float(y.mean()), 1), round(float(y.max()), 4)
    (1.0, 1.6667)
    """

    rate: Scalar

    @nn.compact
    def __call__(self, x: Shaped[Array, "*shape"], train: bool) -> Float[Array, "*shape"]:
        """The inputs, thinned out if ``train``."""
        check.interval("rate", self.rate, check.Interval(0, 1))
        if not jnp.issubdtype(x.dtype, jnp.floating):
            raise check.InputError(f"inputs of {x.dtype}, allowed are floats")
        if not train:
            return x
        # In bfloat16 1 - 0.001 is 1, and a uniform draw takes 128 values.
        keep = 1 - jnp.asarray(self.rate, jnp.promote_types(x.dtype, jnp.float32))
        kept = jax.random.bernoulli(self.make_rng("dropout"), keep, x.shape)
        return jnp.where(kept, x / jnp.where(keep > 0, keep, 1), 0).astype(x.dtype)
