"""Healthy problems as they are trained in practice: attention that begins at zero, rare pixels, ranks."""

from __future__ import annotations

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from sklearn.datasets import load_diabetes, load_digits

from experiments.faults._networks import (
    binary_cross_entropy,
    dense,
    forward,
    of_module,
    supervised,
)
from jaxnets.diagnose import Problem


def images(number):
    """Small digits, and their classes."""
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))[:number]
    return (x[order] / 16).astype(np.float32), y[order]


class Attention(nn.Module):
    """A pre-norm transformer of one block over a digit's 8 rows; block outputs and head start at zero."""

    @nn.compact
    def __call__(self, x):
        zero = nn.initializers.zeros_init()
        x = nn.Dense(24)(x) + self.param("place", nn.initializers.normal(0.3), (8, 24))[None]
        x = x + nn.MultiHeadDotProductAttention(num_heads=3, out_kernel_init=zero)(nn.LayerNorm()(x))
        x = x + nn.Dense(24, kernel_init=zero)(nn.gelu(nn.Dense(48)(nn.LayerNorm()(x))))
        return nn.Dense(10, kernel_init=zero)(nn.LayerNorm()(x).reshape(x.shape[0], -1))


def smoothed(logits, labels):
    """A cross-entropy with smoothed labels."""
    return optax.softmax_cross_entropy(logits, optax.smooth_labels(jax.nn.one_hot(labels, 10), 0.1)).mean()


def zero_start_attention() -> Problem:
    """A block whose outputs begin at zero, and a head of zeros."""
    x, y = images(1700)
    x = ((x - x.mean()) / x.std()).reshape(-1, 8, 8)
    schedule = optax.warmup_cosine_decay_schedule(0.0, 3e-3, 30, 300)
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(schedule, weight_decay=0.01))
    return of_module(
        Attention(),
        smoothed,
        (x[:1300], y[:1300]),
        test=(x[1300:], y[1300:]),
        optimizer=optimizer,
        batch_size=50,
        num_steps=300,
    )


def counts_with_negative_loss() -> Problem:
    """Poisson regression with a logarithmic link; the loss leaves log y! out and goes below zero."""
    rng = np.random.default_rng(60)
    x = rng.normal(size=(1500, 3)).astype(np.float32)
    rate = np.exp(1.5 + 0.8 * np.tanh(x[:, :1] - x[:, 1:2]) + 0.5 * np.abs(x[:, 2:]))
    y = rng.poisson(rate).astype(np.float32)

    def init(key):
        first, second, last = dense(key, (3, 16, 16, 1))
        return [first, second, {"w": 0.1 * last["w"], "b": jnp.full(1, float(np.log(y[:1100].mean())))}]

    def cost(log_rate, counts):
        return jnp.mean(jnp.exp(log_rate) - counts * log_rate)

    return supervised(
        init,
        forward,
        cost,
        (x[:1100], y[:1100]),
        test=(x[1100:], y[1100:]),
        optimizer=optax.adamw(4e-3, weight_decay=1e-2),
        batch_size=50,
        num_steps=440,
    )


class Bottle(nn.Module):
    """An autoencoder of 12 numbers."""

    @nn.compact
    def __call__(self, x):
        x = nn.silu(nn.Dense(48)(x))
        x = nn.silu(nn.Dense(48)(nn.Dense(12)(x)))
        return nn.Dense(64)(x)


def grey_autoencoder() -> Problem:
    """Logits against grey values between 0 and 1; the targets are the inputs before their standardisation."""
    grey, _ = images(900)
    x = (grey - grey.mean()) / grey.std()
    return of_module(
        Bottle(),
        binary_cross_entropy,
        (x[:700], grey[:700]),
        test=(x[700:], grey[700:]),
        optimizer=optax.adam(4e-3),
        batch_size=70,
        num_steps=500,
    )


def quantiles() -> Problem:
    """Three quantiles of one target, the upper two by positive steps from the lowest; pinball loss."""
    rng = np.random.default_rng(61)
    x = rng.uniform(-1.7, 1.7, (900, 1)).astype(np.float32)
    y = np.sin(2 * x) + (0.1 + 0.25 * np.abs(x)) * rng.normal(size=x.shape)
    y = ((y - y.mean()) / y.std()).astype(np.float32)
    levels = jnp.array([0.1, 0.5, 0.9])

    def predict(params, x):
        raw = forward(params, x)
        steps = jax.nn.softplus(raw[:, 1:])
        return raw[:, :1] + jnp.concatenate([jnp.zeros_like(raw[:, :1]), jnp.cumsum(steps, 1)], 1)

    def cost(found, y):
        off = y - found
        return jnp.mean(jnp.maximum(levels[None] * off, (levels[None] - 1) * off))

    return supervised(
        lambda key: dense(key, (1, 32, 32, 3)),
        predict,
        cost,
        (x[:700], y[:700]),
        test=(x[700:], y[700:]),
        optimizer=optax.adam(3e-3),
        batch_size=50,
        num_steps=800,
    )


