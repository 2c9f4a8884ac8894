"""Healthy problems that begin in an odd way: zeros, orthogonal or tiny weights, BatchNorm."""

from __future__ import annotations

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from experiments.faults import _data
from experiments.faults._networks import cross_entropy, dense, forward, mean_square, of_module, supervised
from jaxnets.diagnose import Problem
from jaxnets.models import MLP

TRAINING = {"optimizer": optax.adam(0.005), "batch_size": 100, "num_steps": 150}


def digits(**model: object) -> Problem:
    """The digits by a flax network."""
    network = MLP(**{"widths": (32,), "num_outputs": 10} | model)
    return of_module(network, cross_entropy, _data.digits(), **TRAINING)


def changed(
    change: Callable, sizes: tuple[int, ...] = (64, 32, 10), activation: Callable = jnp.tanh
) -> Problem:
    """The digits by layers whose beginning is changed."""
    return supervised(
        lambda key: change(dense(key, sizes)), lambda params, x: forward(params, x, activation),
        cross_entropy,
        _data.digits(), **TRAINING,
    )  # fmt: skip


def zero_head(params: list) -> list:
    """The last layer is 0."""
    return [*params[:-1], jax.tree.map(jnp.zeros_like, params[-1])]


def linear_zeros() -> Problem:
    """A single layer of zeros: convex, so there is no symmetry to break."""
    zeros = lambda key: jax.tree.map(jnp.zeros_like, dense(key, (13, 3)))  # noqa: E731
    return supervised(
        zeros, forward, cross_entropy, _data.scaled_table("wine"), learning_rate=0.3, num_steps=80
    )


class Normalised(nn.Module):
    """Layers of normalisation over the features of each row, before each activation."""

    norm: Callable
    widths: tuple[int, ...] = (32, 32)

    @nn.compact
    def __call__(self, x):
        """Logits."""
        for width in self.widths:
            x = nn.relu(self.norm()(nn.Dense(width, use_bias=False)(x)))
        return nn.Dense(10)(x)


def batch_norm(scale: float) -> Problem:
    """BatchNorm whose loss uses the batch, and whose predictions use the moments of all training rows."""
    x, labels = _data.digits()
    x = scale * x

    def init(key):
        params = dense(key, (64, 32, 10))
        return {"layers": params, "scale": jnp.ones((1, 32)), "shift": jnp.zeros((1, 32))}

    def logits(p, x, moments):
        z = x @ p["layers"][0]["w"]
        mean, variance = moments(z, p)
        normal = (z - mean) / jnp.sqrt(variance + 1e-5)
        hidden = jax.nn.relu(p["scale"] * normal + p["shift"])
        return hidden @ p["layers"][1]["w"] + p["layers"][1]["b"][None]

    def of_all(z, p):
        known = x @ p["layers"][0]["w"]
        return known.mean(axis=0, keepdims=True), known.var(axis=0, keepdims=True)

    def of_batch(z, p):
        return z.mean(axis=0, keepdims=True), z.var(axis=0, keepdims=True)

    def init_without(key):
        params = init(key)
        return params | {"layers": [{"w": params["layers"][0]["w"]}, params["layers"][1]]}

    return Problem(
        init_without, lambda p, x: logits(p, x, of_all),
        lambda p, x, labels: cross_entropy(logits(p, x, of_batch), labels), (x, labels), **TRAINING,
    )  # fmt: skip


def deep(activation: Callable, kernel_init: Callable, depth: int = 8) -> Problem:
    """Many layers of 24."""
    return digits(widths=(24,) * depth, activation=activation, kernel_init=kernel_init)


def price_as_bias() -> Problem:
    """The last bias begins at the mean of targets that are far from 0."""
    x, prices = _data.scaled_table("boston")
    model = MLP(widths=(16,), num_outputs=1, bias_init=nn.initializers.zeros)
    plain = of_module(
        model, mean_square, (x, _data.column(prices)), optimizer=optax.adam(0.02), num_steps=200
    )

    def init(key):
        params = plain.init(key)
        return params | {"Dense_1": params["Dense_1"] | {"bias": jnp.full(1, 22.5)}}

    return plain.replace(init=init)


def rare_class_bias() -> Problem:
    """One row in ten is of class 1, and the bias begins at log(1 / 9)."""
    x, labels = _data.digits()
    y = _data.column(labels == 3)
    init = lambda key: [{"w": 0.01 * jax.random.normal(key, (64, 1)), "b": jnp.full(1, -2.2)}]  # noqa: E731
    cost = lambda z, y: optax.sigmoid_binary_cross_entropy(z, y).mean()  # noqa: E731
    return supervised(init, forward, cost, (x, y), optimizer=optax.adam(0.01), num_steps=150)


PROBLEMS = {
    "start_zero_head": lambda: changed(zero_head),
    "start_zero_head_relu": lambda: changed(zero_head, activation=jax.nn.relu),
    "start_linear_zeros": linear_zeros,
    "start_tenth": lambda: changed(lambda params: jax.tree.map(lambda w: 0.1 * w, params)),
    "start_double": lambda: changed(lambda params: jax.tree.map(lambda w: 2 * w, params)),
    "start_small_biases": lambda: digits(bias_init=nn.initializers.constant(0.1)),
    "start_orthogonal": lambda: digits(kernel_init=nn.initializers.orthogonal()),
    "start_uniform": lambda: digits(kernel_init=nn.initializers.uniform(0.2)),
    "start_sparse": lambda: changed(
        lambda params: [{"w": jnp.where(jnp.abs(p["w"]) > 0.1, p["w"], 0), "b": p["b"]} for p in params]
    ),
    "deep_tanh": lambda: deep(nn.tanh, nn.initializers.glorot_normal()),
    "deep_relu_he": lambda: deep(nn.relu, nn.initializers.he_normal()),
    "deep_selu": lambda: deep(nn.selu, nn.initializers.lecun_normal()),
    "deep_tanh_orthogonal": lambda: deep(nn.tanh, nn.initializers.orthogonal(), 6),
    "batch_norm_by_hand": lambda: batch_norm(1.0),
    "batch_norm_unscaled_inputs": lambda: batch_norm(255.0),
    "layer_norm": lambda: of_module(Normalised(nn.LayerNorm), cross_entropy, _data.digits(), **TRAINING),
    "group_norm": lambda: of_module(
        Normalised(lambda: nn.GroupNorm(num_groups=4)), cross_entropy, _data.digits(), **TRAINING
    ),
    "mean_price_as_bias": price_as_bias,
    "rare_class_bias": rare_class_bias,
}
