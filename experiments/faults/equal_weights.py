"""All weights begin at 0.1: the sixteen units of a layer are one unit, and stay so.

Source: "small numbers to begin with"; Goodfellow, Bengio, Courville, Deep Learning, 8.4.
Symptom: it fits as a network of a single unit does.
"""

from __future__ import annotations

import flax.linen as nn
import optax

from experiments.faults._data import bump
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import squared_error
from experiments.faults._networks import mean_square, of_module
from jaxnets.diagnose import Problem
from jaxnets.models import MLP


def problem(kernel_init) -> Problem:
    """A curve by 16 units."""
    model = MLP(widths=(16,), num_outputs=1, activation=nn.tanh, kernel_init=kernel_init)
    return of_module(model, mean_square, bump(), optimizer=optax.adam(0.03), num_steps=600)


def broken() -> Problem:
    """0.1."""
    return problem(nn.initializers.constant(0.1))


def repaired() -> Problem:
    """flax's own."""
    return problem(nn.initializers.lecun_normal())


FAULT = Fault(
    broken, "identical-units", repaired, task="regression", equivalents=("symmetric-init",),
    symptom=Figure(squared_error, at_least=0.2), reaches=Figure(squared_error, at_most=0.05),
)  # fmt: skip
