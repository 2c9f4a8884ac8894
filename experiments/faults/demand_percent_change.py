"""Sales of the next day from the changes in percent of the days before: some days sold nothing.

Source: a data-science forum, features made as pandas' ``pct_change`` makes them.
Symptom: the loss is NaN from the first epoch on, whatever the rate.
"""

from __future__ import annotations

import numpy as np
import optax

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import not_finite, squared_error
from experiments.faults._networks import dense, forward, mean_square, supervised
from jaxnets.diagnose import Problem


def problem(safe: bool) -> Problem:
    """Three changes and three days."""
    rng = np.random.default_rng(2)
    days = np.arange(700)
    mean = 5 + 4 * np.sin(2 * np.pi * days / 7)
    sold = np.round(mean + 0.5 * rng.normal(size=700)).clip(0)
    now, before = sold[1:], sold[:-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        change = (now - before) / (before + 1.0 if safe else before)
    x = np.stack(
        [change[i : i + 690] for i in range(3)] + [(sold[i + 1 : i + 691] - 5) / 3 for i in range(3)], axis=1
    )
    y = (sold[4:694] - 5) / 3
    finite = x[np.isfinite(x).all(axis=1)]
    x = (x - finite.mean(0)) / finite.std(0)
    return supervised(
        lambda key: dense(key, (6, 16, 1)),
        forward,
        mean_square,
        (x, y[:, None]),
        optimizer=optax.adam(0.01),
        batch_size=69,
        num_steps=500,
    )


def broken() -> Problem:
    """Divided by what may be zero."""
    return problem(False)


def repaired() -> Problem:
    """Divided by one more."""
    return problem(True)


FAULT = Fault(
    broken,
    "non-finite-data",
    repaired,
    task="sequence",
    symptom=Figure(not_finite, at_least=0.9),
    reaches=Figure(squared_error, at_most=0.1),
)
