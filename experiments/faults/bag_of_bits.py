"""Does a message begin with a 1? Asked of the mean of its bits' vectors, which forgets their order.

Source: questions about "embedding, then global average pooling" for tasks in which the order matters.
Symptom: the training accuracy stays little above a half, for however many units.
"""

from __future__ import annotations

import flax.linen as nn
import numpy as np
import optax

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import accuracy
from experiments.faults._networks import cross_entropy, of_module
from jaxnets.diagnose import Problem


class Reader(nn.Module):
    """Vectors, put together somehow, two layers."""

    pool: str

    @nn.compact
    def __call__(self, bits):
        """Logits."""
        x = nn.Embed(2, 8)(bits)
        x = x.mean(axis=1) if self.pool == "mean" else x.reshape(len(x), -1)
        return nn.Dense(2)(nn.relu(nn.Dense(64)(x)))


def messages():
    """Twelve bits, and whether the first is set."""
    bits = np.random.default_rng(12).integers(0, 2, (300, 12)).astype(np.int32)
    return bits, bits[:, 0]


def problem(pool) -> Problem:
    """By Adam."""
    model = Reader(pool)
    return of_module(model, cross_entropy, messages(), optimizer=optax.adam(0.01), num_steps=200)


def broken() -> Problem:
    """The mean."""
    return problem("mean")


def repaired() -> Problem:
    """One after the other."""
    return problem("all")


FAULT = Fault(
    broken, "cannot-overfit-a-batch", repaired, task="sequence",
    symptom=Figure(accuracy, at_most=0.7), reaches=Figure(accuracy, at_least=0.98),
)  # fmt: skip
