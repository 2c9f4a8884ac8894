"""The rate 1/n by coordinate or by row, and optimizers that leave alone what is not in the batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxnets.optimizers.adaptive import Rate, with_rate
from jaxnets.types import Array, Bool, Float, Int, Params, PyTree

Seen = Callable[[Array], jax.Array]
"""``gradient -> mask``, of a shape that broadcasts with the gradient's."""


class InverseCountState(NamedTuple):
    """How often each coordinate, or row, was seen."""

    counts: PyTree[Int[Array, ...]]


def coordinates(gradient: Float[Array, ...]) -> Bool[Array, ...]:
    """The coordinates whose gradient is not 0.

    >>> coordinates(jnp.array([[0.0, 2.0], [0.0, 0.0]])).tolist()
    [[False, True], [False, False]]
    """
    return gradient != 0


def rows(gradient: Float[Array, "n ..."]) -> Bool[Array, "n ..."]:
    """The rows (first axis) whose gradient is not 0 everywhere: those of an embedding that are in the batch.

    >>> rows(jnp.array([[0.0, 2.0], [0.0, 0.0]])).tolist()
    [[True], [False]]
    """
    return jnp.any(gradient != 0, axis=tuple(range(1, jnp.ndim(gradient))), keepdims=True)


def inverse_count(
    learning_rate: Rate = 1.0, *, seen: Seen = coordinates
) -> optax.GradientTransformationExtraArgs:
    """The rate ``rate / n``, where ``n`` counts how often the coordinate, or row, was seen: once a batch.

    On ``0.5 (w - x)^2`` with a rate of 1, ``w`` is the mean of all ``x`` so far, whatever it starts from;
    what was never seen stays where it is.

    Args:
        seen: :func:`coordinates`, or :func:`rows` (one count a row). Where a gradient may be exactly 0
            though the row is in the batch, give ``update`` the masks themselves: ``present``, a pytree as the
            parameters', of masks that broadcast with them. Where a batch may hold a row more than once, give
            it integers instead, how often, with the gradients summed over the batch, not averaged.

    Raises:
        InputError: a negative rate, infinity or NaN.

    >>> rule, w = inverse_count(), jnp.array([5.0, 5.0])
    >>> state = rule.init(w)
    >>> for x in (1.0, 2.0, 6.0):
    ...     updates, state = rule.update(jnp.array([w[0] - x, 0.0]), state)
    ...     w = w + updates
    >>> w.tolist()
    [3.0, 5.0]

    Reference: Robbins & Monro 1951; Bottou 1998, Online learning and stochastic approximations, 4.1.
    """

    def init(params: Params) -> InverseCountState:
        return InverseCountState(jax.tree.map(lambda w: jnp.zeros_like(seen(w), jnp.int32), params))

    def update(
        grads: Params, state: InverseCountState, params: Params | None = None, *,
        present: PyTree | None = None, **extra: PyTree,
    ):  # fmt: skip
        masks = jax.tree.map(seen, grads) if present is None else present
        counts = jax.tree.map(lambda n, mask: n + mask.astype(n.dtype), state.counts, masks)
        updates = jax.tree.map(
            lambda g, n, mask: jnp.where(mask > 0, g / jnp.maximum(n, 1), 0), grads, counts, masks
        )
        return updates, InverseCountState(counts)

    return with_rate(optax.GradientTransformationExtraArgs(init, update), learning_rate)


def only_seen(
    optimizer: optax.GradientTransformation, *, seen: Seen = rows
) -> optax.GradientTransformationExtraArgs:
    """The optimizer, but what is not in the batch keeps its parameters and its part of the memory.

    Else Adam's moving averages would push rows of an embedding long after they were seen, and forget the
    scale of rare ones. What the optimizer keeps once for all, as the number of steps, goes on.

    Args:
        seen: as of :func:`inverse_count`; ``present`` may be given to ``update`` here, too.

    >>> rule = only_seen(optax.adam(0.5))
    >>> state = rule.init(jnp.zeros((2, 1)))
    >>> for gradient in ([[1.0], [0.0]], [[0.0], [1.0]]):
    ...     updates, state = rule.update(jnp.array(gradient), state)
    >>> updates[0].tolist()
    [0.0]

    Reference: the lazy form of Duchi, Hazan & Singer 2011, section 1.3, for sparse gradients.
    """
    inner = optax.with_extra_args_support(optimizer)

    def update(
        grads: Params, state: PyTree, params: Params | None = None, *,
        present: PyTree | None = None, **extra: PyTree,
    ):  # fmt: skip
        masks = jax.tree.map(seen, grads) if present is None else present
        updates, memory = inner.update(grads, state, params, **extra)
        masks = jax.tree.map(lambda times: times > 0, masks)
        changes = optax.tree.map_params(
            inner, lambda old, mask: mask, state, masks, transform_non_params=lambda old: True
        )
        kept = jax.tree.map(jnp.where, changes, memory, state)
        return jax.tree.map(lambda mask, u: jnp.where(mask, u, 0), masks, updates), kept

    return optax.GradientTransformationExtraArgs(inner.init, update)
