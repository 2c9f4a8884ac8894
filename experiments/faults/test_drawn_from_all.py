"""A test set of 80 rows drawn from all rows, which are all trained on, too.

Source: questions about a score that is far better than what new rows get; ``df.sample`` without ``df.drop``.
Symptom: the test error is below the noise.
"""

from __future__ import annotations

import jax
import numpy as np
import optax

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import squared_error
from experiments.faults._networks import dense, forward, mean_square, supervised
from jaxnets.diagnose import Problem


def flats():
    """What is known of 320 flats, and their rents: a third of their variance is noise."""
    x = np.random.default_rng(16).normal(size=(320, 20)).astype(np.float32)
    rent = x[:, :1] - x[:, 1:2] + np.random.default_rng(17).normal(size=(320, 1))
    return x, rent.astype(np.float32)


def problem(train_rows) -> Problem:
    """80 rows to test."""
    x, y = flats()
    test = np.random.default_rng(18).permutation(320)[:80]
    kept = train_rows(test)
    init = lambda key: dense(key, (20, 60, 1))  # noqa: E731
    return supervised(
        init, lambda params, x: forward(params, x, jax.nn.relu), mean_square, (x[kept], y[kept]),
        test=(x[test], y[test]), optimizer=optax.adam(0.01), num_steps=150,
    )  # fmt: skip


def broken() -> Problem:
    """All 320 to train on."""
    return problem(lambda test: np.arange(320))


def repaired() -> Problem:
    """The other 240."""
    return problem(lambda test: np.setdiff1d(np.arange(320), test))


FAULT = Fault(
    broken, "leaking-split", repaired, task="regression", equivalents=("overfitting",),
    symptom=Figure(squared_error, at_most=0.2), reaches=Figure(squared_error, at_least=0.33, at_most=0.9),
)  # fmt: skip
