"""The one abstraction: a learner is three pure functions.

    init(key, data) -> state                      all that the next step needs
    step(key, state, batch) -> (state, metrics)   one update
    predict(state, inputs) -> outputs             evaluation mode

Networks (:func:`gradient`), closed forms, fixed-point rules and samplers are all learners, so one
training loop (:func:`jaxnets.train.run`) serves them all.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from jaxnets.types import Batch, Inputs, Key, Metrics, Params, PyTree, State, Targets


class Learner(NamedTuple):
    """Three pure functions over a state that is a pytree of arrays.

    Attributes:
        init: ``(key, data) -> state``; ``data`` is the training :class:`~jaxnets.types.Batch`.
        step: ``(key, state, batch) -> (state, metrics)``; ``metrics`` is a dict of scalars in which
            ``loss`` is what the step minimises, before the update; a true ``converged`` ends the run.
        predict: ``(state, inputs) -> outputs``, row by row, as when the model is used.
    """

    init: Callable[[Key, Batch], State]
    step: Callable[[Key, State, Batch], tuple[State, Metrics]]
    predict: Callable[[State, Inputs], PyTree]


class GradientState(NamedTuple):
    """Trainable arrays, other variables of the module (batch statistics), the optimizer's memory."""

    params: Params
    variables: PyTree
    optimizer: optax.OptState


def gradient(
    model: nn.Module,
    loss: Callable[[PyTree, Targets], jax.Array],
    optimizer: optax.GradientTransformation,
    *,
    penalty: Callable[[Params], jax.Array] | None = None,
) -> Learner:
    """A flax module trained by an optax optimizer on ``loss(outputs, targets) + penalty(params)``.

    Batch statistics and dropout keys are carried here, so that no caller does. A module whose
    ``__call__`` takes ``train`` is told whether it is training.

    >>> import flax.linen as nn, jax, jax.numpy as jnp, optax
    >>> from jaxnets import losses, train
    >>> x = jnp.linspace(-1, 1, 32)[:, None]
    >>> line = gradient(nn.Dense(1), losses.squared_error, optax.sgd(0.5))
    >>> run = train.run(jax.random.key(0), line, (x, 3 * x + 1), num_steps=100)
    >>> bool(jnp.allclose(line.predict(run.state, x), 3 * x + 1, atol=1e-3))
    True
    """
    optimizer = optax.with_extra_args_support(optimizer)
    takes_train = "train" in inspect.signature(type(model).__call__).parameters
    mode = (lambda train: {"train": train}) if takes_train else (lambda train: {})

    def init(key: Key, data: Batch) -> GradientState:
        rngs = dict(zip(("params", "dropout"), jax.random.split(key), strict=True))
        row = jax.tree.map(lambda x: jnp.asarray(x[:1]), data.inputs)
        variables = dict(model.init(rngs, row, **mode(False)))
        params = variables.pop("params", {})
        return GradientState(params, variables, optimizer.init(params))

    def objective(params: Params, variables: PyTree, key: Key, batch: Batch) -> tuple[jax.Array, PyTree]:
        outputs, updated = model.apply(
            {"params": params, **variables}, batch.inputs, **mode(True),
            rngs={"dropout": key}, mutable=list(variables),
        )  # fmt: skip
        value = loss(outputs, batch.targets)
        return value + (penalty(params) if penalty else 0.0), {**variables, **updated}

    def step(key: Key, state: GradientState, batch: Batch) -> tuple[GradientState, Metrics]:
        value_and_grad = jax.value_and_grad(objective, has_aux=True)
        (value, variables), grads = value_and_grad(state.params, state.variables, key, batch)
        updates, memory = optimizer.update(
            grads, state.optimizer, state.params, value=value, grad=grads,
            value_fn=lambda params: objective(params, state.variables, key, batch)[0],
        )  # fmt: skip
        params = optax.apply_updates(state.params, updates)
        return GradientState(params, variables, memory), {"loss": value}

    def predict(state: GradientState, inputs: Inputs) -> PyTree:
        return model.apply({"params": state.params, **state.variables}, inputs, **mode(False))

    return Learner(init, step, predict)
