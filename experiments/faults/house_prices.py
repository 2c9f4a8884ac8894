"""Boston's suburbs as they are measured: taxes of 700 beside nitric oxides of 0.5, into sigmoids.

Source: a first regression with a network; LeCun, Bottou, Orr & Müller 1998, Efficient BackProp, 4.3.
Symptom: nearly the same price for every suburb.
"""

from __future__ import annotations

import flax.linen as nn
import optax

from experiments.faults._data import column, scaled_table, table
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import squared_error
from experiments.faults._networks import mean_square, of_module
from jaxnets.diagnose import Problem
from jaxnets.models import MLP


def problem(x, prices) -> Problem:
    """Sixteen sigmoids; prices in units of 10,000 dollars."""
    model = MLP(widths=(16,), num_outputs=1, activation=nn.sigmoid)
    return of_module(
        model, mean_square, (x, column(prices / 10)), optimizer=optax.sgd(0.1, momentum=0.9), num_steps=400
    )


def broken() -> Problem:
    """As they are."""
    return problem(*table("boston"))


def repaired() -> Problem:
    """Standardised."""
    return problem(*scaled_table("boston"))


FAULT = Fault(
    broken, "inputs-unscaled", repaired, task="regression", equivalents=("saturated-units",
    "vanishing-gradient"),
    symptom=Figure(squared_error, at_least=0.6), reaches=Figure(squared_error, at_most=0.2),
)  # fmt: skip
