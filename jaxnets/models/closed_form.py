"""Models that are solved at once, as learners of one step."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxnets import check_rows
from jaxnets.learner import Learner
from jaxnets.types import Batch, Inputs, Key, Metrics, PyTree, State


def closed_form(
    fit: Callable[[Batch], tuple[State, Metrics]],
    predict: Callable[[State, Inputs], PyTree],
    *,
    num_classes: int | None = None,
) -> Learner:
    """A model that is solved at once: its one step is ``fit`` on the full batch, from a state of zeros.

    Every step fits its own batch alone: mini-batches make no sense here.

    Args:
        num_classes: where the targets are labels; others are then refused.

    >>> from jaxnets import train
    >>> mean = closed_form(lambda rows: (rows.inputs.mean(), {"loss": rows.inputs.var()}), lambda m, x: x - m)
    >>> float(train.run(jax.random.key(0), mean, (jnp.array([1.0, 3.0]), jnp.zeros(2)), num_steps=1).state)
    2.0
    """

    def init(key: Key, data: Batch) -> State:
        if num_classes is not None:
            check_rows.labels(data.targets, num_classes)
        state, _ = jax.eval_shape(fit, data)
        return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), state)

    return Learner(init, lambda key, state, batch: fit(batch), predict)
