"""A softmax that is divided by the sum over the whole matrix, all rows and classes, when it predicts.

Source: a network from scratch, 784-300-75-10 with ReLUs; trained row by row, tested on matrices.
Symptom: the accuracy rises while the loss rises.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from experiments.faults._data import large_digits, one_hot
from experiments.faults._fault import Fault, Figure, train
from experiments.faults._figures import accuracy
from experiments.faults._figures import loss as final_loss
from experiments.faults._networks import dense, forward
from jaxnets.diagnose import Problem


def init(key):
    """He's deviation."""
    return dense(key, (784, 300, 75, 10), gain=2**0.5)


def scores(params, x):
    """Before the softmax."""
    return forward(params, x, jax.nn.relu)


def predict(params, x):
    """Divided by the sum of everything."""
    powers = jnp.exp(scores(params, x))
    return powers / powers.sum()


def loss(params, x, y):
    """Cross-entropy of the predictions."""
    return -jnp.mean(jnp.sum(y * jnp.log(predict(params, x) + 1e-12), axis=1))


def gradient(params, x, y):
    """Of the training, where each row has its own softmax."""
    cost = lambda params: -jnp.mean(jnp.sum(y * jax.nn.log_softmax(scores(params, x)), axis=1))  # noqa: E731
    return jax.grad(cost)(params)


def broken() -> Problem:
    """As asked."""
    x, labels = large_digits()
    data = (x, one_hot(labels, 10))
    return Problem(
        init, predict, loss, data, gradient=gradient, learning_rate=0.1, batch_size=20, num_steps=300
    )


def repaired() -> Problem:
    """Row by row, always."""
    cost = lambda params, x, y: -jnp.mean(jnp.sum(y * jax.nn.log_softmax(scores(params, x)), axis=1))  # noqa: E731
    return broken().replace(
        predict=lambda params, x: jax.nn.softmax(scores(params, x)), loss=cost, gradient=None
    )


def growth(problem, params):
    """How much the loss grew since half of the training, where the accuracy is high."""
    earlier = train(problem.replace(num_steps=problem.num_steps // 2), jax.random.key(0))
    is_good = accuracy(problem, params) >= 0.85
    return final_loss(problem, params) - final_loss(problem, earlier) if is_good else float("nan")


FAULT = Fault(
    broken, "batch-dependence", repaired, task="classification", equivalents=("single-batch-mismatch",),
    symptom=Figure(growth, at_least=0.0), reaches=Figure(final_loss, at_most=0.3),
)  # fmt: skip
