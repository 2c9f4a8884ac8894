"""A recurrent network by hand whose state is a sum, without tanh: a linear filter with a linear output.

Source: recurrences from scratch; Goodfellow, Bengio, Courville, Deep Learning, 10.2.
Symptom: the frequency of waves of any phase, which no linear function tells, stays at chance.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import optax

from experiments.faults._data import waves
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import accuracy
from experiments.faults._networks import cross_entropy, supervised
from jaxnets.diagnose import Problem


def init(key):
    """A state of 24 numbers; two layers behind it."""
    a, b, c = jax.random.split(key, 3)
    return {
        "in": jax.random.normal(a, (1, 24)), "state": 0.9 * jax.random.orthogonal(b, 24),
        "out": jax.random.normal(c, (24, 3)) / 5, "bias": jnp.zeros(24), "out_bias": jnp.zeros(3),
    }  # fmt: skip


def problem(activation) -> Problem:
    """Waves by a recurrent network with this activation."""

    def predict(p, x):
        step = lambda h, now: (activation(now @ p["in"] + h @ p["state"] + p["bias"][None]), None)  # noqa: E731
        h, _ = jax.lax.scan(step, jnp.zeros((len(x), 24)), x.swapaxes(0, 1))
        return h @ p["out"] + p["out_bias"][None]

    return supervised(init, predict, cross_entropy, waves(), optimizer=optax.adam(0.01), num_steps=300)


def broken() -> Problem:
    """None."""
    return problem(lambda z: z)


def repaired() -> Problem:
    """tanh."""
    return problem(jnp.tanh)


FAULT = Fault(
    broken, "linear-network", repaired, task="sequence",
    symptom=Figure(accuracy, at_most=0.7), reaches=Figure(accuracy, at_least=0.9),
)  # fmt: skip
