"""Poisson regression by Fisher scoring in NumPy style, the design matrix without its column of ones.

Source: Cross Validated, "why do my coefficients differ from glm()": statsmodels and NumPy add no
constant by themselves.
Symptom: at average inputs exactly 1 is predicted, though the mean count is 12; the coefficients are
swollen.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import squared_error
from jaxnets.diagnose import Problem


def _calls(with_ones):
    rng = np.random.default_rng(12)
    x = rng.normal(size=(600, 4))
    y = rng.poisson(np.exp(2.4 + 0.4 * x[:, 0] - 0.3 * x[:, 1] + 0.2 * x[:, 2])).astype(np.float32)
    if with_ones:
        x = np.concatenate([np.ones((600, 1)), x], axis=1)
    x = x.astype(np.float32)
    return (x[:450], y[:450]), (x[450:], y[450:])


def _predict(params, x):
    return jnp.exp(x @ params)


def _loss(params, x, y):
    eta = x @ params
    return jnp.mean(jnp.exp(eta) - y * eta)


def _scoring(params, x, y):
    mu = _predict(params, x)
    return params + 0.5 * jnp.linalg.solve(x.T @ (mu[:, None] * x), x.T @ (y - mu))


def _problem(with_ones):
    data, test = _calls(with_ones)
    return Problem(
        lambda key: jnp.zeros(data[0].shape[1]),
        _predict,
        _loss,
        data,
        test=test,
        update=_scoring,
        num_steps=60,
    )


def broken() -> Problem:
    """As it was written."""
    return _problem(with_ones=False)


def repaired() -> Problem:
    """Mended."""
    return _problem(with_ones=True)


FAULT = Fault(
    broken,
    "missing-bias",
    repaired,
    task="regression",
    symptom=Figure(squared_error, at_least=1),
    reaches=Figure(squared_error, at_most=0.4),
)
