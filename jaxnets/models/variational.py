"""The variational autoencoder of black and white images, and the bounds it puts on their likelihood."""

from __future__ import annotations

import math
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.scipy.special import logit
from jax.scipy.stats import norm

from jaxnets.models.mlp import MLP
from jaxnets.types import Array, Bool, Float, Shaped


class VariationalAutoencoder(nn.Module):
    """``p(z) = N(0, I)``, ``p(x | z)`` Bernoulli, ``q(z | x) = N(mean(x), diag exp(log_var(x)))``.

    Pixels above 1/2 are 1, others 0. Decoded images start near ``mean_image``; else the code is first used to
    make the background dark, and where no data lie it decodes to negatives of images.

    Attributes:
        shape: of an image.
        widths: hidden units of the encoder; the decoder has them in reverse.
        num_codes: numbers in a code.
        activation: of the hidden layers.
        num_draws: codes an image from which the bounds are estimated in evaluation.
        mean_image: shares of ones, in (0, 1), of each pixel (see :func:`pixel_means`) or of all.

    >>> model = VariationalAutoencoder(shape=(4, 4, 1), widths=(8,), num_draws=5)
    >>> outputs, _ = model.init_with_output(jax.random.key(0), jnp.ones((3, 4, 4, 1)))
    >>> {name: value.shape for name, value in outputs.items()}
    {'images': (3, 4, 4, 1), 'codes': (3, 2), 'log_weights': (3, 5)}

    Reference: Kingma & Welling 2014, Auto-encoding variational Bayes.
    """

    shape: tuple[int, ...]
    widths: tuple[int, ...] = (500, 300)
    num_codes: int = 2
    activation: Callable[[jax.Array], jax.Array] = jnp.tanh
    num_draws: int = 64
    mean_image: Float[Array, ...] | float = 0.1

    def setup(self) -> None:
        self.encoder = MLP(self.widths, 2 * self.num_codes, self.activation)
        self.decoder = MLP(self.widths[::-1], math.prod(self.shape), self.activation)

    def __call__(self, images: Float[Array, "n ..."], train: bool = False) -> dict[str, Array]:
        """While training ``elbo``, from one code an image; else decoded images, codes and ``log_weights``."""
        bits = binary(images)
        mean, log_var = jnp.split(self.encoder(1.0 * bits), 2, axis=1)
        if train:
            noise = jax.random.normal(self.make_rng("dropout"), mean.shape)
            likelihood = log_likelihood(self._logits(mean + jnp.exp(log_var / 2) * noise), bits)
            return {"elbo": likelihood - kl_to_standard_normal(mean, log_var)}
        # The same draws for every image, so that a row's numbers do not hang on its neighbours.
        noise = jax.random.normal(jax.random.key(0), (self.num_draws, 1, self.num_codes))
        images = self.decode(mean)
        log_weights = jax.lax.map(self._log_weight(bits, mean, log_var), noise)
        return {"images": images, "codes": mean, "log_weights": log_weights.T}

    def decode(self, codes: Float[Array, "n c"]) -> Float[Array, "n ..."]:
        """Probabilities that the pixels are 1."""
        return nn.sigmoid(self._logits(codes)).reshape(-1, *self.shape)

    def _logits(self, codes: Float[Array, "n c"]) -> Float[Array, "n p"]:
        return self.decoder(codes) + self._background()

    def _background(self) -> Float[Array, "1 p"]:
        return jnp.broadcast_to(logit(jnp.asarray(self.mean_image)), self.shape).reshape(1, -1)

    def _log_weight(self, bits: Array, mean: Array, log_var: Array) -> Callable[[Array], Array]:
        """``log p(x | z) + log p(z) - log q(z | x)`` at one code of each image, from its noise."""
        decoder, variables = self.decoder.unbind()
        deviation, background = jnp.exp(log_var / 2), self._background()

        def log_weight(noise: Float[Array, "1 c"]) -> Float[Array, " n"]:
            codes = mean + deviation * noise
            prior, posterior = norm.logpdf(codes), norm.logpdf(codes, mean, deviation)
            likelihood = log_likelihood(decoder.apply(variables, codes) + background, bits)
            return likelihood + (prior - posterior).sum(axis=1)

        return log_weight


