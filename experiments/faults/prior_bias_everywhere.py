"""A bias of -log((1 - p) / p) for rare positives, meant for the last layer; set for every layer.

Source: a tracker of a detection library (initialising the head with a prior).
Symptom: the net says "background" with the prior's probability for every image, from the first step to
the last.
"""

from __future__ import annotations

import flax.linen as nn
import numpy as np
import optax

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import outputs
from experiments.faults._networks import binary_cross_entropy, of_module
from jaxnets.diagnose import Problem

PRIOR = nn.initializers.constant(float(-np.log((1 - 0.02) / 0.02)))


class Detector(nn.Module):
    """Three hidden layers."""

    inner: nn.initializers.Initializer

    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Conv(8, (3, 3), strides=(2, 2), bias_init=self.inner)(x))
        x = nn.relu(nn.Conv(16, (3, 3), bias_init=self.inner)(x))
        x = nn.relu(nn.Dense(16, bias_init=self.inner)(x.reshape(x.shape[0], -1)))
        return nn.Dense(1, bias_init=PRIOR)(x)


def data():
    """One image in ten has a bright cross."""
    rng = np.random.default_rng(17)
    x = rng.normal(size=(1000, 8, 8, 1))
    y = np.zeros((1000, 1), np.float32)
    y[::10] = 1
    for row in range(0, 1000, 10):
        at = rng.integers(2, 6, 2)
        x[row, at[0], at[1] - 2 : at[1] + 3] += 2.5
        x[row, at[0] - 2 : at[0] + 3, at[1]] += 2.5
    order = rng.permutation(1000)
    x = ((x - x.mean()) / x.std()).astype(np.float32)[order]
    y = y[order]
    return (x[:700], y[:700]), (x[700:], y[700:])


def recall(problem, params) -> float:
    """Of the rare class."""
    found, true = outputs(problem, params) > 0, problem.test.targets > 0.5
    return float((found & true).sum() / true.sum())


def problem(inner) -> Problem:
    """Either."""
    train, test = data()
    return of_module(
        Detector(inner),
        binary_cross_entropy,
        train,
        test=test,
        optimizer=optax.adam(2e-3),
        batch_size=50,
        num_steps=400,
    )


def broken() -> Problem:
    """As it was written."""
    return problem(PRIOR)


def repaired() -> Problem:
    """Mended."""
    return problem(nn.initializers.zeros_init())


FAULT = Fault(
    broken,
    "dead-units",
    repaired,
    task="classification",
    symptom=Figure(recall, at_most=0.1),
    reaches=Figure(recall, at_least=0.7),
)
