"""A recurrent net with ReLUs whose recurrent matrix has four times the variance of He's, over 24 samples.

Source: a question about recurrent nets with ReLUs ("NaN at the first update unless the sequences are
short").
Symptom: the loss is astronomical at the start and the net never gets near the mean prediction.
"""

from __future__ import annotations

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import optax

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import squared_error
from experiments.faults._networks import mean_square, of_module
from jaxnets.diagnose import Problem

HIDDEN = 24


class Recurrent(nn.Module):
    """A loop of ReLUs."""

    recurrent: nn.initializers.Initializer

    @nn.compact
    def __call__(self, x):
        on = self.param("on", self.recurrent, (HIDDEN, HIDDEN))
        into = nn.Dense(HIDDEN, name="into")(x)
        h = jnp.zeros((x.shape[0], HIDDEN))
        for now in range(x.shape[1]):
            h = nn.relu(into[:, now] + h @ on)
        return nn.Dense(1)(h)


def data():
    """The sum of the samples that are marked."""
    rng = np.random.default_rng(50)
    signal = rng.uniform(0, 1, (800, 24))
    marks = np.zeros((800, 24))
    for row in marks:
        row[rng.choice(24, 2, replace=False)] = 1
    y = (signal * marks).sum(1, keepdims=True)
    x = np.stack([(signal - 0.5) / signal.std(), (marks - marks.mean()) / marks.std()], -1).astype(np.float32)
    y = ((y - y.mean()) / y.std()).astype(np.float32)
    return (x[:600], y[:600]), (x[600:], y[600:])


def problem(recurrent) -> Problem:
    """Either."""
    train, test = data()
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(4e-3))
    return of_module(
        Recurrent(recurrent), mean_square, train, test=test, optimizer=optimizer, batch_size=50, num_steps=900
    )


def broken() -> Problem:
    """As it was written."""
    return problem(nn.initializers.variance_scaling(8.0, "fan_in", "normal"))


def repaired() -> Problem:
    """Mended."""
    return problem(lambda key, shape: jnp.eye(*shape))


FAULT = Fault(
    broken,
    "exploding-gradient",
    repaired,
    task="sequence",
    symptom=Figure(squared_error, at_least=0.8),
    reaches=Figure(squared_error, at_most=0.3),
    equivalents=("initial-loss-off",),
)
