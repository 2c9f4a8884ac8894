"""Ten digits through a hidden layer of a single ReLU: one number cannot tell ten classes apart.

Source: questions about an autoencoder's narrow layer kept in a classifier; Goodfellow et al., 6.4.1.
Symptom: not even a small batch can be learned by heart.
"""

from __future__ import annotations

import optax

from experiments.faults._data import digits
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import accuracy
from experiments.faults._networks import cross_entropy, of_module
from jaxnets.diagnose import Problem
from jaxnets.models import MLP


def problem(width) -> Problem:
    """Digits through a layer of this width."""
    return of_module(
        MLP(widths=(width,), num_outputs=10), cross_entropy, digits(),
        optimizer=optax.adam(0.01), batch_size=100, num_steps=400,
    )  # fmt: skip


def broken() -> Problem:
    """1."""
    return problem(1)


def repaired() -> Problem:
    """32."""
    return problem(32)


FAULT = Fault(
    broken, "cannot-overfit-a-batch", repaired, task="classification",
    symptom=Figure(accuracy, at_most=0.6), reaches=Figure(accuracy, at_least=0.95),
)  # fmt: skip
