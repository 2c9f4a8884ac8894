"""Policy gradient on a contextual bandit: the expected reward is handed to an optimizer, which minimises it.

Source: a course on reinforcement learning (policy gradient by automatic differentiation).
Symptom: the policy becomes certain, and nearly never picks the arm that pays.
"""

from __future__ import annotations

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import optax

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import outputs
from experiments.faults._networks import of_module
from jaxnets.diagnose import Problem


class Policy(nn.Module):
    """Scores of the actions."""

    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Dense(32)(x))
        x = nn.relu(nn.Dense(32)(x))
        return nn.softmax(nn.Dense(4)(x))


def data():
    """Contexts, and the reward of each of four arms: 1 for the best one, 0 for the others."""
    rng = np.random.default_rng(21)
    x = rng.normal(size=(1000, 5)).astype(np.float32)
    value = np.tanh(x @ rng.normal(size=(5, 6))) @ rng.normal(size=(6, 4))
    value = (value - value.mean(0)) / value.std(0)
    rewards = np.eye(4, dtype=np.float32)[value.argmax(1)]
    return (x[:800], rewards[:800]), (x[800:], rewards[800:])


def expected(policy, rewards):
    """The mean reward of a policy."""
    return jnp.mean(jnp.sum(policy * rewards, axis=-1))


def reward(problem, params) -> float:
    """Of the arm that the policy likes best."""
    chosen = outputs(problem, params).argmax(1)
    return float(problem.test.targets[np.arange(len(chosen)), chosen].mean())


def problem(cost) -> Problem:
    """Either."""
    train, test = data()
    return of_module(
        Policy(), cost, train, test=test, optimizer=optax.rmsprop(2e-3), batch_size=50, num_steps=600
    )


def broken() -> Problem:
    """As it was written."""
    return problem(expected)


def repaired() -> Problem:
    """Mended."""
    return problem(lambda policy, rewards: -expected(policy, rewards))


FAULT = Fault(
    broken,
    "loss-sign",
    repaired,
    task="classification",
    symptom=Figure(reward, at_most=0.1),
    reaches=Figure(reward, at_least=0.75),
    equivalents=("loss-not-minimal-at-target",),
)
