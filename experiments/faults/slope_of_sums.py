"""A network by hand; the derivative of tanh is 1 - z ** 2 with the sums z, not the activations.

Source: a question with a network in NumPy ("numerical check is off only in the first layers").
Symptom: the error falls a little, then everything is NaN; the output layer's gradient is right.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import not_finite, squared_error
from experiments.faults._networks import dense, forward, mean_square
from jaxnets.diagnose import Problem


def _concrete():
    rng = np.random.default_rng(17)
    x = rng.normal(size=(700, 8)).astype(np.float32)
    y = np.stack([np.sin(1.5 * x[:, 0]) + 0.5 * x[:, 1], x[:, 2] * x[:, 3] - 0.5 * x[:, 4]], 1)
    y = ((y - y.mean(0)) / y.std(0)).astype(np.float32)
    return (x[:550], y[:550]), (x[550:], y[550:])


def _gradient_with(slope):
    def gradient(params, x, y):
        first, second, third = params
        z1 = x @ first["w"] + first["b"][None]
        a1 = jnp.tanh(z1)
        z2 = a1 @ second["w"] + second["b"][None]
        a2 = jnp.tanh(z2)
        d3 = 2 * (a2 @ third["w"] + third["b"][None] - y) / y.size
        d2 = d3 @ third["w"].T * slope(z2, a2)
        d1 = d2 @ second["w"].T * slope(z1, a1)
        return [
            {"w": x.T @ d1, "b": d1.sum(0)},
            {"w": a1.T @ d2, "b": d2.sum(0)},
            {"w": a2.T @ d3, "b": d3.sum(0)},
        ]

    return gradient


def _problem(slope):
    data, test = _concrete()
    return Problem(
        lambda key: dense(key, (8, 40, 24, 2), gain=1.3),
        forward,
        lambda params, x, y: mean_square(forward(params, x), y),
        data,
        test=test,
        gradient=_gradient_with(slope),
        learning_rate=0.2,
        batch_size=50,
        num_steps=1000,
    )


def broken() -> Problem:
    """As it was written."""
    return _problem(lambda z, a: 1 - z**2)


def repaired() -> Problem:
    """Mended."""
    return _problem(lambda z, a: 1 - a**2)


FAULT = Fault(
    broken,
    "wrong-gradient",
    repaired,
    task="regression",
    symptom=Figure(not_finite, at_least=1),
    reaches=Figure(squared_error, at_most=0.35),
)
