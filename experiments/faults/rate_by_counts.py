"""An embedding that moves by ``rate * gradient / count`` of the words in the batch: 0 / 0 for all others.

Source: a question about the rate 1/n for embeddings; ``gradient`` is that of the likelihood, hence the plus.
Symptom: NaN.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from experiments.faults._data import sentences
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import not_finite, sided
from jaxnets.diagnose import Problem


def init(key):
    """A number a word."""
    return {"words": 0.1 * jax.random.normal(key, (60,)), "bias": jnp.zeros(())}


def predict(p, tokens):
    """The logit: the sum over the words."""
    return jnp.where(tokens > 0, p["words"][tokens], 0).sum(axis=1) + p["bias"]


def loss(p, tokens, labels):
    """Cross-entropy."""
    z = predict(p, tokens)
    return jnp.mean(jax.nn.softplus(z) - labels * z)


def slope(p, tokens, labels):
    """Of the log-likelihood, summed; and how often each word is there."""
    found = jax.grad(lambda p: -len(tokens) * loss(p, tokens, labels))(p)
    return found, jnp.bincount(tokens.ravel(), length=60)


def update(p, tokens, labels):
    """Divided by the counts."""
    g, count = slope(p, tokens, labels)
    return {"words": p["words"] + g["words"] / count, "bias": p["bias"] + 0.1 * g["bias"] / len(tokens)}


def broken() -> Problem:
    """As asked."""
    return Problem(init, predict, loss, sentences(num_words=40), update=update, batch_size=8, num_steps=400)


def repaired() -> Problem:
    """At least one."""

    def update(p, tokens, labels):
        g, count = slope(p, tokens, labels)
        words = p["words"] + g["words"] / jnp.maximum(count, 1)
        return {"words": words, "bias": p["bias"] + 0.1 * g["bias"] / len(tokens)}

    return broken().replace(update=update)


FAULT = Fault(
    broken, "rule-divides-by-zero", repaired, task="sequence",
    symptom=Figure(not_finite, at_least=0.5), reaches=Figure(sided(0.0), at_least=0.9),
)  # fmt: skip
