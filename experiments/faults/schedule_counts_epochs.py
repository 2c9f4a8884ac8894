"""A warm-up and cosine schedule whose lengths are given in epochs; optax counts steps.

Source: a discussion of an optimizer library ("learning rate goes to zero immediately").
Symptom: the loss moves in the first epoch and then stays where it is for the rest of the training.
"""

from __future__ import annotations

import flax.linen as nn
import numpy as np
import optax

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import squared_error
from experiments.faults._networks import mean_square, of_module
from jaxnets.diagnose import Problem

EPOCHS, STEPS_AN_EPOCH = 40, 20


class Net(nn.Module):
    """Of two hidden layers."""

    @nn.compact
    def __call__(self, x):
        for width in (48, 48):
            x = nn.silu(nn.Dense(width)(x))
        return nn.Dense(2)(x)


def data():
    """Position of the end of an arm with two joints."""
    rng = np.random.default_rng(8)
    angles = rng.uniform(-1.7, 1.7, (1000, 2))
    first, second = angles[:, :1], angles.sum(1, keepdims=True)
    y = np.hstack([np.cos(first) + np.cos(second), np.sin(first) + np.sin(second)])
    y = ((y - y.mean(0)) / y.std(0)).astype(np.float32)
    x = angles.astype(np.float32)
    return (x[:800], y[:800]), (x[800:], y[800:])


def problem(a_unit) -> Problem:
    """Either."""
    train, test = data()
    schedule = optax.warmup_cosine_decay_schedule(
        init_value=0.0, peak_value=4e-3, warmup_steps=4 * a_unit, decay_steps=EPOCHS * a_unit
    )
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(schedule))
    return of_module(
        Net(),
        mean_square,
        train,
        test=test,
        optimizer=optimizer,
        batch_size=40,
        num_steps=EPOCHS * STEPS_AN_EPOCH,
    )


def broken() -> Problem:
    """As it was written."""
    return problem(1)


def repaired() -> Problem:
    """Mended."""
    return problem(STEPS_AN_EPOCH)


FAULT = Fault(
    broken,
    "step-too-small",
    repaired,
    task="regression",
    symptom=Figure(squared_error, at_least=0.15),
    reaches=Figure(squared_error, at_most=0.02),
    equivalents=("stopped-too-early",),
)
