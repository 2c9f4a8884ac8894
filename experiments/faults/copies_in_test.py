"""Rows of the rare class copied to balance the classes, and only then split: copies stand on both sides.

Source: questions about oversampling before the split; Kaufman, Rosset & Perlich 2012, Leakage in data mining.
Symptom: test accuracy near 1 though the labels are noise.
"""

from __future__ import annotations

import numpy as np
import optax

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import accuracy
from experiments.faults._networks import cross_entropy, of_module
from jaxnets.diagnose import Problem
from jaxnets.models import MLP


def problem(copies_first) -> Problem:
    """Labels that have nothing to do with the inputs, one in ten of them 1; a large network."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=(400, 20)).astype(np.float32)
    labels = (np.arange(400) % 10 == 0).astype(np.int32)
    rows = (
        np.concatenate([np.arange(400), np.repeat(np.flatnonzero(labels), 8)])
        if copies_first
        else np.arange(400)
    )
    rows = generator.permutation(rows)
    train, test = rows[: len(rows) * 3 // 4], rows[len(rows) * 3 // 4 :]
    return of_module(
        MLP(widths=(64,), num_outputs=2), cross_entropy, (x[train], labels[train]),
        test=(x[test], labels[test]), optimizer=optax.adam(0.01), num_steps=200,
    )  # fmt: skip


def broken() -> Problem:
    """Copied, then split."""
    return problem(True)


def repaired() -> Problem:
    """Not copied: the test says what there is to learn, nothing."""
    return problem(False)


def rare_found(problem, params):
    """Share of the rare test rows that are recognised."""
    rare = problem.test.targets == 1
    return accuracy(problem.replace(test=(problem.test.inputs[rare], problem.test.targets[rare])), params)


FAULT = Fault(
    broken, "leaking-split", repaired, task="classification",
    symptom=Figure(rare_found, at_least=0.9), reaches=Figure(rare_found, at_most=0.5),
)  # fmt: skip
