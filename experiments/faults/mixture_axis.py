"""A mixture density network whose mixing weights are normalised with log_softmax over axis 0.

Source: a tracker issue on a port of a mixture density network from Keras, where a layer's axes count
without the batch.
Symptom: the likelihood on new rows is far from the one reported, and changes with how many rows are
asked at once.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.faults._fault import Fault, Figure
from experiments.faults._networks import dense, forward
from jaxnets.diagnose import Problem

PARTS = 3


def _branches():
    """Two branches; which one a row takes depends on the inputs."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(1000, 2)).astype(np.float32)
    upper = rng.random(1000) < 1 / (1 + np.exp(-5 * x[:, 0] - 2 * x[:, 1]))
    y = np.where(upper, 1.0 + 0.3 * x[:, 1], -1.0 - 0.3 * np.sin(2 * x[:, 0])) + 0.15 * rng.normal(size=1000)
    y = ((y - y.mean()) / y.std()).astype(np.float32)[:, None]
    return (x[:800], y[:800]), (x[800:], y[800:])


def _mixture(axis):
    def predict(params, x):
        raw = forward(params, x)
        log_weight = jax.nn.log_softmax(raw[:, :PARTS], axis=axis)
        return jnp.concatenate([log_weight, raw[:, PARTS:]], axis=1)

    return predict


def _negative_log_likelihood(out, y):
    log_weight, mean, log_scale = jnp.split(out, 3, axis=1)
    log_scale = jnp.maximum(log_scale, -3.0)
    part = -0.5 * ((y - mean) / jnp.exp(log_scale)) ** 2 - log_scale - 0.5 * jnp.log(2 * jnp.pi)
    return -jnp.mean(jax.nn.logsumexp(log_weight + part, axis=1))


def mean_by_row(problem, params):
    """Squared error of the mixture's mean, rows asked one at a time, in units of the targets' variance."""
    x, y = map(jnp.asarray, problem.test)
    out = jax.vmap(lambda x: problem.predict(params, x[None])[0])(x)
    weight = jax.nn.softmax(out[:, :PARTS], axis=1)
    mean = (weight * out[:, PARTS : 2 * PARTS]).sum(axis=1, keepdims=True)
    return float(jnp.mean((mean - y) ** 2) / jnp.var(y))


def _problem(axis):
    data, test = _branches()
    predict = _mixture(axis)
    return Problem(
        lambda key: dense(key, (2, 24, 3 * PARTS)),
        predict,
        lambda params, x, y: _negative_log_likelihood(predict(params, x), y),
        data,
        test=test,
        optimizer=optax.adam(1e-2),
        batch_size=100,
        num_steps=600,
    )


def broken() -> Problem:
    """As it was written."""
    return _problem(axis=0)


def repaired() -> Problem:
    """Mended."""
    return _problem(axis=1)


FAULT = Fault(
    broken,
    "batch-dependence",
    repaired,
    task="regression",
    symptom=Figure(mean_by_row, at_least=0.5),
    reaches=Figure(mean_by_row, at_most=0.35),
    equivalents=("single-batch-mismatch",),
)
