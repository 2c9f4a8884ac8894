"""Weights of deviation 0.02, as large language models have them, in a narrow deep net without norms or skips.

Source: a forum on initialisation ("I use the init of the paper and nothing moves").
Symptom: the loss is that of the mean prediction for the whole training.
"""

from __future__ import annotations

import flax.linen as nn
import numpy as np
import optax
from sklearn.datasets import load_breast_cancer

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import sided
from experiments.faults._networks import binary_cross_entropy, of_module
from jaxnets.diagnose import Problem


class Deep(nn.Module):
    """Narrow, without norms."""

    start: nn.initializers.Initializer

    @nn.compact
    def __call__(self, x):
        for _ in range(5):
            x = nn.elu(nn.Dense(24, kernel_init=self.start)(x))
        return nn.Dense(1, kernel_init=self.start)(x)


def data():
    """Rows to train on and to test with."""
    x, y = load_breast_cancer(return_X_y=True)
    order = np.random.default_rng(6).permutation(len(x))
    x, y = x[order], y[order, None].astype(np.float32)
    x = ((x - x[:400].mean(0)) / x[:400].std(0)).astype(np.float32)
    return (x[:400], y[:400]), (x[400:], y[400:])


def problem(start) -> Problem:
    """Either."""
    train, test = data()
    return of_module(
        Deep(start),
        binary_cross_entropy,
        train,
        test=test,
        optimizer=optax.sgd(0.03, momentum=0.9),
        batch_size=40,
        num_steps=300,
    )


def broken() -> Problem:
    """As it was written."""
    return problem(nn.initializers.normal(0.02))


def repaired() -> Problem:
    """Mended."""
    return problem(nn.initializers.he_normal())


FAULT = Fault(
    broken,
    "vanishing-gradient",
    repaired,
    task="classification",
    symptom=Figure(sided(0.0), at_most=0.75),
    reaches=Figure(sided(0.0), at_least=0.9),
)
