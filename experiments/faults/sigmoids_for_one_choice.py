"""Ten sigmoids for one digit, and only the right one's probability in the loss: all may say yes.

Source: questions about ``-log p[label]`` after a sigmoid.
Symptom: the ten "probabilities" of a row add up to much more than 1.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import optax

from experiments.faults._data import digits
from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import accuracy, outputs
from experiments.faults._networks import dense, forward, supervised
from jaxnets.diagnose import Problem


def cost(p, labels):
    """The right one's surprise."""
    return -jnp.mean(jnp.log(jnp.take_along_axis(p, labels[:, None], axis=1) + 1e-7))


def problem(last) -> Problem:
    """Digits by 32 units."""
    return supervised(
        lambda key: dense(key, (64, 32, 10)), lambda params, x: last(forward(params, x)), cost, digits(),
        optimizer=optax.adam(0.01), batch_size=100, num_steps=300,
    )  # fmt: skip


def broken() -> Problem:
    """Sigmoids."""
    return problem(jax.nn.sigmoid)


def repaired() -> Problem:
    """A softmax."""
    return problem(jax.nn.softmax)


FAULT = Fault(
    broken, "independent-sigmoids", repaired, task="classification",
    symptom=Figure(lambda problem, params: outputs(problem, params).sum(axis=1).mean(), at_least=5),
    reaches=Figure(accuracy, at_least=0.95),
)  # fmt: skip
