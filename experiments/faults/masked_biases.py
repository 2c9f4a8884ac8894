"""optax.masked to leave biases and scales out of Adam; what is masked out passes as the raw gradient.

Source: a tracker of an optimizer library ("masked does not freeze").
Symptom: the loss of a small flax network rises from the first step on.
"""

from __future__ import annotations

import flax.linen as nn
import jax
import numpy as np
import optax

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import squared_error
from experiments.faults._networks import mean_square, of_module
from jaxnets.diagnose import Problem


class Net(nn.Module):
    """Of two hidden layers."""

    @nn.compact
    def __call__(self, x):
        for width in (32, 32):
            x = nn.gelu(nn.LayerNorm()(nn.Dense(width)(x)))
        return nn.Dense(1)(x)


def kernels(params):
    """Which leaves are decayed."""
    return jax.tree.map(lambda leaf: leaf.ndim > 1, params)


def others(params):
    """Which are not."""
    return jax.tree.map(lambda leaf: leaf.ndim <= 1, params)


def data():
    """Rows to train on and to test with."""
    rng = np.random.default_rng(11)
    x = rng.uniform(-1, 1, (700, 3)).astype(np.float32)
    y = np.sin(3 * x[:, :1]) + x[:, 1:2] * x[:, 2:] + 0.02 * rng.normal(size=(700, 1))
    y = ((y - y.mean()) / y.std()).astype(np.float32)
    return (x[:500], y[:500]), (x[500:], y[500:])


def problem(optimizer) -> Problem:
    """Either."""
    train, test = data()
    return of_module(Net(), mean_square, train, test=test, optimizer=optimizer, batch_size=50, num_steps=600)


def broken() -> Problem:
    """As it was written."""
    return problem(optax.masked(optax.adam(3e-3), kernels))


def repaired() -> Problem:
    """Mended."""
    return problem(
        optax.chain(optax.masked(optax.adam(3e-3), kernels), optax.masked(optax.sgd(0.02), others))
    )


FAULT = Fault(
    broken,
    "update-ascends",
    repaired,
    task="regression",
    symptom=Figure(lambda p, w: float(min(np.nan_to_num(squared_error(p, w), nan=1e9), 1e9)), at_least=0.8),
    reaches=Figure(squared_error, at_most=0.1),
)
