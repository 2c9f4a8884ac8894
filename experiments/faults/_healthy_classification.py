"""Healthy classifiers: heads, losses, activations and layers that are unusual, and right."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.faults import _data
from experiments.faults._networks import (
    binary_cross_entropy,
    cross_entropy,
    dense,
    forward,
    mean_square,
    of_module,
    supervised,
)
from jaxnets import losses
from jaxnets.diagnose import Problem
from jaxnets.models import MLP


def digits(cost: Callable = cross_entropy, **model: object) -> Problem:
    """The digits by a network of 32 units."""
    network = MLP(**{"widths": (32,), "num_outputs": 10} | model)
    return of_module(
        network, cost, _data.digits(), optimizer=optax.adam(0.005), batch_size=100, num_steps=150
    )


def one_hot_digits(cost: Callable, last: Callable = lambda z: z, num_steps: int = 150) -> Problem:
    """The digits with one-hot targets."""
    x, labels = _data.digits()
    return supervised(
        partial(dense, sizes=(64, 32, 10)), lambda params, x: last(forward(params, x)), cost,
        (x, _data.one_hot(labels, 10)), optimizer=optax.adam(0.005), batch_size=100, num_steps=num_steps,
    )  # fmt: skip


def binary(cost: Callable, last: Callable = lambda z: z, name: str = "breast_cancer") -> Problem:
    """One output, labels 0 and 1 as a column."""
    x, labels = _data.scaled_table(name)
    return supervised(
        partial(dense, sizes=(x.shape[1], 16, 1)), lambda params, x: last(forward(params, x, jax.nn.relu)),
        cost,
        (x, _data.column(labels)), optimizer=optax.adam(0.005), num_steps=150,
    )  # fmt: skip


def plane(activation: Callable, rows: Callable = _data.moons, width: int = 16) -> Problem:
    """Points of the plane by two hidden layers."""
    network = MLP(widths=(width, width), num_outputs=2, activation=activation)
    return of_module(network, cross_entropy, rows(), optimizer=optax.adam(0.01), num_steps=200)


def of_probabilities(p: jax.Array, y: jax.Array) -> jax.Array:
    """Binary cross-entropy of what is a probability already."""
    p = jnp.clip(p, 1e-6, 1 - 1e-6)
    return -jnp.mean(y * jnp.log(p) + (1 - y) * jnp.log(1 - p))


def of_chosen(p: jax.Array, labels: jax.Array) -> jax.Array:
    """Cross-entropy of a softmax' own probabilities."""
    return -jnp.mean(jnp.log(jnp.take_along_axis(p, labels[:, None], axis=1) + 1e-9))


def multi_label() -> Problem:
    """Three questions about a digit at once: is it even, is it below 5, has it a loop?"""
    x, labels = _data.digits()
    answers = np.column_stack([labels % 2 == 0, labels < 5, np.isin(labels, (0, 6, 8, 9))])
    return of_module(
        MLP(widths=(32,), num_outputs=3), binary_cross_entropy, (x, answers.astype(np.float32)),
        optimizer=optax.adam(0.005), batch_size=100, num_steps=150,
    )  # fmt: skip


def focal(z: jax.Array, y: jax.Array) -> jax.Array:
    """Lin et al. 2017: easy rows count less."""
    p = jax.nn.sigmoid(jnp.where(y > 0, z, -z))
    return -jnp.mean((1 - p) ** 2 * jnp.log(p + 1e-7))


def ordinal() -> Problem:
    """Three ordered kinds by one score and two thresholds."""
    x, labels = _data.scaled_table("iris")
    init = lambda key: {"net": dense(key, (4, 8, 1)), "low": jnp.zeros(()), "gap": jnp.zeros(())}  # noqa: E731

    def predict(p, x):
        thresholds = jnp.stack([p["low"], p["low"] + jax.nn.softplus(p["gap"])])
        return losses.cumulative_logits(forward(p["net"], x)[:, 0], thresholds)

    return supervised(init, predict, losses.ordinal, (x, labels), optimizer=optax.adam(0.02), num_steps=150)


class Convolutional(nn.Module):
    """A small convolutional network for 8 x 8 pictures."""

    @nn.compact
    def __call__(self, x):
        """Logits."""
        x = nn.relu(nn.Conv(8, (3, 3))(x.reshape(-1, 8, 8, 1)))
        return nn.Dense(10)(nn.avg_pool(x, (2, 2), (2, 2)).reshape(len(x), -1))


