"""``optax.chain(clip, scale_by_adam(), scale(0.01))``: the minus that ``adam`` has inside is missing.

Source: issues about a chain put together by hand after which the loss rises.
Symptom: the loss grows from step to step.
"""

from __future__ import annotations

import flax.linen as nn
import jax.numpy as jnp
import optax

from experiments.faults._data import sums
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import squared_error
from experiments.faults._networks import mean_square, of_module
from jaxnets.diagnose import Problem


class Adder(nn.Module):
    """Attention of one question over the numbers and their places."""

    @nn.compact
    def __call__(self, x):
        """A value each."""
        places = jnp.broadcast_to(jnp.linspace(-1, 1, x.shape[1])[None, :, None], x.shape)
        h = nn.gelu(nn.Dense(16)(jnp.concatenate([x, places], axis=-1)))
        weights = nn.softmax(nn.Dense(1)(h), axis=1)
        return nn.Dense(1)((weights * nn.Dense(8)(h)).sum(axis=1))


def problem(rate) -> Problem:
    """Six numbers and their sum."""
    steps = optax.chain(optax.clip_by_global_norm(1.0), optax.scale_by_adam(), optax.scale(rate))
    data = sums(400, length=6)
    return of_module(Adder(), mean_square, data, optimizer=steps, batch_size=50, num_steps=300)


def broken() -> Problem:
    """Uphill."""
    return problem(0.01)


def repaired() -> Problem:
    """Downhill."""
    return problem(-0.01)


FAULT = Fault(
    broken, "update-ascends", repaired, task="sequence", equivalents=("diverged",),
    symptom=Figure(squared_error, at_least=10.0), reaches=Figure(squared_error, at_most=0.1),
)  # fmt: skip
