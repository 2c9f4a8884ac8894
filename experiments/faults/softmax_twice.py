"""The network ends with a softmax, and the loss applies another.

Source: questions about a cross-entropy of ten classes that does not fall below 1.46, ``log(1 + 9 / e)``.
Symptom: the loss stays above 1.461.
"""

from __future__ import annotations

import flax.linen as nn
import optax

from experiments.faults._data import digits
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import loss
from experiments.faults._networks import cross_entropy, of_module
from jaxnets.diagnose import Problem


class Network(nn.Module):
    """32 units."""

    last: object

    @nn.compact
    def __call__(self, x):
        """Scores of the digits."""
        return self.last(nn.Dense(10)(nn.relu(nn.Dense(32)(x))))


def problem(last) -> Problem:
    """By Adam, in batches."""
    return of_module(
        Network(last), cross_entropy, digits(), optimizer=optax.adam(0.01), batch_size=100, num_steps=300
    )


def broken() -> Problem:
    """A softmax at the end."""
    return problem(nn.softmax)


def repaired() -> Problem:
    """Logits."""
    return problem(lambda z: z)


FAULT = Fault(
    broken, "probabilities-as-logits", repaired, task="classification",
    symptom=Figure(loss, at_least=1.4611), reaches=Figure(loss, at_most=0.1),
)  # fmt: skip
