"""The weights of every unit drawn by vmap over keys; the keys are one key repeated.

Source: an issue about random numbers in a functional library ("all my neurons are the same").
Symptom: a wide net fits no better than one with a single hidden unit.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import squared_error
from experiments.faults._networks import forward, mean_square, supervised
from jaxnets.diagnose import Problem


def repeated(key, number):
    """One key, many times."""
    return jnp.stack([key] * number)


def layer(keys_of, key, fan_in, width):
    """Drawn unit by unit."""
    unit = lambda one: jax.random.uniform(one, (fan_in,), minval=-1, maxval=1) * jnp.sqrt(3 / fan_in)  # noqa: E731
    return {"w": jax.vmap(unit)(keys_of(key, width)).T, "b": jnp.zeros(width)}


def init_by(keys_of):
    """All layers."""

    def init(key):
        return [layer(keys_of, key, 2, 40), {"w": jnp.zeros((40, 1)), "b": jnp.zeros(1)}]

    return init


def data():
    """Rows to train on and to test with."""
    rng = np.random.default_rng(4)
    x = rng.uniform(-1.7, 1.7, (700, 2)).astype(np.float32)
    y = np.cos(2 * x[:, :1]) * np.sin(1.5 * x[:, 1:]) + 0.3 * x[:, :1] ** 2
    y = ((y - y.mean()) / y.std()).astype(np.float32)
    return (x[:500], y[:500]), (x[500:], y[500:])


def predict(params, x):
    """The network."""
    return forward(params, x, jnp.tanh)


def problem(keys_of) -> Problem:
    """Either."""
    train, test = data()
    return supervised(
        init_by(keys_of),
        predict,
        mean_square,
        train,
        test=test,
        optimizer=optax.sgd(0.05, momentum=0.9),
        batch_size=50,
        num_steps=1000,
    )


def broken() -> Problem:
    """As it was written."""
    return problem(repeated)


def repaired() -> Problem:
    """Mended."""
    return problem(jax.random.split)


FAULT = Fault(
    broken,
    "symmetric-init",
    repaired,
    task="regression",
    symptom=Figure(squared_error, at_least=0.5),
    reaches=Figure(squared_error, at_most=0.05),
    equivalents=("identical-units",),
)
