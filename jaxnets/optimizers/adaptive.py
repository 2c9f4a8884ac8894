"""AdaGrad, RMSProp, AdaDelta and Adam: a scale for each coordinate, from its past gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxnets import check
from jaxnets.types import Array, Int, Params, Scalar

Rate = Scalar | Callable
"""A learning rate, 0 or more, or a schedule ``step -> rate``."""


class AdaGradState(NamedTuple):
    """Sum of squared gradients."""

    squares: Params


class RMSPropState(NamedTuple):
    """Moving average of squared gradients."""

    squares: Params


class AdaDeltaState(NamedTuple):
    """Moving averages of squared gradients and of squared updates."""

    squares: Params
    squared_updates: Params


class AdamState(NamedTuple):
    """Steps so far; moving averages of gradients and of their squares."""

    num_steps: Int[Array, "*lanes"]
    means: Params
    squares: Params


def adagrad(
    learning_rate: Rate, *, initial_accumulator: Scalar = 0.1, epsilon: Scalar = 1e-7
) -> optax.GradientTransformationExtraArgs:
    """AdaGrad: ``s += g^2``, ``w -= rate g / sqrt(s + epsilon)``: rare coordinates keep large steps.

    Args:
        initial_accumulator: where ``s`` starts, 0 or more; where ``s`` is 0, nothing moves.
        epsilon: 0 or more.

    Raises:
        InputError: a negative rate, accumulator or epsilon.

    >>> rule = adagrad(0.5, initial_accumulator=0.0)
    >>> updates, _ = rule.update(jnp.array([8.0, 0.0]), rule.init(jnp.zeros(2)))
    >>> updates.tolist()
    [-0.5, -0.0]

    Reference: Duchi, Hazan & Singer 2011, Adaptive subgradient methods, figure 1.
    """
    check.interval("initial_accumulator", initial_accumulator, check.NON_NEGATIVE)
    check.interval("epsilon", epsilon, check.NON_NEGATIVE)

    def init(params: Params) -> AdaGradState:
        return AdaGradState(jax.tree.map(lambda w: jnp.full_like(w, initial_accumulator), params))

    def update(
        grads: Params, state: AdaGradState, params: Params | None = None
    ) -> tuple[Params, AdaGradState]:
        squares = jax.tree.map(lambda s, g: s + g * g, state.squares, grads)
        return jax.tree.map(scaled, grads, squares), AdaGradState(squares)

    def scaled(g: Array, s: Array) -> jax.Array:
        return g * jnp.where(s > 0, jax.lax.rsqrt(jnp.where(s > 0, s, 1) + epsilon), 0)

    return with_rate(optax.GradientTransformation(init, update), learning_rate)


def rmsprop(
    learning_rate: Rate, *, decay: Scalar = 0.9, epsilon: Scalar = 1e-8
) -> optax.GradientTransformationExtraArgs:
    """RMSProp: ``s = decay s + (1 - decay) g^2``, ``w -= rate g / sqrt(s + epsilon)``.

    Args:
        decay: share of the past, in [0, 1).
        epsilon: above 0, else what has no gradient would be divided by 0.

    Raises:
        InputError: a rate, decay or epsilon outside these ranges.

    >>> rule = rmsprop(0.5, decay=0.75)
    >>> rule.update(jnp.array([8.0]), rule.init(jnp.zeros(1)))[0].tolist()  # 8 / sqrt(64 / 4) = 2
    [-1.0]

    Reference: Tieleman & Hinton 2012, Neural networks for machine learning, lecture 6e.
    """
    check.interval("decay", decay, check.FRACTION)
    check.interval("epsilon", epsilon, check.POSITIVE)

    def init(params: Params) -> RMSPropState:
        return RMSPropState(_zeros(params))

    def update(
        grads: Params, state: RMSPropState, params: Params | None = None
    ) -> tuple[Params, RMSPropState]:
        squares = _average(decay, state.squares, _squared(grads))
        updates = jax.tree.map(lambda g, s: g * jax.lax.rsqrt(s + epsilon), grads, squares)
        return updates, RMSPropState(squares)

    return with_rate(optax.GradientTransformation(init, update), learning_rate)


def adadelta(
    learning_rate: Rate = 1.0, *, decay: Scalar = 0.95, epsilon: Scalar = 1e-6
) -> optax.GradientTransformationExtraArgs:
    """AdaDelta: ``u = g sqrt(d + epsilon) / sqrt(s + epsilon)``, ``w -= rate u``: steps in units of ``w``.

    ``s`` and ``d`` are moving averages of ``g^2`` (with this gradient) and of ``u^2`` (before this update).

    Args:
        decay: share of the past, in [0, 1).
        epsilon: above 0; its root is the length of the first steps.

    Raises:
        InputError: a rate, decay or epsilon outside these ranges.

    >>> rule = adadelta(decay=0.75, epsilon=1.0)
    >>> rule.update(jnp.array([2.0]), rule.init(jnp.zeros(1)))[0].round(3).tolist()  # 2 / sqrt(1 + 1)
    [-1.414...]

    Reference: Zeiler 2012, ADADELTA: an adaptive learning rate method, algorithm 1.
    """
    check.interval("decay", decay, check.FRACTION)
    check.interval("epsilon", epsilon, check.POSITIVE)

    def init(params: Params) -> AdaDeltaState:
        return AdaDeltaState(_zeros(params), _zeros(params))

    def update(
        grads: Params, state: AdaDeltaState, params: Params | None = None
    ) -> tuple[Params, AdaDeltaState]:
        squares = _average(decay, state.squares, _squared(grads))
        updates = jax.tree.map(
            lambda g, s, d: jnp.sqrt(d + epsilon) / jnp.sqrt(s + epsilon) * g,
            grads, squares, state.squared_updates,
        )  # fmt: skip
        return updates, AdaDeltaState(squares, _average(decay, state.squared_updates, _squared(updates)))

    return with_rate(optax.GradientTransformation(init, update), learning_rate)


def adam(
    learning_rate: Rate, *, b1: Scalar = 0.9, b2: Scalar = 0.999, epsilon: Scalar = 1e-8
) -> optax.GradientTransformationExtraArgs:
    """Adam: ``w -= rate m' / (sqrt(s') + epsilon)``, with ``m' = m / (1 - b1^t)``, ``s' = s / (1 - b2^t)``.

    ``m`` and ``s`` are moving averages of ``g`` and ``g^2``; the divisors make up for their start at 0.

    Args:
        b1: share of the past in ``m``, in [0, 1).
        b2: the same in ``s``.
        epsilon: above 0, else what has no gradient would be divided by 0.

    Raises:
        InputError: a rate, ``b1``, ``b2`` or epsilon outside these ranges.

    >>> rule = adam(0.5)
    >>> updates, _ = rule.update(jnp.array([1e-3, -10.0]), rule.init(jnp.zeros(2)))
    >>> updates.round(3).tolist()  # the first step has the length of the rate
    [-0.5, 0.5]

    Reference: Kingma & Ba 2015, Adam: a method for stochastic optimization, algorithm 1.
    """
    for name, value in {"b1": b1, "b2": b2}.items():
        check.interval(name, value, check.FRACTION)
    check.interval("epsilon", epsilon, check.POSITIVE)

    def init(params: Params) -> AdamState:
        return AdamState(jnp.int32(0), _zeros(params), _zeros(params))

    def update(grads: Params, state: AdamState, params: Params | None = None) -> tuple[Params, AdamState]:
        t = state.num_steps + 1
        means = _average(b1, state.means, grads)
        squares = _average(b2, state.squares, _squared(grads))
        updates = jax.tree.map(
            lambda m, s: m / (1 - b1**t) / (jnp.sqrt(s / (1 - b2**t)) + epsilon), means, squares
        )
        return updates, AdamState(t, means, squares)

    return with_rate(optax.GradientTransformation(init, update), learning_rate)


def with_rate(
    rule: optax.GradientTransformation, learning_rate: Rate
) -> optax.GradientTransformationExtraArgs:
    """The rule's updates times ``-learning_rate``, a number (0 or more) or a schedule.

    Raises:
        InputError: a negative rate, infinity or NaN.

    >>> rule = with_rate(optax.identity(), 0.5)
    >>> float(rule.update(jnp.array(2.0), rule.init(jnp.array(1.0)))[0])
    -1.0
    """
    if not callable(learning_rate):
        check.interval("learning_rate", learning_rate, check.NON_NEGATIVE)
    return optax.chain(rule, optax.scale_by_learning_rate(learning_rate))


def _zeros(params: Params) -> Params:
    return jax.tree.map(jnp.zeros_like, params)


def _squared(grads: Params) -> Params:
    return jax.tree.map(jnp.square, grads)


def _average(decay: Scalar, old: Params, new: Params) -> Params:
    """``(1 - decay) new + decay old``, in this order: as optax rounds it."""
    return jax.tree.map(lambda a, b: (1 - decay) * b + decay * a, old, new)
