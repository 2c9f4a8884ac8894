"""Six patients lack a value, which is NaN in the table, and nobody looked.

Source: the Cleveland heart disease data as they are; questions with the title "loss is nan from the start".
Symptom: the loss is NaN after one step.
"""

from __future__ import annotations

import numpy as np
import optax

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import accuracy, not_finite
from experiments.faults._networks import cross_entropy, of_module
from jaxnets.data import load
from jaxnets.diagnose import Problem
from jaxnets.models import MLP


def problem(fill) -> Problem:
    """A network for the patients; missing values become ``fill`` of their column."""
    x, ill = load("cleveland", test_fraction=0.0).train
    filled = np.where(np.isnan(x), fill(x, axis=0), x)
    x = (filled - np.nanmean(x, axis=0)) / np.nanstd(x, axis=0)
    model = MLP(widths=(13,), num_outputs=2)
    return of_module(model, cross_entropy, (x, ill), optimizer=optax.adam(0.01), num_steps=200)


def broken() -> Problem:
    """Means, of columns with NaN."""
    return problem(np.mean)


def repaired() -> Problem:
    """Medians of what is there."""
    return problem(np.nanmedian)


FAULT = Fault(
    broken, "non-finite-data", repaired, task="classification",
    symptom=Figure(not_finite, at_least=0.9), reaches=Figure(accuracy, at_least=0.85),
)  # fmt: skip
