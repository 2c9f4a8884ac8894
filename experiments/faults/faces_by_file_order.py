"""Pictures of faces split by their files' order, the small part to learn from, the large part to test.

Source: a first convolutional network for faces, 20 % to train and 80 % to test. The faces here are made by
formula: the first pictures of each person are those without glasses or beard.
Symptom: test accuracy 0.51.
"""

from __future__ import annotations

import numpy as np
import optax

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import accuracy
from experiments.faults._networks import cross_entropy, of_module
from jaxnets.diagnose import Problem
from jaxnets.models import MLP

PEOPLE, PICTURES, STRENGTH = 20, 10, 4


def faces():
    """Pictures ``[picture, person]`` of 64 numbers, and who it is: a face, what it wears, and noise."""
    generator = np.random.default_rng(0)
    face = generator.normal(size=(1, PEOPLE, 64))
    amount = np.arange(PICTURES)[:, None] / PICTURES * generator.normal(size=(PICTURES, 3))
    wears = STRENGTH * (amount @ generator.normal(size=(3, 64)))[:, None]
    x = face + wears + 0.9 * generator.normal(size=(PICTURES, PEOPLE, 64))
    return x.astype(np.float32), np.tile(np.arange(PEOPLE, dtype=np.int32), (PICTURES, 1))


def problem(train, test) -> Problem:
    """A network learns these pictures of each person."""
    x, who = faces()
    rows = lambda which: (x[which].reshape(-1, 64), who[which].ravel())  # noqa: E731
    model = MLP(widths=(64,), num_outputs=PEOPLE)
    return of_module(
        model, cross_entropy, rows(train), test=rows(test), optimizer=optax.adam(0.003), num_steps=200
    )


def broken() -> Problem:
    """The first 2 of 10."""
    return problem(np.arange(2), np.arange(2, 10))


def repaired() -> Problem:
    """8 of 10, from all over the files."""
    order = np.random.default_rng(1).permutation(PICTURES)
    return problem(order[2:], order[:2])


FAULT = Fault(
    broken, "train-smaller-than-test", repaired, task="classification",
    equivalents=("overfitting", "classes-missing-from-train", "outside-training-range"),
    symptom=Figure(accuracy, at_least=0.4, at_most=0.62), reaches=Figure(accuracy, at_least=0.8),
)  # fmt: skip
