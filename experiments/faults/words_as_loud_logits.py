"""The words' vectors, normal with deviation 1, are the output's weights too: logits of deviation 10.

Source: notes on tied embeddings (Press & Wolf 2017), whose vectors have to begin small.
Symptom: the first loss is 19, far above ln 27 = 3.3, and all steps go into mending that.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import loss
from experiments.faults._networks import cross_entropy, supervised
from jaxnets.diagnose import Problem

WORDS, WIDTH = 27, 64


def text():
    """Three symbols and the next, each one of two that may follow the sum of the last two."""
    generator = np.random.default_rng(5)
    symbols = [1, 2]
    for hop in generator.integers(0, 2, 1500):
        symbols.append((symbols[-1] + symbols[-2] + 7 * hop) % WORDS)
    windows = np.lib.stride_tricks.sliding_window_view(np.array(symbols, np.int32), 3)
    return windows[:, :2], windows[:, 2]


def start(deviation):
    """Vectors, and what mixes those of two words."""

    def init(key):
        words, mixing, places = jax.random.split(key, 3)
        return {
            "words": deviation * jax.random.normal(words, (WORDS, WIDTH)),
            "mix": jax.random.normal(mixing, (2 * WIDTH, WIDTH)) / np.sqrt(2 * WIDTH),
            "out": jax.random.normal(places, (WIDTH, WIDTH)) / np.sqrt(WIDTH),
        }

    return init


def predict(p, words):
    """Logits of the next symbol."""
    x = p["words"][words].reshape(len(words), -1)
    x = x / jnp.sqrt(jnp.mean(x**2, axis=1, keepdims=True) + 1e-6)
    return 2 * jnp.tanh(x @ p["mix"]) @ p["out"] @ p["words"].T


def problem(deviation) -> Problem:
    """A gentle rate."""
    training = {"learning_rate": 0.2, "batch_size": 50, "num_steps": 150}
    return supervised(start(deviation), predict, cross_entropy, text(), **training)


def broken() -> Problem:
    """Deviation 1."""
    return problem(1.0)


def repaired() -> Problem:
    """One over the root of the width."""
    return problem(1 / np.sqrt(WIDTH))


FAULT = Fault(
    broken, "initial-loss-off", repaired, task="sequence", equivalents=("step-too-large",),
    symptom=Figure(loss, at_least=2.0), reaches=Figure(loss, at_most=1.9),
)  # fmt: skip
