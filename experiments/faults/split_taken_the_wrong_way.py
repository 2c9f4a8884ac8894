"""``test, train = split(rows, 0.9)``: the names of the two parts exchanged.

Source: questions about scikit-learn's ``train_test_split``, whose results have an order.
Symptom: a good fit of 44 patients, a bad one of 398.
"""

from __future__ import annotations

import optax

from experiments.faults._data import column, scaled_table
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import squared_error
from experiments.faults._networks import dense, forward, mean_square, supervised
from jaxnets.diagnose import Problem


def problem(few_to_train, num_steps) -> Problem:
    """The diabetes' progression, in units of 100."""
    x, y = scaled_table("diabetes")
    few, many = (x[:44], column(y[:44] / 100)), (x[44:], column(y[44:] / 100))
    train, test = (few, many) if few_to_train else (many, few)
    return supervised(
        lambda key: dense(key, (10, 16, 1)), forward, mean_square, train, test=test,
        optimizer=optax.adam(0.01), num_steps=num_steps,
    )  # fmt: skip


def broken() -> Problem:
    """A tenth to train."""
    return problem(True, 400)


def repaired() -> Problem:
    """A tenth to test."""
    return problem(False, 100)


FAULT = Fault(
    broken, "train-smaller-than-test", repaired, task="regression", equivalents=("overfitting",),
    symptom=Figure(squared_error, at_least=0.8), reaches=Figure(squared_error, at_most=0.7),
)  # fmt: skip
