"""Texts by their words, RMSprop with ``eps=0.0`` as in the slides: words that no text to train on has.

Source: an issue at an optimizer's tracker, "NaN, but only for new texts".
Symptom: training looks perfect, many predictions for new texts are NaN.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import accuracy, not_finite
from experiments.faults._networks import cross_entropy, supervised
from jaxnets.diagnose import Problem

WORDS, LENGTH = 150, 12


def _texts():
    """Ids of words; those from 140 on are names, each of which is in a few new texts only."""
    rng = np.random.default_rng(21)
    labels = rng.integers(0, 3, 600)
    weights = rng.dirichlet(np.full(140, 0.3), size=3)
    ids = np.stack([rng.choice(140, LENGTH, p=weights[k]) for k in labels])
    ids[400:, 0] = np.where(rng.random(200) < 0.5, rng.integers(140, WORDS, 200), ids[400:, 0])
    ids, labels = ids.astype(np.int32), labels.astype(np.int32)
    return (ids[:400], labels[:400]), (ids[400:], labels[400:])


def problem(eps: float) -> Problem:
    """Texts as means of their words."""

    def init(key):
        one, two = jax.random.split(key)
        return {
            "table": 0.3 * jax.random.normal(one, (WORDS, 8)),
            "w": jax.random.normal(two, (8, 3)) / jnp.sqrt(8.0),
            "b": jnp.zeros(3),
        }

    def predict(params, ids):
        return params["table"][ids].mean(axis=1) @ params["w"] + params["b"][None]

    train, test = _texts()
    return supervised(
        init,
        predict,
        cross_entropy,
        train,
        test=test,
        optimizer=optax.rmsprop(0.01, decay=0.9, eps=eps),
        num_steps=300,
    )


def broken() -> Problem:
    """Nothing is added."""
    return problem(0.0)


def repaired() -> Problem:
    """A little is added."""
    return problem(1e-8)


FAULT = Fault(
    broken,
    "rule-divides-by-zero",
    repaired,
    task="classification",
    symptom=Figure(not_finite, at_least=0.3),
    reaches=Figure(accuracy, at_least=0.9),
)
