"""The derivative of the sigmoid, taken of what is a sigmoid already, and a gradient summed over 4,123 rows.

Source: a question about a 2-2-1 network without biases for XOR, 4,123 noisy rows, rate 1.
Symptom: weights near -10,000, output 0.5 everywhere.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from experiments.faults._data import column
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import largest_weight, outputs, sided
from experiments.faults._networks import supervised
from jaxnets.diagnose import Problem


def rows():
    """Noisy corners of the unit square."""
    generator = np.random.default_rng(0)
    corners = generator.integers(0, 2, (4123, 2))
    x = corners + 0.1 * generator.normal(size=corners.shape)
    return x.astype(np.float32), column(corners[:, 0] ^ corners[:, 1])


def init(key):
    """Uniform in [-1, 1]."""
    one, two = jax.random.split(key)
    return {
        "w1": jax.random.uniform(one, (2, 2), minval=-1, maxval=1),
        "w2": jax.random.uniform(two, (2, 1), minval=-1, maxval=1),
    }


def predict(p, x):
    """Two layers of sigmoids."""
    return jax.nn.sigmoid(jax.nn.sigmoid(x @ p["w1"]) @ p["w2"])


def loss(p, x, y):
    """Half of the summed squares."""
    return 0.5 * jnp.sum((y - predict(p, x)) ** 2)


def derivative(z):
    """Of the sigmoid at z."""
    return jax.nn.sigmoid(z) * (1 - jax.nn.sigmoid(z))


def gradient(p, x, y):
    """The derivative is given the activations."""
    hidden = jax.nn.sigmoid(x @ p["w1"])
    out = jax.nn.sigmoid(hidden @ p["w2"])
    delta2 = (out - y) * derivative(out)
    delta1 = delta2 @ p["w2"].T * derivative(hidden)
    return {"w1": x.T @ delta1, "w2": hidden.T @ delta2}


def broken() -> Problem:
    """As asked."""
    return Problem(init, predict, loss, rows(), gradient=gradient, learning_rate=1.0, num_steps=500)


def start_with_biases(key):
    """Four hidden units, the constant as a third input."""
    one, two = jax.random.split(key)
    return {"w1": jax.random.normal(one, (3, 4)), "w2": jax.random.normal(two, (5, 1))}


def logits(p, x):
    """With a column of ones before each layer."""
    ones = jnp.ones((len(x), 1))
    hidden = jnp.tanh(jnp.hstack([x, ones]) @ p["w1"])
    return jnp.hstack([hidden, ones]) @ p["w2"]


def repaired() -> Problem:
    """jax's gradient of a mean cross-entropy, biases."""
    cost = lambda z, y: jnp.mean(jax.nn.softplus(z) - y * z)  # noqa: E731
    return supervised(start_with_biases, logits, cost, rows(), learning_rate=1.0, num_steps=1500)


def at_half(problem, params):
    """Share of outputs that are 0.5, where weights are near -10,000; the others have two negative inputs."""
    found = np.mean(np.abs(outputs(problem, params) - 0.5) < 0.01)
    return found if largest_weight(problem, params) > 5000 else float("nan")


FAULT = Fault(
    broken, "wrong-gradient", repaired, task="classification", equivalents=("step-too-large",),
    symptom=Figure(at_half, at_least=0.8), reaches=Figure(sided(0.0), at_least=0.95),
)  # fmt: skip
