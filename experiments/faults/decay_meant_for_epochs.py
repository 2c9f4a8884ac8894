"""Digits with softmax regression: a decay of 0.8 an epoch, given to a schedule that counts steps.

Source: GitHub, a discussion of ``optax.exponential_decay``: "plateaus where my old code went on".
Symptom: the loss falls for a few steps and then stands still, far too high, for the rest of the training.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
from sklearn.datasets import load_digits

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import loss as loss_of
from experiments.faults._networks import cross_entropy, supervised
from jaxnets.diagnose import Problem

BATCH = 50


def problem(steps_a_decay: int) -> Problem:
    """Softmax regression of digits."""
    digits = load_digits()
    rows = np.random.default_rng(0).permutation(len(digits.target))[:1500]
    x, y = digits.data[rows], digits.target[rows]
    x = (x - x.mean(0)) / (x.std(0) + 1.0)
    x = x[:, x.std(0) > 0.2]

    def init(key):
        return {"W": 0.01 * jax.random.normal(key, (x.shape[1], 10)), "b": jnp.zeros(10)}

    def predict(params, x):
        return x @ params["W"] + params["b"][None]

    rate = optax.exponential_decay(0.1, transition_steps=steps_a_decay, decay_rate=0.8)
    return supervised(
        init, predict, cross_entropy, (x, y), optimizer=optax.sgd(rate), batch_size=BATCH, num_steps=600
    )


def broken() -> Problem:
    """Every step."""
    return problem(1)


def repaired() -> Problem:
    """Every four epochs."""
    return problem(1500 // BATCH * 4)


FAULT = Fault(
    broken,
    "step-too-small",
    repaired,
    task="classification",
    symptom=Figure(loss_of, at_least=1.0),
    reaches=Figure(loss_of, at_most=0.25),
)
