"""How far to go down the gradient: rules for the size of a step of plain gradient descent.

A rule is a function ``(objective, here, before) -> size`` of the two latest points; ``exact`` and the two of
Barzilai and Borwein are rules, the other functions make one.

Reference: Nocedal & Wright, Numerical Optimization, chapter 3; Barzilai & Borwein (1988), Two-point step
size gradient methods; Raydan (1993) proves that they converge on every strictly convex quadratic.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxnets import check
from jaxnets.types import Array, Float, Scalar

Objective = Callable[[Float[Array, " d"]], Float[Array, ""]]


class Point(NamedTuple):
    """Where a step starts: parameters, the objective there and its gradient."""

    params: Float[Array, " d"]
    value: Float[Array, ""]
    gradient: Float[Array, " d"]


StepSize = Callable[[Objective, Point, Point], Scalar]
"""``(objective, here, before) -> size``; at the first step ``before`` is ``here``."""


def constant(rate: Scalar) -> StepSize:
    """The same size always; on a quadratic it is stable below ``2 / largest curvature``.

    Raises:
        InputError: a rate that is not above 0, or infinite.

    >>> start = Point(jnp.array([3.0]), jnp.array(9.0), jnp.array([6.0]))
    >>> constant(0.25)(lambda x: jnp.sum(x**2), start, start)
    0.25
    """
    check.interval("rate", rate, check.POSITIVE)
    return lambda objective, here, before: rate


def exact(objective: Objective, here: Point, before: Point) -> Float[Array, ""]:
    """``g'g / g'Hg``: the lowest point along the gradient of a quadratic.

    >>> start = Point(jnp.array([3.0]), jnp.array(9.0), jnp.array([6.0]))
    >>> float(exact(lambda x: jnp.sum(x**2), start, start))
    0.5
    """
    g = here.gradient
    _, bend = jax.jvp(jax.grad(objective), (here.params,), (g,))
    return g @ g / (g @ bend)


def barzilai_borwein_long(objective: Objective, here: Point, before: Point) -> Float[Array, ""]:
    """``s's / s'y``, ``s`` the last move and ``y`` the change of the gradient: inverse curvature along ``s``.

    On a quadratic it lies between ``1 / largest`` and ``1 / smallest`` curvature. The objective may rise on
    the way.

    >>> bowl = lambda x: x @ (jnp.array([1.0, 3.0]) * x) / 2
    >>> before, here = (Point(x, *jax.value_and_grad(bowl)(x)) for x in (jnp.zeros(2), jnp.ones(2)))
    >>> float(barzilai_borwein_long(bowl, here, before))  # s = (1, 1), y = (1, 3)
    0.5
    """
    s, y = here.params - before.params, here.gradient - before.gradient
    return s @ s / (s @ y)


def barzilai_borwein_short(objective: Objective, here: Point, before: Point) -> Float[Array, ""]:
    """``s'y / y'y``: between the same ends as :func:`barzilai_borwein_long`, and never longer.

    >>> bowl = lambda x: x @ (jnp.array([1.0, 3.0]) * x) / 2
    >>> before, here = (Point(x, *jax.value_and_grad(bowl)(x)) for x in (jnp.zeros(2), jnp.ones(2)))
    >>> round(float(barzilai_borwein_short(bowl, here, before)), 3)  # s = (1, 1), y = (1, 3)
    0.4
    """
    s, y = here.params - before.params, here.gradient - before.gradient
    return s @ y / (y @ y)


def safeguarded(
    rule: StepSize, *, otherwise: StepSize = exact, low: Scalar = 1e-10, high: Scalar = 1e10
) -> StepSize:
    """``rule``, kept in ``[low, high]``; ``otherwise`` where it gives no positive number.

    The rules of Barzilai and Borwein give none at the first step, and where the curvature is negative.

    Args:
        low: 0 or more.
        high: ``low`` or more.

    Raises:
        InputError: a negative ``low``, or ``low`` above ``high``.

    >>> start = Point(jnp.array([3.0]), jnp.array(9.0), jnp.array([6.0]))
    >>> rule = safeguarded(barzilai_borwein_long, otherwise=constant(2.0), high=1.5)
    >>> float(rule(lambda x: jnp.sum(x**2), start, start))
    1.5
    """
    check.interval("low", low, check.NON_NEGATIVE)
    if not check.is_traced(low):
        check.interval("high", high, check.Interval(low))

    def size(objective: Objective, here: Point, before: Point) -> Float[Array, ""]:
        found = rule(objective, here, before)
        usable = jnp.isfinite(found) & (found > 0)
        return jnp.clip(jnp.where(usable, found, otherwise(objective, here, before)), low, high)

    return size


def backtracking(
    first: StepSize, *, factor: Scalar = 0.5, decrease: Scalar = 1e-4, most: int = 40
) -> StepSize:
    """Armijo's rule: ``first``, times ``factor`` until ``f(x - a g) <= f(x) - decrease a |g|^2``.

    Args:
        first: the size to begin with; ``constant(1.0)`` will do.
        factor: in (0, 1).
        decrease: share of the fall that the slope promises, in (0, 1).
        most: times at most; rounding can make the condition impossible close to the minimum.

    Raises:
        InputError: a factor or a decrease outside (0, 1), or ``most`` that is no count.

    >>> start = Point(jnp.array([3.0]), jnp.array(9.0), jnp.array([6.0]))
    >>> float(backtracking(constant(4.0))(lambda x: jnp.sum(x**2), start, start))
    0.5
    """
    for name, value in (("factor", factor), ("decrease", decrease)):
        check.interval(name, value, check.Interval(0, 1, includes_low=False, includes_high=False))
    check.count("most", most)

    def size(objective: Objective, here: Point, before: Point) -> Float[Array, ""]:
        slope = here.gradient @ here.gradient

        def too_long(tried: tuple[Array, Array]) -> Array:
            times, length = tried
            fallen = objective(here.params - length * here.gradient) <= here.value - decrease * length * slope
            return ~fallen & (times < most)

        begun = (jnp.int32(0), jnp.asarray(first(objective, here, before), slope.dtype))
        return jax.lax.while_loop(too_long, lambda tried: (tried[0] + 1, tried[1] * factor), begun)[1]

    return size
