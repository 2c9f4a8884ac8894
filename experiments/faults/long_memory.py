"""The first of 60 numbers decides; a tanh recurrence of small weights has forgotten it long before the end.

Source: Bengio, Simard & Frasconi 1994; Goodfellow, Bengio, Courville, Deep Learning, 10.7.
Symptom: accuracy at chance.
"""

from __future__ import annotations

import flax.linen as nn
import jax
import optax

from experiments.faults._data import first_symbols
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import accuracy
from experiments.faults._networks import cross_entropy, of_module
from jaxnets.diagnose import Problem


class Memory(nn.Module):
    """A vanilla recurrence, its last state, and logits."""

    state_init: object

    @nn.compact
    def __call__(self, x):
        """Logits of the first number's sign."""
        cell = nn.SimpleCell(16, recurrent_kernel_init=self.state_init)
        return nn.Dense(2)(nn.RNN(cell)(x)[:, -1])


def problem(state_init) -> Problem:
    """Plain descent."""
    return of_module(
        Memory(state_init), cross_entropy, first_symbols(), optimizer=optax.sgd(0.1), num_steps=300
    )


def broken() -> Problem:
    """Normal weights of deviation 0.1."""
    return problem(nn.initializers.normal(0.1))


def repaired() -> Problem:
    """The identity; Le, Jaitly & Hinton 2015."""
    return problem(lambda key, shape, dtype: jax.numpy.eye(*shape, dtype=dtype))


FAULT = Fault(
    broken, "vanishing-gradient", repaired, task="sequence",
    symptom=Figure(accuracy, at_most=0.65), reaches=Figure(accuracy, at_least=0.9),
)  # fmt: skip