def binary(images: Float[Array, "n ..."]) -> Bool[Array, "n p"]:
    """Pixels above 1/2, a row an image.

    >>> binary(jnp.array([[[0.2, 0.6]]])).tolist()
    [[False, True]]
    """
    return (jnp.asarray(images) > 0.5).reshape(len(images), -1)


def pixel_means(images: Float[Array, "n h w c"]) -> Float[Array, "h w c"]:
    """Shares of the images in which each pixel is 1: ``(count + 1/2) / (n + 1)``, so never 0 or 1.

    Of host arrays a host array, while tracing too.

    >>> pixel_means(jnp.ones((3, 1, 1, 1))).tolist()
    [[[0.875]]]

    Reference: Krichevsky & Trofimov 1981, The performance of universal encoding.
    """
    return ((images > 0.5).sum(axis=0) + 0.5) / (len(images) + 1)


def independent_pixels(images: Float[Array, "n h w c"], means: Float[Array, "h w c"]) -> Float[Array, " n"]:
    """:func:`log_likelihood` without a code: each pixel is 1 with its share.

    >>> round(float(independent_pixels(jnp.ones((1, 1, 2, 1)), jnp.full((1, 2, 1), 0.5))[0]), 4)  # 2 log 1/2
    -1.3863
    """
    bits = binary(images)
    return log_likelihood(jnp.broadcast_to(logit(means).reshape(1, -1), bits.shape), bits)


def log_likelihood(logits: Float[Array, "n p"], bits: Shaped[Array, "n p"]) -> Float[Array, " n"]:
    """``sum_p log p(x_p)`` of Bernoulli pixels, in nats.

    >>> round(float(log_likelihood(jnp.zeros((1, 3)), jnp.array([[1, 0, 1]]))[0]), 4)  # 3 log 1/2
    -2.0794
    """
    return jax.nn.log_sigmoid(jnp.where(bits, logits, -logits)).sum(axis=1)


def kl_to_standard_normal(mean: Float[Array, "n c"], log_var: Float[Array, "n c"]) -> Float[Array, " n"]:
    """``KL(N(mean, exp log_var) || N(0, I)) = 1/2 sum (mean^2 + var - 1 - log var)``, in nats.

    >>> kl_to_standard_normal(jnp.array([[2.0]]), jnp.array([[0.0]])).tolist()
    [2.0]
    """
    return 0.5 * (jnp.square(mean) + jnp.exp(log_var) - 1 - log_var).sum(axis=1)


def evidence_bound(log_weights: Float[Array, "n s"]) -> Float[Array, ""]:
    """The ELBO: the mean of ``log w = log p(x, z) / q(z | x)`` over codes and images, in nats an image."""
    return log_weights.mean()


def importance_bound(log_weights: Float[Array, "n s"]) -> Float[Array, ""]:
    """The mean over images of ``log mean_s w_s``: with more codes it rises, in expectation, to ``log p(x)``.

    >>> w = jnp.log(jnp.array([[1.0, 3.0]]))
    >>> round(float(importance_bound(w)), 4), round(float(evidence_bound(w)), 4)  # log 2, log sqrt 3
    (0.6931, 0.5493)

    Reference: Burda, Grosse & Salakhutdinov 2016, Importance weighted autoencoders.
    """
    return jnp.mean(jax.nn.logsumexp(log_weights, axis=1) - math.log(log_weights.shape[1]))


def bits_per_pixel(log_likelihood: Float[Array, ""], *, num_pixels: int) -> Float[Array, ""]:
    """Of a log-likelihood in nats an image; 1 is what a fair coin for each pixel costs.

    >>> round(float(bits_per_pixel(jnp.array(-2.0794), num_pixels=3)), 3)
    1.0
    """
    return -log_likelihood / (num_pixels * math.log(2))
