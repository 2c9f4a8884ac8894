"""Autoencoders: images through a narrow code and back, and the linear one that is solved at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxnets import check
from jaxnets.layers import flatten
from jaxnets.learner import Learner
from jaxnets.models.closed_form import closed_form
from jaxnets.models.mlp import MLP
from jaxnets.types import Array, Batch, Float, Metrics, Scalar


class Autoencoder(nn.Module):
    """``code = encoder(x + noise)``, ``x' = (1 + tanh(decoder(code) - 2)) / 2``: pixels in (0, 1).

    Pixels start near 0.02, as dark as the background; else the code would first be used for that.

    Attributes:
        shape: of an image.
        widths: hidden units of the encoder; the decoder has them in reverse.
        num_codes: numbers in a code; it is linear, as in the reference: a tanh here would soon be saturated.
        activation: of the hidden layers.
        noise: deviation of what is added to the pixels while training; may be traced.

    >>> model = Autoencoder(shape=(4, 4, 1), widths=(8,))
    >>> outputs, _ = model.init_with_output(jax.random.key(0), jnp.ones((3, 4, 4, 1)))
    >>> outputs["images"].shape, outputs["codes"].shape
    ((3, 4, 4, 1), (3, 2))

    Reference: Hinton & Salakhutdinov 2006; with noise, Vincent et al. 2008.
    """

    shape: tuple[int, ...]
    widths: tuple[int, ...] = (500, 300)
    num_codes: int = 2
    activation: Callable[[jax.Array], jax.Array] = jnp.tanh
    noise: Scalar = 0.0

    def setup(self) -> None:
        self.encoder = MLP(self.widths, self.num_codes, self.activation)
        self.decoder = MLP(self.widths[::-1], math.prod(self.shape), self.activation)

    def __call__(self, images: Float[Array, "n ..."], train: bool = False) -> dict[str, Array]:
        """The images as decoded, and their codes; while training a random key ``dropout`` draws the noise."""
        if train:
            images = images + self.noise * jax.random.normal(self.make_rng("dropout"), images.shape)
        codes = self.encoder(images)
        return {"images": self.decode(codes), "codes": codes}

    def decode(self, codes: Float[Array, "n c"]) -> Float[Array, "n ..."]:
        """Images of codes."""
        return (1 + jnp.tanh(self.decoder(codes) - 2).reshape(-1, *self.shape)) / 2


class Components(NamedTuple):
    """The linear autoencoder: ``codes = (x - mean) V``, ``x' = mean + codes V'``."""

    mean: Float[Array, " d"]
    directions: Float[Array, "d c"]


def principal_components(*, num_codes: int) -> Learner:
    """Of all linear autoencoders the best: ``V`` are the covariance's eigenvectors of largest eigenvalues.

    Predictions are as :class:`Autoencoder`'s; the loss is the mean squared error per pixel.

    >>> from jaxnets import train
    >>> x = jnp.array([[1.0, 1.0], [2.0, 2.0], [4.0, 4.0]])
    >>> line = principal_components(num_codes=1)
    >>> run = train.run(jax.random.key(0), line, (x, x), num_steps=1)
    >>> bool(jnp.allclose(line.predict(run.state, x)["images"], x, atol=1e-5))
    True

    Reference: Baldi & Hornik 1989, Neural networks and principal component analysis.
    """
    check.count("num_codes", num_codes, 1)

    def fit(rows: Batch) -> tuple[Components, Metrics]:
        x = flatten(rows.inputs)
        mean = x.mean(axis=0)
        centred = x - mean[None]
        values, vectors = jnp.linalg.eigh(centred.T @ centred / len(x))
        return Components(mean, vectors[:, -num_codes:]), {"loss": values[:-num_codes].sum() / x.shape[1]}

    def predict(state: Components, inputs: Float[Array, "n ..."]) -> dict[str, Array]:
        codes = (flatten(inputs) - state.mean[None]) @ state.directions
        images = state.mean[None] + codes @ state.directions.T
        return {"images": images.reshape(inputs.shape), "codes": codes}

    return closed_form(fit, predict)
