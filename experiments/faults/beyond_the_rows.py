"""A sine learned on [0, 2 pi] and tested on [2 pi, 4 pi], by units that know no period.

Source: the question about ``|sin x|``; Ziyin, Hartwig & Ueda 2020, Neural networks fail to learn periodic
functions.
Symptom: a good fit, and a test error above the variance.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import optax

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import squared_error
from experiments.faults._networks import dense, forward, mean_square, supervised
from jaxnets.diagnose import Problem


def problem(features, sizes) -> Problem:
    """One period to train, the next to test; x less its middle, over its deviation."""
    generator = np.random.default_rng(0)
    x = generator.uniform(0, 2 * np.pi, (300, 1)).astype(np.float32)
    further = x[:100] + np.float32(2 * np.pi)
    return supervised(
        lambda key: dense(key, sizes, gain=1.5),
        lambda params, x: forward(params, features(x)), mean_square, (x, np.sin(x) + 0.3 * np.cos(2 * x)),
        test=(further, np.sin(further) + 0.3 * np.cos(2 * further)), optimizer=optax.adam(0.01),
        num_steps=800,
    )  # fmt: skip


def broken() -> Problem:
    """x itself."""
    return problem(lambda x: (x - jnp.pi) / 1.8, (1, 20, 20, 1))


def repaired() -> Problem:
    """Its place in the period."""
    return problem(lambda x: jnp.hstack([jnp.sin(x), jnp.cos(x)]), (2, 20, 20, 1))


FAULT = Fault(
    broken, "outside-training-range", repaired, task="regression", equivalents=("overfitting",),
    symptom=Figure(squared_error, at_least=1.0), reaches=Figure(squared_error, at_most=0.05),
)  # fmt: skip
