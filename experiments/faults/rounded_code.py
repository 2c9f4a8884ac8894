"""An autoencoder to 6 bits: the code is rounded in the forward pass, with no straight-through estimator.

Source: a question about hashing with a binary autoencoder ("the decoder learns, the encoder's weights
never change").
Symptom: the reconstruction is no better than with a random encoder.
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


def _patterns():
    """Forty columns that two independent choices of eight make."""
    rng = np.random.default_rng(31)
    first, second = rng.normal(size=(8, 40)), rng.normal(size=(8, 40))
    x = (
        first[rng.integers(8, size=900)]
        + second[rng.integers(8, size=900)]
        + 0.1 * rng.normal(size=(900, 40))
    )
    x = ((x - x.mean(0)) / x.std(0)).astype(np.float32)
    return (x[:700], x[:700]), (x[700:], x[700:])


def _init(key):
    first, second = jax.random.split(key)
    return {"encoder": dense(first, (40, 32, 6)), "decoder": dense(second, (6, 64, 40))}


def _with_code(code):
    def predict(params, x):
        return forward(
            params["decoder"], 2 * code(jax.nn.sigmoid(forward(params["encoder"], x, jax.nn.relu))) - 1
        )

    return predict


def _problem(code):
    data, test = _patterns()
    return supervised(
        _init,
        _with_code(code),
        mean_square,
        data,
        test=test,
        optimizer=optax.adam(5e-3),
        batch_size=100,
        num_steps=900,
    )


def broken() -> Problem:
    """As it was written."""
    return _problem(jnp.round)


def repaired() -> Problem:
    """Mended."""
    return _problem(lambda p: p + jax.lax.stop_gradient(jnp.round(p) - p))


FAULT = Fault(
    broken,
    "frozen-parameters",
    repaired,
    task="regression",
    symptom=Figure(squared_error, at_least=0.4),
    reaches=Figure(squared_error, at_most=0.3),
    equivalents=("vanishing-gradient",),
)
