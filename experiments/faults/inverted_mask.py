"""A mask of padding used as a mask of words: the mean is over the padding, which is the same everywhere.

Source: questions about the meaning of True in a mask, which differs between libraries.
Symptom: one prediction for all sentences.
"""

from __future__ import annotations

import flax.linen as nn
import jax.numpy as jnp
import optax

from experiments.faults._data import sentences
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import accuracy, spread
from experiments.faults._networks import cross_entropy, of_module
from jaxnets.diagnose import Problem


class Reader(nn.Module):
    """The mean of the vectors where the mask is 1, and logits."""

    mask: object

    @nn.compact
    def __call__(self, words):
        """Good or bad."""
        mask = self.mask(words).astype(jnp.float32)[..., None]
        mean = (nn.Embed(30, 8)(words) * mask).sum(axis=1) / (mask.sum(axis=1) + 1e-6)
        return nn.Dense(2)(nn.relu(nn.Dense(16)(mean)))


def problem(mask) -> Problem:
    """Sentences that end before the last place."""
    words, labels = sentences()
    ends = words[:, -1] == 0
    return of_module(
        Reader(mask), cross_entropy, (words[ends], labels[ends]), optimizer=optax.adam(0.01), num_steps=200
    )


def broken() -> Problem:
    """Where there is none."""
    return problem(lambda words: words == 0)


def repaired() -> Problem:
    """Where there is a word."""
    return problem(lambda words: words > 0)


FAULT = Fault(
    broken, "constant-prediction", repaired, task="sequence",
    symptom=Figure(spread, at_most=1e-3), reaches=Figure(accuracy, at_least=0.95),
)  # fmt: skip
