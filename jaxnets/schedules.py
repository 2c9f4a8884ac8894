"""Schedules of a learning rate: ``schedule(step) -> rate`` for steps 0, 1, 2, ...

Every argument, counts of steps too, may be traced: a schedule can be built inside ``jit`` and
``vmap`` from swept hyperparameters, and given to any optax optimizer.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxnets import check
from jaxnets.types import Array, Int, Scalar

Count = Int[Array, ""] | int | Scalar
"""A number of steps."""

Schedule = Callable[[Count], jax.Array]
"""From the number of the step to the rate."""


def constant(rate: Scalar) -> Schedule:
    """The same rate at each step.

    >>> float(constant(0.5)(7))
    0.5
    """
    return lambda step: jnp.asarray(rate)


def exponential_decay(rate: Scalar, *, factor: Scalar, every: Count) -> Schedule:
    """``rate factor^(step / every)``.

    Args:
        factor: positive; the rate shrinks by it in ``every`` steps.

    >>> float(exponential_decay(0.5, factor=0.5, every=10)(20))
    0.125
    """
    _positive(every=every, factor=factor)
    return lambda step: rate * jnp.power(factor, jnp.asarray(step) / every)


def step_decay(rate: Scalar, *, factor: Scalar, every: Count) -> Schedule:
    """``rate factor^floor(step / every)``: a staircase; with ``every`` the steps of an epoch, by epochs.

    >>> [float(step_decay(0.5, factor=0.5, every=10)(step)) for step in (9, 10)]
    [0.5, 0.25]
    """
    _positive(every=every, factor=factor)
    return lambda step: rate * jnp.power(factor, jnp.floor(jnp.asarray(step) / every))


def inverse_time(rate: Scalar, *, every: Count, power: Scalar = 1.0) -> Schedule:
    """``rate / (1 + step / every)^power``: with powers in (0.5, 1], the rates of Robbins and Monro.

    >>> float(inverse_time(0.5, every=10)(30))
    0.125

    Reference: Robbins & Monro 1951; Bottou 2012, Stochastic gradient descent tricks, 5.2.
    """
    _positive(every=every)
    return lambda step: rate / jnp.power(1 + jnp.asarray(step) / every, power)


def polynomial_decay(rate: Scalar, *, num_steps: Count, end: Scalar = 0.0, power: Scalar = 1.0) -> Schedule:
    """``end + (rate - end) (1 - step / num_steps)^power``, then ``end``; linear for ``power=1``.

    >>> [float(polynomial_decay(0.5, num_steps=10)(step)) for step in (0, 5, 20)]
    [0.5, 0.25, 0.0]
    """
    _positive(num_steps=num_steps)

    def schedule(step: Count) -> jax.Array:
        left = 1 - _progress(step, num_steps)
        # The slope of 0^power is infinite for powers below 1.
        decayed = jnp.power(jnp.where(left > 0, left, 1), power)
        return end + (rate - end) * jnp.where(left > 0, decayed, 0)

    return schedule


def cosine_decay(rate: Scalar, *, num_steps: Count, end: Scalar = 0.0) -> Schedule:
    """``end + (rate - end) (1 + cos(pi step / num_steps)) / 2``, then ``end``.

    >>> [round(float(cosine_decay(0.5, num_steps=10)(step)), 6) for step in (0, 5, 20)]
    [0.5, 0.25, 0.0]

    Reference: Loshchilov & Hutter 2017, SGDR, equation 5.
    """
    _positive(num_steps=num_steps)
    return lambda step: end + (rate - end) * (1 + jnp.cos(jnp.pi * _progress(step, num_steps))) / 2


def warmup_cosine(
    rate: Scalar, *, num_warmup: Count, num_steps: Count, start: Scalar = 0.0, end: Scalar = 0.0
) -> Schedule:
    """A line from ``start`` to ``rate``, then :func:`cosine_decay` from there to ``end``.

    Args:
        num_warmup: 0 or more, fewer than ``num_steps``.
        num_steps: all steps, those of the warm-up among them.

    >>> schedule = warmup_cosine(0.5, num_warmup=4, num_steps=14)
    >>> [round(float(schedule(step)), 6) for step in (0, 2, 4, 9, 14)]
    [0.0, 0.25, 0.5, 0.25, 0.0]

    Reference: Goyal et al. 2017, section 2.2.
    """
    check.interval("num_warmup", num_warmup, check.NON_NEGATIVE)
    if not check.is_traced((num_warmup, num_steps)):
        check.interval("num_steps - num_warmup", num_steps - num_warmup, check.POSITIVE)

    def schedule(step: Count) -> jax.Array:
        step = jnp.asarray(step)
        # One step is as short as both get; where there is none, nothing is divided by 0.
        warm = start + (rate - start) * (step / jnp.maximum(num_warmup, 1))
        num_decay = jnp.maximum(num_steps - num_warmup, 1)
        decayed = cosine_decay(rate, num_steps=num_decay, end=end)(step - num_warmup)
        return jnp.where(step < num_warmup, warm, decayed)

    return schedule


def _progress(step: Count, num_steps: Count) -> jax.Array:
    """Fraction of the steps that are done, in [0, 1]."""
    return jnp.clip(jnp.asarray(step) / num_steps, 0, 1)


def _positive(**values: Count) -> None:
    for name, value in values.items():
        check.interval(name, value, check.POSITIVE)
