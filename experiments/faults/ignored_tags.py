"""Words' tags padded with -100, as the other library ignores them; this loss does not.

Source: issues about NaN after a tagger was moved from torch to optax.
Symptom: the loss is NaN.
"""

from __future__ import annotations

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import optax

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import loss, outputs
from experiments.faults._networks import of_module
from jaxnets.diagnose import Problem


class Tagger(nn.Module):
    """Words, their neighbours, a tag each."""

    @nn.compact
    def __call__(self, words):
        """Logits ``[n, length, 3]``."""
        x = nn.Embed(20, 8)(words)
        return nn.Dense(3)(nn.relu(nn.Conv(16, (3,))(x)))


def rows():
    """A tag says whether a word's number is below, at most 5 above, or far above that of the word before."""
    generator = np.random.default_rng(3)
    words = generator.integers(1, 20, (250, 10))
    before = np.pad(words, ((0, 0), (1, 0)))[:, :-1]
    tags = (words >= before).astype(int) + (words > before + 5)
    real = np.arange(10)[None] < generator.integers(5, 11, 250)[:, None]
    return np.where(real, words, 0).astype(np.int32), np.where(real, tags, -100).astype(np.int32)


def all_words(logits, tags):
    """Over everything."""
    return optax.softmax_cross_entropy_with_integer_labels(logits, tags).mean()


def real_words(logits, tags):
    """Over those that have a tag."""
    real = tags >= 0
    each = optax.softmax_cross_entropy_with_integer_labels(logits, jnp.where(real, tags, 0))
    return (each * real).sum() / real.sum()


def broken() -> Problem:
    """-100 and all."""
    return of_module(Tagger(), all_words, rows(), optimizer=optax.adam(0.01), batch_size=50, num_steps=300)


def repaired() -> Problem:
    """Masked."""
    return of_module(Tagger(), real_words, rows(), optimizer=optax.adam(0.01), batch_size=50, num_steps=300)


def right(problem, params):
    """Share of the real words with the right tag."""
    tags = problem.data.targets
    return np.mean((outputs(problem, params).argmax(axis=-1) == tags)[tags >= 0])


FAULT = Fault(
    broken, "labels-out-of-range", repaired, task="sequence",
    symptom=Figure(lambda problem, params: np.isnan(loss(problem, params)), at_least=1),
    reaches=Figure(right, at_least=0.85),
)  # fmt: skip
