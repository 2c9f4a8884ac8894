"""One to five stars of a review as a number, by squared error: what comes out is three and a half stars.

Source: questions about predicting ratings; McCullagh 1980, Regression models for ordinal data.
Symptom: predictions lie between the stars.
"""

from __future__ import annotations

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import optax

from experiments.faults._data import column
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import accuracy, outputs
from experiments.faults._networks import cross_entropy, mean_square, of_module
from jaxnets.diagnose import Problem


def reviews():
    """Ten words each, 1 to 39; the stars are the fifth of the sum of the words' worth, blurred."""
    generator = np.random.default_rng(0)
    words = generator.integers(1, 40, (600, 10))
    worth = generator.normal(size=40)[words].sum(axis=1) + generator.normal(size=600)
    return words.astype(np.int32), np.searchsorted(np.quantile(worth, [0.2, 0.4, 0.6, 0.8]), worth) + 1


class Reader(nn.Module):
    """The mean of the words' vectors, a layer, and the outputs."""

    num_outputs: int

    @nn.compact
    def __call__(self, words):
        """Outputs of a review."""
        x = nn.Embed(40, 8)(words).mean(axis=1)
        return nn.Dense(self.num_outputs)(nn.relu(nn.Dense(16)(x)))


def broken() -> Problem:
    """A number."""
    words, stars = reviews()
    return of_module(
        Reader(1), mean_square, (words, column(stars)), optimizer=optax.adam(0.01), num_steps=200
    )


def repaired() -> Problem:
    """Five classes."""
    words, stars = reviews()
    data = (words, (stars - 1).astype(np.int32))
    return of_module(Reader(5), cross_entropy, data, optimizer=optax.adam(0.01), num_steps=200)


def from_stars(problem, params):
    """How far predictions are from whole stars."""
    found = outputs(problem, params)
    return float(jnp.abs(found - found.round()).mean())


FAULT = Fault(
    broken, "integer-targets", repaired, task="sequence",
    symptom=Figure(from_stars, at_least=0.1), reaches=Figure(accuracy, at_least=0.6),
)  # fmt: skip
