"""One column of incomes scaled with a Normalizer (each ROW to length 1) where each column was meant.

Source: a course forum on scikit-learn: Normalizer and StandardScaler taken for the same.
Symptom: all predictions are equal, the mean of the targets, from the first epoch to the last.
"""

from __future__ import annotations

import jax
import numpy as np
import optax
from sklearn.preprocessing import Normalizer, StandardScaler

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import squared_error
from experiments.faults._networks import dense, forward, mean_square, supervised
from jaxnets.diagnose import Problem


def _spending(scaler):
    rng = np.random.default_rng(27)
    income = rng.gamma(4, 12.0, size=(500, 1))
    y = 6 * np.sqrt(income) - 8 * (income > 60) + 2 * rng.normal(size=(500, 1))
    scaler.fit(income[:400])
    x = scaler.transform(income).astype(np.float32)
    y = ((y - y[:400].mean()) / y[:400].std()).astype(np.float32)
    return (x[:400], y[:400]), (x[400:], y[400:])


def _problem(scaler):
    data, test = _spending(scaler)
    return supervised(
        lambda key: dense(key, (1, 24, 24, 1), gain=1.2),
        lambda params, x: forward(params, x, jax.nn.elu),
        mean_square,
        data,
        test=test,
        optimizer=optax.adam(5e-3),
        batch_size=40,
        num_steps=500,
    )


def broken() -> Problem:
    """As it was written."""
    return _problem(Normalizer())


def repaired() -> Problem:
    """Mended."""
    return _problem(StandardScaler())


FAULT = Fault(
    broken,
    "inputs-constant",
    repaired,
    task="regression",
    symptom=Figure(squared_error, at_least=0.9),
    reaches=Figure(squared_error, at_most=0.3),
)
