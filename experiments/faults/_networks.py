"""What the faults do not get wrong: networks as pytrees and as flax modules, and their supervised losses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from jaxnets.diagnose import Problem
from jaxnets.types import Array, Key, Params

Cost = Callable[[Array, Array], Array]


def dense(key: Key, sizes: Sequence[int], *, gain: float = 1.0) -> list[dict[str, Array]]:
    """A layer ``{"w", "b"}`` each, weights of deviation ``gain / sqrt(fan in)``, biases 0."""
    keys = jax.random.split(key, len(sizes) - 1)
    return [
        {"w": gain * jax.random.normal(one, (fan_in, width)) / jnp.sqrt(fan_in), "b": jnp.zeros(width)}
        for one, fan_in, width in zip(keys, sizes[:-1], sizes[1:], strict=True)
    ]


def forward(params: Params, x: Array, activation: Callable[[Array], Array] = jnp.tanh) -> Array:
    """Outputs of dense layers with an activation between."""
    for layer in params[:-1]:
        x = activation(x @ layer["w"] + layer["b"][None])
    return x @ params[-1]["w"] + params[-1]["b"][None]


def supervised(
    init: Callable[[Key], Params],
    predict: Callable[[Params, Any], Array],
    cost: Cost,
    data: Any,
    **training: Any,
) -> Problem:
    """A problem that minimises ``cost(predictions, targets)``."""
    return Problem(init, predict, lambda params, x, y: cost(predict(params, x), y), data, **training)


def of_module(model: nn.Module, cost: Cost, data: Any, **training: Any) -> Problem:
    """The same for a flax module without a state besides its params."""
    row = jax.tree.map(lambda leaf: jnp.asarray(leaf[:1]), data[0])
    init = lambda key: model.init(key, row)["params"]  # noqa: E731
    return supervised(init, lambda params, x: model.apply({"params": params}, x), cost, data, **training)


def cross_entropy(logits: Array, labels: Array) -> Array:
    """Softmax, from integer labels."""
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def binary_cross_entropy(logits: Array, targets: Array) -> Array:
    """Sigmoid, all elements."""
    return optax.sigmoid_binary_cross_entropy(logits, targets).mean()


def mean_square(outputs: Array, targets: Array) -> Array:
    """Mean over all elements."""
    return jnp.mean((outputs - targets) ** 2)
