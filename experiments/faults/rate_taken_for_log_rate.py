"""A network that gives a rate, into a Poisson loss that takes what it is given for the logarithm of one.

Source: issues about ``log_input=True``, which is the default of a widely used Poisson loss.
Symptom: for each mean count the logarithm of it is predicted.
"""

from __future__ import annotations

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import optax

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import squared_error
from experiments.faults._networks import of_module
from jaxnets.diagnose import Problem


class Rate(nn.Module):
    """Twelve units, a positive rate."""

    @nn.compact
    def __call__(self, x):
        """``[n]``."""
        return nn.softplus(nn.Dense(1)(nn.relu(nn.Dense(12)(x))))[:, 0]


def calls():
    """Calls an hour, by two standardised findings."""
    generator = np.random.default_rng(9)
    x = generator.normal(size=(400, 2)).astype(np.float32)
    return x, generator.poisson(8 + 5 * np.tanh(x[:, 0]) + 2 * x[:, 1].clip(-1, 1)).astype(np.float32)


def of_log_rates(z, counts):
    """``e^z - y z``."""
    return jnp.mean(jnp.exp(z) - counts * z)


def of_rates(rate, counts):
    """``r - y ln r``."""
    return jnp.mean(rate - counts * jnp.log(rate + 1e-6))


def problem(cost) -> Problem:
    """By Adam."""
    return of_module(Rate(), cost, calls(), optimizer=optax.adam(0.02), batch_size=100, num_steps=400)


def broken() -> Problem:
    """The default."""
    return problem(of_log_rates)


def repaired() -> Problem:
    """The one of rates."""
    return problem(of_rates)


FAULT = Fault(
    broken, "loss-not-minimal-at-target", repaired, task="regression",
    symptom=Figure(squared_error, at_least=1.5), reaches=Figure(squared_error, at_most=0.6),
)  # fmt: skip
