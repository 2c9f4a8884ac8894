"""Digits of grey levels 0 to 16, as whole numbers, divided by 255 without a remainder: all are 0.

Source: a line copied from a program for pictures of bytes; ``x // 255`` for ``x / 255``.
Symptom: every picture gets the same class.
"""

from __future__ import annotations

import flax.linen as nn
import numpy as np
import optax

from experiments.faults._data import digits
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import accuracy, commonest
from experiments.faults._networks import cross_entropy, of_module
from jaxnets.diagnose import Problem


class Net(nn.Module):
    """A convolution, a pooling, logits."""

    @nn.compact
    def __call__(self, x):
        """Of pictures ``[n, 8, 8, 1]``."""
        x = nn.relu(nn.Conv(8, (3, 3), name="filters")(x))
        x = nn.avg_pool(x, (2, 2), (2, 2))
        return nn.Dense(10, name="head")(x.reshape(len(x), -1))


def problem(scale) -> Problem:
    """Six passes."""
    x, y = digits(600)
    pictures = np.rint(16 * x).astype(np.uint8).reshape(-1, 8, 8, 1)
    data = (scale(pictures), y)
    return of_module(Net(), cross_entropy, data, optimizer=optax.adam(0.01), batch_size=60, num_steps=120)


def broken() -> Problem:
    """Floor division."""
    return problem(lambda pictures: (pictures // 255).astype(np.float32))


def repaired() -> Problem:
    """By 16, with a remainder."""
    return problem(lambda pictures: (pictures / 16).astype(np.float32))


FAULT = Fault(
    broken, "inputs-constant", repaired, task="classification", equivalents=("constant-prediction",),
    symptom=Figure(commonest, at_least=1.0), reaches=Figure(accuracy, at_least=0.93),
)  # fmt: skip
