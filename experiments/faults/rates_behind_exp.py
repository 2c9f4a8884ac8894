"""Bicycle hires an hour: the net ends in ``exp`` as rates are positive, and the hires are standardised, too.

Source: Cross Validated, a small net with a log link.
Symptom: quiet hours are all predicted at about the average, busy hours are right.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import optax

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import squared_error
from experiments.faults._networks import dense, forward, mean_square, supervised
from jaxnets.diagnose import Problem


def problem(standardised: bool) -> Problem:
    """Bicycle hires an hour."""
    rng = np.random.default_rng(41)
    hour, warm, holiday = rng.uniform(0, 24, 700), rng.normal(size=700), rng.random(700) < 0.3
    mean = np.exp(4 + np.sin(2 * np.pi * (hour - 8) / 24) + 0.3 * warm - 0.5 * holiday)
    hires = rng.poisson(mean).astype(float)
    x = np.column_stack(
        [np.sin(2 * np.pi * hour / 24), np.cos(2 * np.pi * hour / 24), warm, (holiday - 0.3) / 0.46]
    )
    x = x / np.array([0.71, 0.71, 1, 1])
    y = (hires - hires.mean()) / hires.std() if standardised else hires / hires.mean()

    def predict(params, x):
        return jnp.exp(forward(params, x))

    return supervised(
        lambda key: dense(key, (4, 20, 1), gain=0.7),
        predict,
        mean_square,
        (x, y[:, None]),
        optimizer=optax.adam(0.01),
        batch_size=70,
        num_steps=600,
    )


def broken() -> Problem:
    """Standardised."""
    return problem(True)


def repaired() -> Problem:
    """Over their mean."""
    return problem(False)


FAULT = Fault(
    broken,
    "targets-outside-range",
    repaired,
    task="regression",
    symptom=Figure(squared_error, at_least=0.2),
    reaches=Figure(squared_error, at_most=0.1),
)
