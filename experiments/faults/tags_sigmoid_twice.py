"""Tags of articles (several each): the network ends in a sigmoid, and the loss takes logits.

Source: a forum, porting from binary_crossentropy of Keras, which takes probabilities.
Symptom: the loss stops near 0.75 and no tag is ever predicted below one half with any surety.
"""

from __future__ import annotations

import flax.linen as nn
import numpy as np
import optax

from experiments.faults._fault import Fault, Figure
from experiments.faults._networks import binary_cross_entropy, of_module
from jaxnets.diagnose import Problem

TAGS = 10


class Tagger(nn.Module):
    """Bag of words to tags."""

    squashed: bool

    @nn.compact
    def __call__(self, x):
        hidden = nn.silu(nn.Dense(40)(x))
        out = nn.Dense(TAGS)(hidden)
        return nn.sigmoid(out) if self.squashed else out


def _articles():
    rng = np.random.default_rng(19)
    topic = rng.random((900, TAGS)) < 0.15
    words = rng.gamma(0.3, 1, (TAGS, 60))
    x = rng.poisson(topic @ words * 1.5 + 0.2)
    x = np.log1p(x)
    x = ((x - x.mean(0)) / x.std(0)).astype(np.float32)
    y = topic.astype(np.float32)
    return (x[:700], y[:700]), (x[700:], y[700:])


def fit(problem, params):
    """The cross-entropy of the tags as the loss reads the outputs, over that of their shares."""
    x, y = problem.test
    out = np.asarray(problem.predict(params, x))
    out = 1 / (1 + np.exp(-out))

    def entropy(p):
        return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))

    return float(entropy(np.clip(out, 1e-6, 1 - 1e-6)) / entropy(np.full_like(y, 0.15)))


def _problem(squashed):
    data, test = _articles()
    return of_module(
        Tagger(squashed),
        binary_cross_entropy,
        data,
        test=test,
        optimizer=optax.adamw(3e-3, weight_decay=0.05),
        batch_size=70,
        num_steps=300,
    )


def broken() -> Problem:
    """As it was written."""
    return _problem(True)


def repaired() -> Problem:
    """Mended."""
    return _problem(False)


FAULT = Fault(
    broken,
    "probabilities-as-logits",
    repaired,
    task="classification",
    symptom=Figure(fit, at_least=1.2),
    reaches=Figure(fit, at_most=0.6),
)