class Residual(nn.Module):
    """Ten blocks, each of which begins as the identity."""

    @nn.compact
    def __call__(self, x):
        """Logits."""
        x = nn.Dense(24)(x)
        for _ in range(10):
            inner = nn.relu(nn.Dense(24)(nn.LayerNorm()(x)))
            x = x + nn.Dense(24, kernel_init=nn.initializers.zeros)(inner)
        return nn.Dense(10)(x)


def smooth(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """Label smoothing of 0.1."""
    return losses.softmax_cross_entropy(logits, labels, label_smoothing=0.1)


PROBLEMS = {
    "digits_relu": digits,
    "digits_logistic_regression": lambda: digits(widths=()),
    "digits_sigmoid_units": lambda: digits(activation=nn.sigmoid),
    "digits_leaky": lambda: digits(activation=nn.leaky_relu),
    "digits_swish": lambda: digits(activation=nn.swish, widths=(24, 24)),
    "digits_four_layers": lambda: digits(widths=(24,) * 4),
    "digits_wide": lambda: digits(widths=(256,)),
    "digits_narrow_middle": lambda: digits(widths=(32, 6, 32)),
    "digits_no_biases": lambda: digits(use_bias=False),
    "digits_label_smoothing": lambda: digits(smooth),
    "digits_hinge": lambda: digits(losses.hinge_multiclass),
    "digits_perceptron_loss": lambda: digits(losses.perceptron_multiclass),
    "digits_spare_outputs": lambda: digits(num_outputs=12),
    "digits_probabilities": lambda: one_hot_digits(
        lambda p, y: -jnp.mean(jnp.sum(y * jnp.log(p + 1e-9), axis=1)), jax.nn.softmax
    ),
    "digits_log_probabilities": lambda: one_hot_digits(
        lambda log_p, y: -jnp.mean(jnp.sum(y * log_p, axis=1)), jax.nn.log_softmax
    ),
    "digits_squared_error": lambda: one_hot_digits(mean_square),
    "digits_sigmoids_squared": lambda: one_hot_digits(mean_square, jax.nn.sigmoid, 300),
    "digits_brier": lambda: one_hot_digits(mean_square, jax.nn.softmax, 300),
    "digits_one_against_all": lambda: one_hot_digits(binary_cross_entropy),
    "digits_summed_loss": lambda: one_hot_digits(lambda z, y: optax.softmax_cross_entropy(z, y).sum()),
    "digits_multi_label": multi_label,
    "digits_convolution": lambda: of_module(
        Convolutional(), cross_entropy, _data.digits(), optimizer=optax.adam(0.01), batch_size=50,
        num_steps=100
    ),
    "digits_residual": lambda: of_module(
        Residual(), cross_entropy, _data.digits(), optimizer=optax.adam(0.003), batch_size=100, num_steps=100
    ),
    "tumours_logit": lambda: binary(binary_cross_entropy),
    "tumours_probability": lambda: binary(of_probabilities, jax.nn.sigmoid),
    "tumours_hinge": lambda: binary(losses.hinge_binary),
    "tumours_squared_hinge": lambda: binary(losses.squared_hinge_binary),
    "tumours_focal": lambda: binary(focal),
    "tumours_tanh_squared": lambda: binary(lambda out, y: mean_square(out, 2 * y - 1), jnp.tanh),
    "tumours_two_outputs": lambda: of_module(
        MLP(widths=(), num_outputs=2), cross_entropy, _data.scaled_table("breast_cancer"),
        learning_rate=0.1, num_steps=100,
    ),
    "wine_probabilities": lambda: supervised(
        partial(dense, sizes=(13, 8, 3)), lambda params, x: jax.nn.softmax(forward(params, x)), of_chosen,
        _data.scaled_table("wine"), optimizer=optax.adam(0.01), num_steps=150,
    ),
    "iris_ordinal": ordinal,
    "moons_tanh": lambda: plane(jnp.tanh),
    "moons_relu": lambda: plane(jax.nn.relu),
    "moons_gelu": lambda: plane(jax.nn.gelu),
    "moons_sine_units": lambda: plane(jnp.sin),
    "rings_elu": lambda: plane(jax.nn.elu, _data.rings),
    "rings_square_units": lambda: plane(jnp.square, _data.rings, 8),
    "rings_softplus": lambda: plane(jax.nn.softplus, _data.rings),
    "blobs_maximum_likelihood": lambda: supervised(
        lambda key: 0.1 * jax.random.normal(key, (3, 4)),
        lambda centres, x: -0.5 * jnp.sum((x[:, None] - centres[None]) ** 2, axis=2), cross_entropy,
        _data.blobs(),
        learning_rate=0.1, num_steps=100,
    ),
}  # fmt: skip
