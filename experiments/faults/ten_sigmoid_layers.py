"""Ten layers of sigmoids: each passes on at most a quarter of the gradient.

Source: Nielsen, Neural Networks and Deep Learning, chapter 5.
Symptom: accuracy at chance; the first layers do not move.
"""

from __future__ import annotations

import flax.linen as nn
import optax

from experiments.faults._data import digits, standardised
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import accuracy
from experiments.faults._networks import cross_entropy, of_module
from jaxnets.diagnose import Problem
from jaxnets.models import MLP


def problem(activation, kernel_init) -> Problem:
    """Digits by ten layers of 20."""
    x, labels = digits()
    model = MLP(widths=(20,) * 10, num_outputs=10, activation=activation, kernel_init=kernel_init)
    return of_module(
        model, cross_entropy, (standardised(x), labels), optimizer=optax.sgd(0.02, momentum=0.9),
        batch_size=50, num_steps=500,
    )  # fmt: skip


def broken() -> Problem:
    """Sigmoids."""
    return problem(nn.sigmoid, nn.initializers.lecun_normal())


def repaired() -> Problem:
    """ReLUs, He's start."""
    return problem(nn.relu, nn.initializers.he_normal())


FAULT = Fault(
    broken, "vanishing-gradient", repaired, task="classification",
    symptom=Figure(accuracy, at_most=0.2), reaches=Figure(accuracy, at_least=0.9),
)  # fmt: skip
