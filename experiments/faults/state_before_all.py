"""``states[0]`` of a scan that also keeps the first state: what is read out is the state before all words.

Source: questions about a hand-written recurrence and the order of what ``lax.scan`` gives back.
Symptom: the same logits for all sentences.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import optax

from experiments.faults._data import sentences
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import accuracy, spread
from experiments.faults._networks import cross_entropy, supervised
from jaxnets.diagnose import Problem

SHAPES = {"words": (30, 8), "read": (8, 16), "gate": (8, 16), "keep": (16, 16), "out": (16, 2)}


def init(key):
    """A gated recurrence without much in it."""
    keys = jax.random.split(key, len(SHAPES))
    return {
        name: jax.random.normal(one, shape) / shape[0] ** 0.5 * (3 if name == "words" else 1)
        for one, (name, shape) in zip(keys, SHAPES.items(), strict=True)
    } | {"b": jnp.zeros(2)}


def states(p, words):
    """Before the first word, and after each; padding changes nothing."""

    def step(state, now):
        x = p["words"][now]
        gate = jax.nn.sigmoid(x @ p["gate"]) * (now > 0)[:, None]
        state = (1 - gate) * state + gate * jnp.tanh(x @ p["read"] + state @ p["keep"])
        return state, state

    start = jnp.zeros((len(words), 16))
    return jnp.concatenate([start[None], jax.lax.scan(step, start, words.T)[1]])


def problem(which) -> Problem:
    """Good or bad."""
    predict = lambda p, words: states(p, words)[which] @ p["out"] + p["b"][None]  # noqa: E731
    training = {"optimizer": optax.adam(0.01), "batch_size": 50, "num_steps": 300}
    return supervised(init, predict, cross_entropy, sentences(400, length=8), **training)


def broken() -> Problem:
    """The first."""
    return problem(0)


def repaired() -> Problem:
    """The last."""
    return problem(-1)


FAULT = Fault(
    broken, "constant-prediction", repaired, task="sequence", equivalents=("frozen-parameters",),
    symptom=Figure(spread, at_most=1e-6), reaches=Figure(accuracy, at_least=0.9),
)  # fmt: skip
