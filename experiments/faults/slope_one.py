"""A two-layer autoencoder on a curved sheet with a leaky relu by hand whose "slope" is the keep factor: 1.0.

Source: a forum, "my deep autoencoder is never better than PCA".
Symptom: the reconstruction is exactly that of two principal components.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import squared_error
from experiments.faults._networks import dense, forward, mean_square, supervised
from jaxnets.diagnose import Problem


def _sheet():
    """Twelve sensors that depend on two hidden numbers, not linearly."""
    rng = np.random.default_rng(40)
    t = rng.uniform(-1, 1, size=(900, 2))
    a, b, turn = rng.normal(size=(1, 12)), rng.normal(size=(1, 12)), rng.uniform(0, 6, size=(1, 12))
    x = np.sin(3 * (t[:, :1] * a + t[:, 1:] * b) / 1.4 + turn) + 0.03 * rng.normal(size=(900, 12))
    x = ((x - x.mean(0)) / x.std(0)).astype(np.float32)
    return (x[:700], x[:700]), (x[700:], x[700:])


def leaky(slope):
    """max(0, x) plus so much of what is below."""
    return lambda x: jnp.maximum(x, 0) + slope * jnp.minimum(x, 0)


def _init(key):
    first, second = jax.random.split(key)
    return {"encoder": dense(first, (12, 48, 48, 2)), "decoder": dense(second, (2, 48, 48, 12))}


def _problem(slope):
    data, test = _sheet()
    act = leaky(slope)

    def predict(params, x):
        return forward(params["decoder"], forward(params["encoder"], x, act), act)

    return supervised(
        _init,
        predict,
        mean_square,
        data,
        test=test,
        optimizer=optax.adam(optax.cosine_decay_schedule(6e-3, 1000)),
        batch_size=100,
        num_steps=1000,
    )


def broken() -> Problem:
    """As it was written."""
    return _problem(1.0)


def repaired() -> Problem:
    """Mended."""
    return _problem(0.1)


FAULT = Fault(
    broken,
    "linear-network",
    repaired,
    task="regression",
    symptom=Figure(squared_error, at_least=0.4),
    reaches=Figure(squared_error, at_most=0.25),
)
