"""Linear support vector machines by stochastic subgradient steps on mini-batches."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxnets import check, check_rows
from jaxnets.layers import flatten
from jaxnets.learner import Learner
from jaxnets.types import Array, Batch, Float, Key, Metrics, Scalar, Shaped


class PegasosState(NamedTuple):
    """Scores are ``[inputs, 1] @ average``.

    Attributes:
        weights: the last iterate; its last row multiplies the constant input 1.
        average: mean of the iterates, the later ones weighing more.
        num_steps: steps made.
    """

    weights: Float[Array, "d1 k"]
    average: Float[Array, "d1 k"]
    num_steps: Float[Array, ""]


def pegasos(*, num_classes: int, l2: Scalar = 1e-3) -> Learner:
    """Minimises ``l2 / 2 |w|^2 + mean_i max(0, 1 - y_i w' [x_i, 1])`` for each class against the rest.

    Step ``t`` goes ``1 / (l2 t)`` along the subgradient of a batch, then back into the ball
    ``|w| <= 1 / sqrt(l2)`` that holds the optimum. The intercept is penalised, as in LIBLINEAR, with
    ``C = 1 / (l2 n)``.

    Args:
        l2: strength of the penalty, positive.

    Raises:
        InputError: ``l2`` is not positive, or labels are outside ``0..num_classes-1``.

    >>> import jax
    >>> from jaxnets import train
    >>> x, y = jnp.array([[-2.0], [-1.0], [1.0], [2.0]]), jnp.array([0, 0, 1, 1])
    >>> model = pegasos(num_classes=2, l2=0.1)
    >>> run = train.run(jax.random.key(0), model, (x, y), num_steps=300, batch_size=2)
    >>> model.predict(run.state, x).argmax(1).tolist()
    [0, 0, 1, 1]

    Reference: Shalev-Shwartz, Singer, Srebro and Cotter (2011), Pegasos; averaging: Lacoste-Julien,
    Schmidt and Bach (2012).
    """
    check.count("num_classes", num_classes, 2)
    check.interval("l2", l2, check.POSITIVE)

    def init(key: Key, data: Batch) -> PegasosState:
        check_rows.labels(data.targets, num_classes)
        num_weights = _with_constant(data.inputs[:1]).shape[1]
        zeros = jnp.zeros((num_weights, num_classes))
        return PegasosState(zeros, zeros, jnp.zeros(()))

    def step(key: Key, state: PegasosState, batch: Batch) -> tuple[PegasosState, Metrics]:
        inputs, step_number = _with_constant(batch.inputs), state.num_steps + 1
        signs = 2 * jax.nn.one_hot(batch.targets, num_classes, dtype=inputs.dtype) - 1
        hinges = jnp.maximum(0, 1 - signs * (inputs @ state.weights))
        loss = l2 / 2 * jnp.sum(state.weights**2) + jnp.sum(jnp.mean(hinges, axis=0))
        pull = inputs.T @ jnp.where(hinges > 0, signs, 0) / len(inputs)
        weights = (1 - 1 / step_number) * state.weights + pull / (l2 * step_number)
        norms = jnp.linalg.norm(weights, axis=0, keepdims=True)
        weights = weights * jnp.minimum(1, 1 / jnp.maximum(norms * jnp.sqrt(l2), 1e-30))
        average = state.average + 2 / (step_number + 1) * (weights - state.average)
        return PegasosState(weights, average, step_number), {"loss": loss}

    def predict(state: PegasosState, inputs: Shaped[Array, "n ..."]) -> Float[Array, "n k"]:
        return _with_constant(inputs) @ state.average

    return Learner(init, step, predict)


def _with_constant(inputs: Shaped[Array, "n ..."]) -> Float[Array, "n d1"]:
    rows = flatten(inputs)
    return jnp.concatenate([rows, jnp.ones((len(rows), 1), rows.dtype)], axis=1)
