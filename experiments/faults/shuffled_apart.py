"""Inputs and labels shuffled by two permutations.

Source: questions about ``permutation`` called twice; a key or a generator that moved on between.
Symptom: the training rows are learned by heart at best, test rows stay at 10 %.
"""

from __future__ import annotations

import jax
import numpy as np
import optax

from experiments.faults._data import digits
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import accuracy
from experiments.faults._networks import cross_entropy, of_module
from jaxnets.diagnose import Problem
from jaxnets.models import MLP


def problem(input_key, label_key) -> Problem:
    """Digits, each part shuffled by its key."""
    x, labels = digits(1200)
    order, label_order = (np.asarray(jax.random.permutation(key, 1200)) for key in (input_key, label_key))
    x, labels = x[order], labels[label_order]
    return of_module(
        MLP(widths=(32,), num_outputs=10), cross_entropy, (x[:1000], labels[:1000]),
        test=(x[1000:], labels[1000:]), optimizer=optax.adam(0.003), batch_size=50, num_steps=300,
    )  # fmt: skip


def broken() -> Problem:
    """A key for each."""
    return problem(*jax.random.split(jax.random.key(0)))


def repaired() -> Problem:
    """One key for both."""
    return problem(jax.random.key(0), jax.random.key(0))


FAULT = Fault(
    broken, "labels-misaligned", repaired, task="classification",
    symptom=Figure(accuracy, at_most=0.2), reaches=Figure(accuracy, at_least=0.9),
)  # fmt: skip
