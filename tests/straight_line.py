"""What the tests of the training loop share: a small regression, and a line fitted to it."""

from functools import partial

import flax.linen as nn
import jax
import numpy as np
import optax

from jaxnets import learner, train
from jaxnets.data import Dataset
from jaxnets.types import Batch

ROWS, FEATURES, BATCH = 20, 3, 6


def squared(outputs, targets):
    return ((outputs[:, 0] - targets) ** 2).mean()


def make_dataset():
    draw = np.random.default_rng(0)
    inputs = draw.normal(size=(ROWS, FEATURES)).astype(np.float32)
    targets = (inputs @ np.array([1.0, -2.0, 0.5]) + 1).astype(np.float32)
    return Dataset(Batch(inputs, targets), valid=Batch(inputs[:7], targets[:7]))


def line(rate, momentum=0.9):
    return learner.gradient(nn.Dense(1), squared, optax.sgd(rate, momentum=momentum))


@partial(jax.jit, static_argnames=("num_steps", "sampling", "batch_size", "evaluate_every"))
def train_line(
    key, rate, dataset, num_steps=12, sampling="epoch", batch_size=BATCH, evaluate_every=None, state=None
):
    return train.run(
        key, line(rate), dataset, num_steps=num_steps, sampling=sampling, batch_size=batch_size,
        evaluate_every=evaluate_every, metrics=lambda o, t: {"mse": squared(o, t)}, state=state,
    )  # fmt: skip


KEY = jax.random.key(3)


def assert_same(one, other):
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_array_equal(a, b)
