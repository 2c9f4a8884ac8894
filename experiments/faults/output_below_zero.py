"""A forecast of standardised temperatures whose last layer ends with a ReLU like all the others.

Source: questions about a forecast that follows the summers and is flat in the winters.
Symptom: nothing below the mean is ever predicted.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import outputs, squared_error
from experiments.faults._networks import mean_square, supervised
from jaxnets.diagnose import Problem


def days():
    """Ten days and the next, of two years of temperatures, standardised."""
    day = np.arange(730)
    noise = 0.2 * np.random.default_rng(4).normal(size=730)
    series = np.sin(2 * np.pi * day / 365) + 0.4 * np.sin(2 * np.pi * day / 30) + noise
    series = ((series - series.mean()) / series.std()).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(series, 11)
    return windows[:, :10], windows[:, 10:]


def init(key):
    """A filter of four days, 12 of them, and a line."""
    one, two = jax.random.split(key)
    return [
        (jax.random.normal(one, (4, 1, 12)) / 2, jnp.zeros(12)),
        (jax.random.normal(two, (84, 1)) / 9, jnp.full(1, 0.5)),
    ]


def linear(params, x):
    """Convolution over time, ReLU, a line."""
    (filters, shift), (w, b) = params
    found = jax.lax.conv_general_dilated(
        x[..., None], filters, (1,), "VALID", dimension_numbers=("NWC", "WIO", "NWC")
    )
    return jax.nn.relu(found + shift[None, None]).reshape(len(x), -1) @ w + b[None]


def rectified(params, x):
    """With another."""
    return jax.nn.relu(linear(params, x))


def problem(predict) -> Problem:
    """By Adam."""
    training = {"optimizer": optax.adam(0.003), "batch_size": 60, "num_steps": 500}
    return supervised(init, predict, mean_square, days(), **training)


def broken() -> Problem:
    """No cold days."""
    return problem(rectified)


def repaired() -> Problem:
    """Ends with the line."""
    return problem(linear)


FAULT = Fault(
    broken, "targets-outside-range", repaired, task="sequence",
    symptom=Figure(lambda problem, params: outputs(problem, params).min(), at_least=0.0),
    reaches=Figure(squared_error, at_most=0.15),
)  # fmt: skip
