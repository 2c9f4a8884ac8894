"""Survival with censoring: the exponential model's log-likelihood is returned as the loss, and minimised.

Source: a course forum on survival analysis; the person copied the formula of the log-likelihood from
the slides.
Symptom: the "loss" falls and falls, and the hazards are infinite or nothing.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import optax

from experiments.faults._fault import Fault, Figure
from experiments.faults._networks import dense, forward
from jaxnets.diagnose import Problem


def _patients():
    rng = np.random.default_rng(11)
    x = rng.normal(size=(800, 6)).astype(np.float32)
    log_hazard = -0.3 + 1.0 * x[:, 0] - 0.8 * x[:, 1] + 0.7 * np.sin(2 * x[:, 2])
    time = rng.exponential(np.exp(-log_hazard))
    end = rng.uniform(0.5, 4, 800)
    y = np.stack([np.minimum(time, end), time <= end], 1).astype(np.float32)
    return (x[:600], y[:600]), (x[600:], y[600:])


def _log_likelihood(params, x, y):
    log_hazard = forward(params, x)[:, 0]
    return jnp.mean(y[:, 1] * log_hazard - y[:, 0] * jnp.exp(log_hazard))


def concordance(problem, params):
    """Share of comparable pairs in which the one who died earlier has the higher hazard."""
    x, y = problem.test
    risk = np.asarray(problem.predict(params, x)).ravel()
    earlier = (y[:, None, 0] < y[None, :, 0]) & (y[:, None, 1] == 1)
    return float(np.mean((risk[:, None] > risk[None, :])[earlier]))


def _problem(loss):
    data, test = _patients()
    return Problem(
        lambda key: dense(key, (6, 16, 1)),
        forward,
        loss,
        data,
        test=test,
        optimizer=optax.adam(5e-3),
        batch_size=100,
        num_steps=300,
    )


def broken() -> Problem:
    """As it was written."""
    return _problem(_log_likelihood)


def repaired() -> Problem:
    """Mended."""
    return _problem(lambda params, x, y: -_log_likelihood(params, x, y))


FAULT = Fault(
    broken,
    "loss-sign",
    repaired,
    task="regression",
    symptom=Figure(concordance, at_most=0.6),
    reaches=Figure(concordance, at_least=0.7),
    equivalents=("loss-not-minimal-at-target",),
)
