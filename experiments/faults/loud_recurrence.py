"""A recurrence of ReLUs whose weights stretch the state by 1.7 a step, 30 steps long.

Source: Pascanu, Mikolov & Bengio 2013, On the difficulty of training recurrent neural networks.
Symptom: a first loss of millions and a gradient that is larger still.
"""

from __future__ import annotations

import flax.linen as nn
import jax
import optax

from experiments.faults._data import sums
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import gradient_norm, squared_error
from experiments.faults._networks import mean_square, of_module
from jaxnets.diagnose import Problem


class Summer(nn.Module):
    """A vanilla recurrence, its last state, and a number."""

    stretch: float

    @nn.compact
    def __call__(self, x):
        """The sum."""
        start = lambda key, shape, dtype: self.stretch * jax.numpy.eye(*shape, dtype=dtype)  # noqa: E731
        cell = nn.SimpleCell(16, activation_fn=nn.relu, recurrent_kernel_init=start)
        return nn.Dense(1)(nn.RNN(cell)(x)[:, -1])


def problem(stretch) -> Problem:
    """Sums of 30 numbers."""
    return of_module(
        Summer(stretch), mean_square, sums(length=30), optimizer=optax.adam(0.003), num_steps=300
    )


def broken() -> Problem:
    """1.7."""
    return problem(1.7)


def repaired() -> Problem:
    """1."""
    return problem(1.0)


def first_norm(problem, params):
    """Of the gradient, before the training."""
    return gradient_norm(problem, problem.init(jax.random.key(0)))


FAULT = Fault(
    broken, "exploding-gradient", repaired, task="sequence", equivalents=("initial-loss-off",),
    symptom=Figure(first_norm, at_least=1e6), reaches=Figure(squared_error, at_most=0.3),
)  # fmt: skip
