"""The cosine of prediction and target as a loss: 1 is best, and it is minimised.

Source: questions about ``cosine_similarity`` as a loss, which some libraries negate and others do not.
Symptom: the predicted directions point away from the right ones.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import outputs
from experiments.faults._networks import dense, forward, supervised
from jaxnets.diagnose import Problem


def vanes():
    """Wind's direction ``[n, 3]``, by four instruments."""
    generator = np.random.default_rng(14)
    x = generator.normal(size=(300, 4))
    wind = np.tanh(x @ generator.normal(size=(4, 3))) + 0.05 * generator.normal(size=(300, 3))
    return x.astype(np.float32), (wind / np.linalg.norm(wind, axis=1, keepdims=True)).astype(np.float32)


def similarity(out, y):
    """Mean cosine."""
    return optax.cosine_similarity(out, y, epsilon=1e-6).mean()


def problem(cost) -> Problem:
    """By momentum."""
    init = lambda key: dense(key, (4, 20, 3))  # noqa: E731
    predict = lambda params, x: forward(params, x, jax.nn.silu)  # noqa: E731
    return supervised(init, predict, cost, vanes(), optimizer=optax.sgd(0.1, 0.9), num_steps=200)


def broken() -> Problem:
    """As it is."""
    return problem(similarity)


def repaired() -> Problem:
    """One less it."""
    return problem(lambda out, y: 1 - similarity(out, y))


def cosine(problem, params):
    """Mean over rows."""
    return float(similarity(jnp.asarray(outputs(problem, params)), problem.data.targets))


FAULT = Fault(
    broken, "loss-sign", repaired, task="regression", equivalents=("loss-not-minimal-at-target",),
    symptom=Figure(cosine, at_most=-0.8), reaches=Figure(cosine, at_least=0.9),
)  # fmt: skip
