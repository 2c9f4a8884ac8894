"""Networks written out by hand, parameters and gradient alike, as learners."""

from __future__ import annotations

from collections.abc import Callable

import jax
import optax

from jaxnets.learner import GradientState, Learner
from jaxnets.types import Batch, Inputs, Key, Metrics, Params, PyTree, Targets


def by_hand(
    init: Callable[[Key], Params],
    value_and_grad: Callable[[Params, Inputs, Targets], tuple[jax.Array, Params]],
    optimizer: optax.GradientTransformation,
    predict: Callable[[Params, Inputs], PyTree],
) -> Learner:
    """Plain functions of a pytree of parameters, trained by an optax optimizer.

    Args:
        init: ``key -> params``.
        value_and_grad: ``(params, inputs, targets) -> (loss, gradient)``: a gradient derived by hand (see
            :mod:`jaxnets.backprop`), or ``jax.value_and_grad`` of a loss; the gradient is a pytree as params.
        predict: ``(params, inputs) -> outputs``.

    >>> import jax.numpy as jnp
    >>> from jaxnets import train
    >>> def half_square(w, x, y):
    ...     return 0.5 * jnp.mean((w * x - y) ** 2), jnp.mean((w * x - y) * x)
    >>> line = by_hand(lambda key: jnp.zeros(()), half_square, optax.sgd(0.5), lambda w, x: w * x)
    >>> x = jnp.array([-1.0, 0.0, 1.0])
    >>> round(float(train.run(jax.random.key(0), line, (x, 3 * x), num_steps=50).state.params), 4)
    3.0

    Reference: Nielsen, Neural Networks and Deep Learning, chapter 2.
    """

    asked = optax.with_extra_args_support(optimizer)

    def begin(key: Key, data: Batch) -> GradientState:
        params = init(key)
        return GradientState(params, {}, optimizer.init(params))

    def step(key: Key, state: GradientState, batch: Batch) -> tuple[GradientState, Metrics]:
        value, grads = value_and_grad(state.params, batch.inputs, batch.targets)
        updates, memory = asked.update(
            grads, state.optimizer, state.params, value=value, grad=grads,
            value_fn=lambda params: value_and_grad(params, batch.inputs, batch.targets)[0],
        )  # fmt: skip
        return GradientState(optax.apply_updates(state.params, updates), {}, memory), {"loss": value}

    return Learner(begin, step, lambda state, inputs: predict(state.params, inputs))
