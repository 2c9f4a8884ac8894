"""An optimizer for the "head" alone, from fine-tuning, on words that begin as random small numbers.

Source: questions about ``optax.masked`` and ``set_to_zero``; a network that was never pretrained.
Symptom: the words' vectors never move.
"""

from __future__ import annotations

import flax.linen as nn
import jax
import numpy as np
import optax

from experiments.faults._data import sentences
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import accuracy
from experiments.faults._networks import cross_entropy, of_module
from jaxnets.diagnose import Problem


class Reader(nn.Module):
    """Vectors of words, their mean, logits."""

    @nn.compact
    def __call__(self, words):
        """Good or bad."""
        x = nn.Embed(30, 4, name="words", embedding_init=nn.initializers.normal(0.01))(words)
        return nn.Dense(2, name="head")(x.mean(axis=1))


def problem(optimizer) -> Problem:
    """Sentences."""
    return of_module(Reader(), cross_entropy, sentences(), optimizer=optimizer, num_steps=200)


def broken() -> Problem:
    """All but the head stands still."""
    rules = {"train": optax.adam(0.03), "freeze": optax.set_to_zero()}
    kinds = {"words": "freeze", "head": "train"}
    return problem(optax.multi_transform(rules, kinds))


def repaired() -> Problem:
    """All moves."""
    return problem(optax.adam(0.03))


def moved(problem, params):
    """How far the words are from their beginning."""
    start = problem.init(jax.random.key(0))["words"]["embedding"]
    return float(np.abs(start - params["words"]["embedding"]).max())


FAULT = Fault(
    broken, "frozen-parameters", repaired, task="sequence",
    symptom=Figure(moved, at_most=1e-6), reaches=Figure(accuracy, at_least=0.95),
)  # fmt: skip
