"""optax.masked to leave the biases out of Adam and weight decay; what is masked out passes unchanged.

Source: a tracker issue of optax ("masked parameters are not frozen, they blow up").
Symptom: the loss falls for some steps and then grows without end.
"""

from __future__ import annotations

import jax
import numpy as np
import optax

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import not_finite, squared_error
from experiments.faults._networks import dense, forward, mean_square, supervised
from jaxnets.diagnose import Problem


def _strength():
    """Strength of a mix of ten parts, standardised."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=(600, 10)).astype(np.float32)
    y = x[:, 0] * x[:, 1] + np.abs(x[:, 2]) + 0.7 * x[:, 3] - 0.5 * x[:, 4] + 0.1 * rng.normal(size=600)
    y = ((y - y[:500].mean()) / y[:500].std()).astype(np.float32)[:, None]
    return (x[:500], y[:500]), (x[500:], y[500:])


def _weights(params):
    return jax.tree.map(lambda leaf: leaf.ndim == 2, params)


def _biases(params):
    return jax.tree.map(lambda leaf: leaf.ndim == 1, params)


def _problem(optimizer):
    data, test = _strength()
    return supervised(
        lambda key: dense(key, (10, 40, 1)),
        lambda params, x: forward(params, x, jax.nn.tanh),
        mean_square,
        data,
        test=test,
        optimizer=optimizer,
        batch_size=50,
        num_steps=800,
    )


def broken() -> Problem:
    """As it was written."""
    return _problem(optax.masked(optax.adamw(1e-2, weight_decay=1e-2), _weights))


def repaired() -> Problem:
    """Mended."""
    return _problem(
        optax.chain(
            optax.masked(optax.adamw(1e-2, weight_decay=1e-2), _weights),
            optax.masked(optax.adam(1e-2), _biases),
        )
    )


FAULT = Fault(
    broken,
    "update-ascends",
    repaired,
    task="regression",
    symptom=Figure(not_finite, at_least=1),
    reaches=Figure(squared_error, at_most=0.25),
)
