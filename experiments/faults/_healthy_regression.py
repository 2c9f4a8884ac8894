"""Healthy regressions: lines, curves, counts, probabilities, pictures; unusual losses and heads."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.faults import _data
from experiments.faults._networks import dense, forward, mean_square, of_module, supervised
from jaxnets.diagnose import Problem
from jaxnets.models import MLP


def boston(
    cost: Callable = mean_square, *, num_outputs: int = 1, unit: float = 10, **model: object
) -> Problem:
    """House prices, standardised inputs."""
    x, prices = _data.scaled_table("boston")
    network = MLP(**{"widths": (16,), "num_outputs": num_outputs} | model)
    data = (x, _data.column(prices / unit))
    return of_module(network, cost, data, optimizer=optax.adam(0.01), num_steps=200)


def bump(
    last: Callable = lambda z: z, target: Callable = lambda y: y, cost: Callable = mean_square
) -> Problem:
    """A curve by 16 tanh units."""
    x, y = _data.bump()
    return supervised(
        partial(dense, sizes=(1, 16, 1), gain=1.5), lambda params, x: last(forward(params, x)), cost,
        (x, target(y)), optimizer=optax.adam(0.02), num_steps=200,
    )  # fmt: skip


def diabetes(last: Callable, cost: Callable, num_outputs: int = 1) -> Problem:
    """The progression in deviations."""
    x, y = _data.scaled_table("diabetes")
    return supervised(
        partial(dense, sizes=(10, 8, num_outputs)), lambda params, x: last(forward(params, x)), cost,
        (x, _data.column((y - 152) / 77)), optimizer=optax.adam(0.01), num_steps=150,
    )  # fmt: skip


def line(**training: object) -> Problem:
    """A plane by a line of code."""
    init = lambda key: {"w": jnp.zeros((3, 1)), "b": jnp.zeros((1, 1))}  # noqa: E731
    return supervised(init, lambda p, x: x @ p["w"] + p["b"], mean_square, _data.plane(), **training)


def counts() -> Problem:
    """Poisson regression, the logarithm of the mean."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=(300, 2)).astype(np.float32)
    y = _data.column(generator.poisson(np.exp(0.6 * x[:, 0] - 0.3 * x[:, 1] + 1)))
    return supervised(
        partial(dense, sizes=(2, 1)), forward, lambda z, y: jnp.mean(jnp.exp(z) - y * z), (x, y),
        optimizer=optax.adam(0.03), num_steps=150,
    )  # fmt: skip


def normal(out: jax.Array, y: jax.Array) -> jax.Array:
    """Negative log-likelihood of a mean and the logarithm of a variance."""
    mean, log_variance = out[:, :1], out[:, 1:]
    return 0.5 * jnp.mean(log_variance + (y - mean) ** 2 * jnp.exp(-log_variance))


def pinball(out: jax.Array, y: jax.Array) -> jax.Array:
    """The three quartiles at once."""
    level = jnp.array([[0.25, 0.5, 0.75]])
    off = y - out
    return jnp.mean(jnp.maximum(level * off, (level - 1) * off))


def autoencoder(width: int, activation: Callable, last: Callable = lambda z: z) -> Problem:
    """Digits to themselves, through a narrow layer."""
    x, _ = _data.digits(600)
    return supervised(
        partial(dense, sizes=(64, 32, width, 32, 64)), lambda params, x: last(forward(params, x, activation)),
        mean_square, (x, x), optimizer=optax.adam(0.005), batch_size=100, num_steps=200,
    )  # fmt: skip


def principal() -> Problem:
    """A linear autoencoder: two layers without an activation, which is meant."""
    x = _data.scaled_table("wine")[0]
    init = lambda key: {"down": 0.1 * jax.random.normal(key, (13, 3))}  # noqa: E731
    return supervised(init, lambda p, x: x @ p["down"] @ p["down"].T, mean_square, (x, x),
                      learning_rate=0.3, num_steps=150)  # fmt: skip


class Factors(nn.Module):
    """Ratings as products of a user's and an item's numbers."""

    @nn.compact
    def __call__(self, pairs):
        """Ratings."""
        start = nn.initializers.normal(0.3)
        user, item = nn.Embed(30, 3, embedding_init=start), nn.Embed(20, 3, embedding_init=start)
        mean = self.param("mean", nn.initializers.zeros, ())
        return (user(pairs[:, 0]) * item(pairs[:, 1])).sum(axis=1, keepdims=True) + mean


def ratings() -> Problem:
    """Of users and items, half of the table."""
    generator = np.random.default_rng(0)
    cells = generator.permutation(600)[:400]
    pairs = np.column_stack(np.divmod(cells, 20)).astype(np.int32)
    values = 3 + (
        generator.normal(size=(30, 2))[pairs[:, 0]] * generator.normal(size=(20, 2))[pairs[:, 1]]
    ).sum(1)
    return of_module(
        Factors(), mean_square, (pairs, _data.column(values)), optimizer=optax.adam(0.03), num_steps=150
    )


def radial() -> Problem:
    """Fixed Gaussian bumps, and a linear layer on them."""
    x, y = _data.bump()
    centres = jnp.linspace(-1.7, 1.7, 9)[None]
    features = lambda x: jnp.exp(-4 * (x - centres) ** 2)  # noqa: E731
    return supervised(
        partial(dense, sizes=(9, 1)), lambda params, x: forward(params, features(x)), mean_square, (x, y),
        learning_rate=0.3, num_steps=300,
    )  # fmt: skip