def ranking_without_biases() -> Problem:
    """Which of two is better: the difference of two scores of one net, whose last layer needs no bias."""
    rng = np.random.default_rng(62)
    left, right = rng.normal(size=(2, 1200, 4)).astype(np.float32)
    worth = lambda x: 2 * np.abs(x[:, :1]) + 2 * np.tanh(x[:, 1:2] - x[:, 2:3])  # noqa: E731
    better = (worth(left) - worth(right) + 0.5 * rng.logistic(size=(1200, 1)) > 0).astype(np.float32)

    def init(key):
        first, second, last = dense(key, (4, 16, 16, 1))
        return {"first": first, "second": second, "last": last["w"]}

    def score(params, x):
        for name in ("first", "second"):
            x = jax.nn.relu(x @ params[name]["w"] + params[name]["b"][None])
        return x @ params["last"]

    def predict(params, pair):
        return score(params, pair["left"]) - score(params, pair["right"])

    rows = lambda part: ({"left": left[part], "right": right[part]}, better[part])  # noqa: E731
    return supervised(
        init,
        predict,
        binary_cross_entropy,
        rows(slice(0, 900)),
        test=rows(slice(900, None)),
        optimizer=optax.adamw(3e-3, weight_decay=0.02),
        batch_size=60,
        num_steps=240,
    )


class Compass(nn.Module):
    """Two outputs of length 1."""

    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Conv(8, (3, 3))(x))
        x = nn.relu(nn.Conv(8, (3, 3), strides=(2, 2))(x))
        x = nn.Dense(2)(nn.relu(nn.Dense(32)(x.reshape(x.shape[0], -1))))
        return x / jnp.sqrt(jnp.sum(x**2, -1, keepdims=True) + 1e-6)


def directions_on_a_circle() -> Problem:
    """The direction of a ramp of grey, as a point on the circle; the loss is 1 less the cosine between."""
    rng = np.random.default_rng(63)
    angle = rng.uniform(-np.pi, np.pi, (700, 1, 1))
    rows, columns = np.mgrid[:8, :8] - 3.5
    x = np.cos(angle) * columns[None] + np.sin(angle) * rows[None] + 1.5 * rng.normal(size=(700, 8, 8))
    x = ((x - x.mean()) / x.std()).astype(np.float32)[..., None]
    y = np.hstack([np.cos(angle[:, 0]), np.sin(angle[:, 0])]).astype(np.float32)
    return of_module(
        Compass(),
        lambda found, y: jnp.mean(1 - jnp.sum(found * y, -1)),
        (x[:500], y[:500]),
        test=(x[500:], y[500:]),
        optimizer=optax.adam(optax.exponential_decay(4e-3, 100, 0.6)),
        batch_size=50,
        num_steps=300,
    )


class Skewed(nn.Module):
    """A convolutional segmenter whose last bias starts at the logarithm of the odds of a rare foreground."""

    @nn.compact
    def __call__(self, x):
        x = nn.gelu(nn.Conv(8, (3, 3), padding="CIRCULAR")(x))
        x = x + nn.gelu(nn.Conv(8, (3, 3), padding="CIRCULAR")(x))
        return nn.Conv(
            1, (1, 1), kernel_init=nn.initializers.normal(0.1), bias_init=nn.initializers.constant(-3.0)
        )(x)


def rare_pixels() -> Problem:
    """One pixel in twenty is foreground: cross-entropy and the soft overlap of every image together."""
    rng = np.random.default_rng(64)
    mask = np.zeros((400, 10, 10))
    for one in mask:
        row, column = rng.integers(0, 9, 2)
        one[row, column] = one[row + 1, column] = one[row, column + 1] = one[row + 1, column + 1] = 1
        one[rng.integers(0, 10), rng.integers(0, 10)] = 1
    x = 3 * mask + 0.6 * rng.normal(size=mask.shape)
    x = ((x - x.mean()) / x.std()).astype(np.float32)[..., None]
    mask = mask.astype(np.float32)[..., None]

    def cost(logits, mask):
        found = jax.nn.sigmoid(logits)
        both = jnp.sum(found * mask, (1, 2, 3))
        either = jnp.sum(found, (1, 2, 3)) + jnp.sum(mask, (1, 2, 3))
        return binary_cross_entropy(logits, mask) + jnp.mean(1 - (2 * both + 1) / (either + 1))

    return of_module(
        Skewed(),
        cost,
        (x[:300], mask[:300]),
        test=(x[300:], mask[300:]),
        optimizer=optax.adam(1e-2),
        batch_size=30,
        num_steps=200,
    )


def one_row_a_step() -> Problem:
    """Linear regression from zero, one shuffled row a step, a rate that falls as 1 / step."""
    x, y = load_diabetes(return_X_y=True)
    order = np.random.default_rng(65).permutation(len(x))
    x, y = x[order], y[order, None]
    x = ((x - x[:340].mean(0)) / x[:340].std(0)).astype(np.float32)
    y = ((y - y[:340].mean()) / y[:340].std()).astype(np.float32)

    def init(key):
        return {"w": jnp.zeros((10, 1)), "b": jnp.zeros(1)}

    def predict(params, x):
        return x @ params["w"] + params["b"][None]

    def loss(params, x, y):
        return jnp.mean((predict(params, x) - y) ** 2) / 2 + 0.01 * jnp.sum(params["w"] ** 2) / 2

    return Problem(
        init,
        predict,
        loss,
        (x[:340], y[:340]),
        test=(x[340:], y[340:]),
        learning_rate=lambda step: 0.02 / (1 + step / 200),
        batch_size=1,
        num_steps=1000,
    )


PROBLEMS: dict[str, Callable[[], Problem]] = {
    "zero_start_attention": zero_start_attention,
    "counts_with_negative_loss": counts_with_negative_loss,
    "grey_autoencoder": grey_autoencoder,
    "quantiles": quantiles,
    "ranking_without_biases": ranking_without_biases,
    "directions_on_a_circle": directions_on_a_circle,
    "rare_pixels": rare_pixels,
    "one_row_a_step": one_row_a_step,
}
