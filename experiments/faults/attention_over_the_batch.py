"""Attention whose weights are normalised over axis 0, the sentences, instead of over the words of each.

Source: questions about softmax' axis in attention by hand; Bahdanau, Cho & Bengio 2015.
Symptom: a sentence's prediction depends on the other sentences of its batch.
"""

from __future__ import annotations

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import optax

from experiments.faults._data import sentences
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import accuracy
from experiments.faults._networks import cross_entropy, of_module
from jaxnets.diagnose import Problem


class Reader(nn.Module):
    """Words weighted by what a line says of each."""

    axis: int

    @nn.compact
    def __call__(self, words):
        """Logits of sentences."""
        x = nn.Embed(30, 8)(words)
        scores = jnp.where(words > 0, nn.Dense(1)(jnp.tanh(nn.Dense(8)(x)))[..., 0], -1e9)
        weights = nn.softmax(scores, axis=self.axis)
        return nn.Dense(2)((weights[..., None] * x).sum(axis=1))


def problem(axis) -> Problem:
    """By Adam."""
    return of_module(
        Reader(axis), cross_entropy, sentences(), optimizer=optax.adam(0.02), batch_size=32, num_steps=200
    )


def broken() -> Problem:
    """Over the sentences."""
    return problem(0)


def repaired() -> Problem:
    """Over the words."""
    return problem(1)


def alone(problem, params):
    """How far the first sentence's logits are from those that it has alone."""
    words = problem.data.inputs
    return float(np.abs(problem.predict(params, words)[0] - problem.predict(params, words[:1])[0]).max())


FAULT = Fault(
    broken, "batch-dependence", repaired, task="sequence", equivalents=("single-batch-mismatch",),
    symptom=Figure(alone, at_least=0.1), reaches=Figure(accuracy, at_least=0.9),
)  # fmt: skip