def huber(out: jax.Array, y: jax.Array) -> jax.Array:
    """Square near, linear far."""
    return optax.huber_loss(out, y).mean()


def two_outputs() -> Problem:
    """Sine and cosine of one input, with a shared layer."""
    x = np.random.default_rng(0).uniform(-2, 2, (300, 1)).astype(np.float32)
    return supervised(
        partial(dense, sizes=(1, 16, 2), gain=1.5), forward, mean_square, (x, np.hstack([np.sin(x),
        np.cos(x)])),
        optimizer=optax.adam(0.02), num_steps=200,
    )  # fmt: skip


def as_vector() -> Problem:
    """Outputs and targets of shape [n]."""
    x, y = _data.plane()
    return supervised(
        partial(dense, sizes=(3, 8, 1)), lambda params, x: forward(params, x)[:, 0], mean_square, (x, y[:,
        0]),
        learning_rate=0.05, num_steps=200,
    )  # fmt: skip


def through_origin() -> Problem:
    """Resistance: voltage over current, no intercept, which is right."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=(200, 1)).astype(np.float32)
    y = 3 * x + 0.05 * generator.normal(size=(200, 1))
    return supervised(lambda key: jnp.zeros((1, 1)), lambda w, x: x @ w, mean_square, (x, y),
                      learning_rate=0.2, num_steps=50)  # fmt: skip


def whole_years() -> Problem:
    """Many whole numbers as targets: ages, 0 to 90, by the tens."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=(400, 3)).astype(np.float32)
    years = np.clip(np.round(45 + 15 * x[:, 0] + 8 * x[:, 1] + 3 * generator.normal(size=400)), 0, 90)
    return supervised(
        partial(dense, sizes=(3, 16, 1)), forward, mean_square, (x, _data.column((years - 45) / 17)),
        optimizer=optax.adam(0.01), num_steps=200,
    )  # fmt: skip


PROBLEMS = {
    "boston_relu": boston,
    "boston_tanh_two_layers": lambda: boston(widths=(16, 16), activation=nn.tanh),
    "boston_sigmoid": lambda: boston(activation=nn.sigmoid),
    "boston_huber": lambda: boston(huber),
    "boston_absolute": lambda: boston(lambda out, y: jnp.mean(jnp.abs(out - y))),
    "boston_log_cosh": lambda: boston(lambda out, y: optax.log_cosh(out, y).mean()),
    "boston_half_sum": lambda: boston(lambda out, y: 0.5 * jnp.sum((out - y) ** 2)),
    "boston_root": lambda: boston(lambda out, y: jnp.sqrt(jnp.mean((out - y) ** 2) + 1e-8)),
    "boston_gamma": lambda: boston(lambda z, y: jnp.mean(z + y * jnp.exp(-z))),
    "bump_tanh": bump,
    "bump_positive_head": lambda: bump(jax.nn.softplus, lambda y: y - y.min() + 0.1),
    "bump_sigmoid_head": lambda: bump(jax.nn.sigmoid, lambda y: (y - y.min() + 0.2) / (np.ptp(y) + 0.4)),
    "bump_tanh_head": lambda: bump(lambda z: 2 * jnp.tanh(z), lambda y: np.clip(y, -1.5, 1.5)),
    "bump_soft_labels": lambda: bump(
        lambda z: z, lambda y: 1 / (1 + np.exp(-2 * y)), lambda z, y: optax.sigmoid_binary_cross_entropy(z,
        y).mean()
    ),
    "diabetes_normal_likelihood": lambda: diabetes(lambda z: z, normal, 2),
    "diabetes_quartiles": lambda: diabetes(lambda z: z, pinball, 3),
    "diabetes_penalised": lambda: _penalised(),
    "plane_line": lambda: line(learning_rate=0.1, num_steps=60),
    "plane_newton": lambda: line(update=_newton, num_steps=10),
    "plane_normalised_steps": lambda: line(optimizer=optax.chain(optax.normalize_by_update_norm(),
    optax.sgd(0.05)),
                                           num_steps=80),
    "counts_poisson": counts,
    "digits_autoencoder": lambda: autoencoder(8, jax.nn.relu),
    "digits_autoencoder_sigmoid": lambda: autoencoder(8, jnp.tanh, jax.nn.sigmoid),
    "wine_principal_components": principal,
    "ratings_factors": ratings,
    "bump_radial": radial,
    "sine_and_cosine": two_outputs,
    "plane_vector_targets": as_vector,
    "resistance_no_intercept": through_origin,
    "whole_years": whole_years,
}  # fmt: skip


def _penalised() -> Problem:
    """Weight decay in the loss."""
    plain = diabetes(lambda z: z, mean_square)
    squares = lambda params: sum(jnp.sum(layer["w"] ** 2) for layer in params)  # noqa: E731
    return plain.replace(loss=lambda params, x, y: plain.loss(params, x, y) + 0.02 * squares(params))


def _newton(p: dict, x: jax.Array, y: jax.Array) -> dict:
    """Half of the way to the least squares."""
    ones = jnp.hstack([x, jnp.ones((len(x), 1))])
    best = jnp.linalg.solve(ones.T @ ones, ones.T @ y)
    return {"w": 0.5 * (p["w"] + best[:3]), "b": 0.5 * (p["b"] + best[3:])}
