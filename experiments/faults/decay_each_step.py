"""The rate is decayed by 0.9 a step (transition_steps=1), where 0.9 an epoch of 16 batches was meant.

Source: a discussion on porting a Keras callback (on_epoch_end) to an optax schedule.
Symptom: the loss falls for 20 or 30 batches and then stays where it is for all epochs.
"""

from __future__ import annotations

import jax
import numpy as np
import optax

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import accuracy
from experiments.faults._networks import cross_entropy, dense, forward, supervised
from jaxnets.diagnose import Problem


def _grains():
    """Four kinds, each of two clumps in seven dimensions."""
    rng = np.random.default_rng(6)
    centre = 1.3 * rng.normal(size=(8, 7))
    clump = rng.integers(8, size=1024)
    x = centre[clump] + rng.normal(size=(1024, 7))
    x = ((x - x.mean(0)) / x.std(0)).astype(np.float32)
    y = (clump % 4).astype(np.int32)
    return (x[:800], y[:800]), (x[800:], y[800:])


def _problem(transition_steps):
    data, test = _grains()
    schedule = optax.exponential_decay(0.06, transition_steps, 0.9)
    return supervised(
        lambda key: dense(key, (7, 48, 4)),
        lambda params, x: forward(params, x, jax.nn.gelu),
        cross_entropy,
        data,
        test=test,
        optimizer=optax.sgd(schedule),
        batch_size=50,
        num_steps=640,
    )


def broken() -> Problem:
    """As it was written."""
    return _problem(transition_steps=1)


def repaired() -> Problem:
    """Mended."""
    return _problem(transition_steps=16)


FAULT = Fault(
    broken,
    "step-too-small",
    repaired,
    task="classification",
    symptom=Figure(accuracy, at_most=0.8),
    reaches=Figure(accuracy, at_least=0.9),
)
