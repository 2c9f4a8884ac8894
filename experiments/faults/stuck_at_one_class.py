"""Sample by sample without biases, a "Xavier" start that is far too small, softmax' multiplied into (p - y).

Source: a network from scratch, 784-128-64-10, sigmoid layers and a softmax, on MNIST.
Symptom: accuracy stuck at 11.35 %, the share of the digit 1 (the rows here have MNIST's shares).
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import optax

from experiments.faults._data import large_digits, one_hot
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import accuracy
from experiments.faults._networks import dense, forward, supervised
from jaxnets.diagnose import Problem

SHARES = (196, 227, 206, 202, 196, 178, 192, 206, 195, 202)
SIZES = (784, 128, 64, 10)


def init(key):
    """Divided by the sum of both sizes, where its root was meant."""
    keys = jax.random.split(key, 3)
    pairs = zip(keys, SIZES[:-1], SIZES[1:], strict=True)
    return [jax.random.normal(one, (rows, columns)) / (rows + columns) for one, rows, columns in pairs]


def layers(params, x):
    """Activations of all layers."""
    w1, w2, w3 = params
    a1 = jax.nn.sigmoid(x @ w1)
    a2 = jax.nn.sigmoid(a1 @ w2)
    return a1, a2, jax.nn.softmax(a2 @ w3)


def predict(params, x):
    """Probabilities."""
    return layers(params, x)[-1]


def loss(params, x, y):
    """Cross-entropy."""
    return -jnp.mean(jnp.sum(y * jnp.log(predict(params, x) + 1e-9), axis=1))


def gradient(params, x, y):
    """``(p - y)`` is the derivative by the logits already."""
    _, w2, w3 = params
    a1, a2, p = layers(params, x)
    d3 = (p - y) * p * (1 - p) / len(x)
    d2 = d3 @ w3.T * a2 * (1 - a2)
    d1 = d2 @ w2.T * a1 * (1 - a1)
    return [x.T @ d1, a1.T @ d2, a2.T @ d3]


def broken() -> Problem:
    """As asked."""
    x, labels = large_digits(SHARES)
    data = (x, one_hot(labels, 10))
    return Problem(
        init, predict, loss, data, gradient=gradient, learning_rate=0.01, batch_size=1, num_steps=6000
    )


def repaired() -> Problem:
    """Biases, Xavier's deviation, jax's gradient."""
    return supervised(
        lambda key: dense(key, SIZES), lambda params, x: forward(params, x, jax.nn.sigmoid),
        lambda z, y: optax.softmax_cross_entropy(z, y).mean(), broken().data,
        optimizer=optax.adam(0.003), batch_size=50, num_steps=400,
    )  # fmt: skip


FAULT = Fault(
    broken, "wrong-gradient", repaired, task="classification",
    equivalents=("missing-bias", "vanishing-gradient", "identical-units"),
    symptom=Figure(accuracy, at_least=0.1134, at_most=0.1136), reaches=Figure(accuracy, at_least=0.85),
)  # fmt: skip
