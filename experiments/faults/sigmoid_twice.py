"""A sigmoid at the end, and a loss "with logits" that has its own: probabilities between 0.5 and 0.73.

Source: questions about ``BCEWithLogits`` and ``sigmoid_binary_cross_entropy``.
Symptom: the loss stays above 0.5, half of ``log 2`` and ``log(1 + 1 / e)``.
"""

from __future__ import annotations

import flax.linen as nn
import numpy as np
import optax

from experiments.faults._data import column, sentences
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import loss
from experiments.faults._networks import binary_cross_entropy, of_module
from jaxnets.diagnose import Problem


class Reader(nn.Module):
    """A GRU over the words' vectors."""

    last: object

    @nn.compact
    def __call__(self, words):
        """Good or bad."""
        lengths = (words > 0).sum(axis=1)
        states = nn.RNN(nn.GRUCell(16))(nn.Embed(30, 8)(words), seq_lengths=lengths)
        return self.last(nn.Dense(1)(states.mean(axis=1)))


def problem(last) -> Problem:
    """By Adam."""
    words, labels = sentences()
    data = (words, column(labels.astype(np.float32)))
    return of_module(Reader(last), binary_cross_entropy, data, optimizer=optax.adam(0.02), num_steps=200)


def broken() -> Problem:
    """A sigmoid at the end."""
    return problem(nn.sigmoid)


def repaired() -> Problem:
    """A logit."""
    return problem(lambda z: z)


FAULT = Fault(
    broken, "probabilities-as-logits", repaired, task="sequence",
    symptom=Figure(loss, at_least=0.5), reaches=Figure(loss, at_most=0.2),
)  # fmt: skip
