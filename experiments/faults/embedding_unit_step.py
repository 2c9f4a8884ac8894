"""Embeddings by hand, each row's step divided by its gradient's norm, 0 for rows that are not in the batch.

Source: a question about "normalised gradient descent" for word vectors in NumPy: everything is nan
after one step.
Symptom: the vectors of all who are not in the first batch are NaN, and soon so is all.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import accuracy, not_finite
from experiments.faults._networks import cross_entropy
from jaxnets.diagnose import Problem

CITIES, WIDTH, KINDS = 120, 5, 6


def _trips():
    rng = np.random.default_rng(14)
    place = rng.normal(size=(CITIES, 3))
    weights = rng.normal(size=(3, KINDS))
    city = np.concatenate([rng.permutation(CITIES) for _ in range(10)]).astype(np.int32)
    y = (2 * place[city] @ weights + rng.gumbel(size=(len(city), KINDS)) * 0.3).argmax(1).astype(np.int32)
    return (city[:960], y[:960]), (city[960:], y[960:])


def _init(key):
    first, second = jax.random.split(key)
    return {
        "vectors": 0.1 * jax.random.normal(first, (CITIES, WIDTH)),
        "w": jax.random.normal(second, (WIDTH, KINDS)) / jnp.sqrt(WIDTH),
    }


def _predict(params, city):
    return params["vectors"][city] @ params["w"]


def _loss(params, city, y):
    return cross_entropy(_predict(params, city), y)


def _update_by(length):
    def update(params, city, y):
        grad = jax.grad(_loss)(params, city, y)
        rows = grad["vectors"] / length(grad["vectors"])
        return {"vectors": params["vectors"] - 0.1 * rows, "w": params["w"] - 0.1 * grad["w"]}

    return update


def _problem(length):
    data, test = _trips()
    return Problem(
        _init, _predict, _loss, data, test=test, update=_update_by(length), batch_size=40, num_steps=600
    )


def broken() -> Problem:
    """As it was written."""
    return _problem(lambda grad: jnp.sqrt((grad**2).sum(axis=1, keepdims=True)))


def repaired() -> Problem:
    """Mended."""
    return _problem(lambda grad: jnp.maximum(jnp.sqrt((grad**2).sum(axis=1, keepdims=True)), 1e-4))


FAULT = Fault(
    broken,
    "rule-divides-by-zero",
    repaired,
    task="classification",
    symptom=Figure(not_finite, at_least=0.5),
    reaches=Figure(accuracy, at_least=0.8),
)
