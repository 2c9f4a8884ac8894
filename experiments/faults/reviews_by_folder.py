"""All good reviews, then all bad ones, as the two folders are read; batches are taken as they come.

Source: questions about the film reviews in ``pos/`` and ``neg/``, accuracy 0.5 after each pass.
Symptom: the last batches' class is predicted for everything.
"""

from __future__ import annotations

import jax
import numpy as np
import optax

from experiments.faults._data import sentences
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import accuracy
from experiments.faults._networks import cross_entropy, dense, forward, supervised
from jaxnets.diagnose import Problem


def init(key):
    """Vectors of words and a small network."""
    words, net = jax.random.split(key)
    return {"vectors": 0.1 * jax.random.normal(words, (30, 8)), "net": dense(net, (8, 16, 2))}


def read(p, words):
    """From the mean vector of each."""
    mask = (words > 0)[..., None]
    return forward(p["net"], (p["vectors"][words] * mask).sum(axis=1) / mask.sum(axis=1), jax.nn.relu)


def problem(order) -> Problem:
    """Two passes in batches of 20."""
    words, good = sentences(800)
    rows = order(good)
    data = (words[rows], good[rows])
    return supervised(
        init, read, cross_entropy, data, optimizer=optax.adam(0.03), batch_size=20,
        num_steps=2 * (len(good) // 20),
    )  # fmt: skip


def broken() -> Problem:
    """By folder."""
    return problem(lambda good: np.argsort(-good, kind="stable"))


def repaired() -> Problem:
    """Mixed."""
    return problem(lambda good: np.random.default_rng(1).permutation(len(good)))


FAULT = Fault(
    broken, "unshuffled-batches", repaired, task="sequence",
    symptom=Figure(accuracy, at_most=0.65), reaches=Figure(accuracy, at_least=0.9),
)  # fmt: skip
