"""Runs side by side are the runs alone: same keys, same rows, same states."""

import flax.linen as nn
import jax
import numpy as np
import optax

from jaxnets import losses, train
from jaxnets.learner import gradient
from jaxnets.models import logistic_regression, side_by_side
from jaxnets.types import Batch

RANDOM = np.random.default_rng(0)
INPUTS = RANDOM.normal(size=(12, 3, 2)).astype(np.float32)
LABELS = RANDOM.integers(0, 2, size=(12, 3))
KEY = jax.random.key(0)


def test_each_run_is_the_run_alone():
    one = gradient(nn.Dense(2), losses.softmax_cross_entropy, optax.adam(0.1))
    together = side_by_side(one)
    batch = Batch(INPUTS, LABELS)
    state = together.init(KEY, batch)
    after, metrics = together.step(KEY, state, batch)
    scores, alone = together.predict(after, INPUTS), []
    for number, key in enumerate(jax.random.split(KEY, 3)):
        rows = Batch(INPUTS[:, number], LABELS[:, number])
        own, own_metrics = one.step(key, one.init(key, rows), rows)
        np.testing.assert_allclose(scores[:, number], one.predict(own, rows.inputs), atol=1e-6)
        alone.append(own_metrics["loss"])
    np.testing.assert_allclose(metrics["loss"], np.mean(alone), rtol=1e-6)


def test_ends_when_all_have_converged():
    both = side_by_side(logistic_regression(num_classes=2, l2=1.0))
    run = jax.jit(lambda key: train.run(key, both, (INPUTS, LABELS), num_steps=300, evaluate_every=10))(KEY)
    assert run.status.code == train.status.CONVERGED
    assert 0 < run.status.step < 300
