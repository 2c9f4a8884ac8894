"""Taylor expansions as layers: by Taylor-mode differentiation, or with fixed or learned coefficients.

Reference: Griewank & Walther, Evaluating Derivatives, 2nd edition, chapter 13 (Taylor mode).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import jet

from jaxnets import check
from jaxnets.types import Array, Float, Scalar


def taylor(
    f: Callable[[jax.Array], jax.Array],
    x: Float[Array, ...],
    *,
    num_terms: int,
    center: Scalar | Float[Array, ...] = 0.0,
    axis: int | None = None,
) -> Float[Array, ...]:
    """The sum of the terms ``d^k/ds^k f(a + s (x - a)) / k!`` at ``s = 0``, or the terms themselves.

    All orders come from one pass of a truncated power series through ``f``, which need not act element by
    element: a softmax over an image is expanded as well. A function with a primitive that
    :mod:`jax.experimental.jet` lacks (tan, softplus) is differentiated order by order, which costs twice as
    much with each order.

    Args:
        f: smooth and pure, of an array of any shape; compiled once for each function, shape and number of
            terms.
        num_terms: orders 0 to ``num_terms - 1``; fifty take some seconds to compile.
        center: ``a``, a number or an array that broadcasts to ``x``.
        axis: of the result, to count the terms; None for their sum.

    Raises:
        InputError: no terms.

    >>> taylor(jnp.exp, jnp.array([1.0, 2.0]), num_terms=3, axis=0).tolist()
    [[1.0, 1.0], [1.0, 2.0], [0.5, 2.0]]

    Reference: Griewank & Walther, Evaluating Derivatives, 13.2.
    """
    check.count("num_terms", num_terms, 1)
    x = jnp.asarray(x, jnp.result_type(x, float))  # a centre of 0.5 would be 0 among integers
    start = jnp.broadcast_to(jnp.asarray(center, x.dtype), x.shape)
    terms = _terms(f.__call__, start, x - start, num_terms)
    return _sum(terms) if axis is None else jnp.stack(terms, axis)


@functools.partial(jax.jit, static_argnums=(0, 3))  # the operations of many orders, one by one, take minutes
def _terms(f: Callable, start: Array, direction: Array, num_terms: int) -> list[jax.Array]:
    """All orders; ``f`` is a bound ``__call__``, which has a hash where its owner, as a series, has none."""
    # Where jet has no rule it ends in one of these; an error of f's own comes back from the second way.
    no_rule = (AttributeError, KeyError, NotImplementedError, jax.errors.UnexpectedTracerError)
    try:
        return _in_one_pass(f, start, direction, num_terms)
    except no_rule:
        return _order_by_order(f, start, direction, num_terms)


def _in_one_pass(f: Callable, start: Array, direction: Array, num_terms: int) -> list[jax.Array]:
    if num_terms == 1:
        return [f(start)]
    path = [direction] + [jnp.zeros_like(direction)] * (num_terms - 2)
    value, rest = jet.jet(f, (start,), (path,), factorial_scaled=False)
    return [value, *rest]


def _order_by_order(f: Callable, start: Array, direction: Array, num_terms: int) -> list[jax.Array]:
    def derivative(g: Callable) -> Callable:
        return lambda s: jax.jvp(g, (s,), (jnp.ones_like(s),))[1]

    def along(s: Scalar) -> jax.Array:
        return f(start + s * direction)

    g, terms, origin = along, [], jnp.zeros((), direction.dtype)
    for k in range(num_terms):
        terms.append(g(origin) / math.factorial(k))
        g = derivative(g)
    return terms


def _sum(terms: list[jax.Array]) -> jax.Array:
    """From the highest order down: on [-pi, pi] the rounding errors of sin are half those of ``jnp.sum``."""
    return functools.reduce(jnp.add, reversed(terms))


class TaylorLayer(nn.Module):
    """A function's Taylor terms, by :func:`taylor`: nothing to learn.

    Attributes:
        f: smooth, of an array of any shape.
        num_terms: orders 0 to ``num_terms - 1``.
        center: a number, where the series is exact.
        axis: of the output, to count the terms; None for their sum.

    >>> layer = TaylorLayer(jnp.tanh, num_terms=4, axis=1)
    >>> layer.apply({}, jnp.ones((5, 32, 32, 3))).shape
    (5, 4, 32, 32, 3)

    Reference: Griewank & Walther, Evaluating Derivatives, 13.2.
    """

    f: Callable[[jax.Array], jax.Array]
    num_terms: int
    center: Scalar = 0.0
    axis: int | None = None

    def __call__(self, x: Float[Array, ...]) -> Float[Array, ...]:
        """The terms at ``x``, or their sum."""
        return taylor(self.f, x, num_terms=self.num_terms, center=self.center, axis=self.axis)


class PowerSeries(flax.struct.PyTreeNode):
    """``sum_k c_k u^(first + stride k)`` with ``u = x - center``.

    Attributes:
        coefficients: ``c_k``.
        center: where ``u`` is 0.
        first: the lowest power.
        stride: between powers; 2 for odd and even functions.
    """

    coefficients: Float[Array, " t"]
    center: Scalar = 0.0
    first: int = flax.struct.field(pytree_node=False, default=0)
    stride: int = flax.struct.field(pytree_node=False, default=1)

    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """The sum, by Horner's rule.

        >>> float(PowerSeries(jnp.array([1.0, 2.0, 3.0]))(jnp.float32(2.0)))  # 1 + 4 + 12
        17.0
        """
        u = jnp.asarray(x) - self.center
        step = u**self.stride
        total = jnp.zeros_like(u)
        for c in self.coefficients[::-1]:
            total = total * step + c
        return total * u**self.first

    def terms(self, x: Float[Array, ...], *, axis: int = -1) -> Float[Array, ...]:
        """Each ``c_k u^(first + stride k)`` by itself, along a new axis.

        >>> PowerSeries(jnp.array([1.0, 2.0, 3.0])).terms(jnp.float32(2.0)).tolist()
        [1.0, 4.0, 12.0]
        """
        u = jnp.asarray(x) - self.center
        powers = [u ** (self.first + self.stride * k) for k in range(len(self.coefficients))]
        return jnp.stack([c * power for c, power in zip(self.coefficients, powers, strict=True)], axis)


def taylor_series(
    f: Callable[[jax.Array], jax.Array], *, num_terms: int, center: Scalar = 0.0
) -> PowerSeries:
    """The series of a function of a number, with coefficients ``f^(k)(a) / k!`` by :func:`taylor`.

    >>> taylor_series(jnp.log1p, num_terms=4).coefficients.round(3).tolist()
    [0.0, 1.0, -0.5, 0.333...]

    Reference: Griewank & Walther, Evaluating Derivatives, 13.2.
    """
    check.count("num_terms", num_terms, 1)
    start = jnp.asarray(center, jnp.result_type(center, float))
    return PowerSeries(jnp.stack(_terms(f.__call__, start, jnp.ones_like(start), num_terms)), center)


def sine_series(num_terms: int) -> PowerSeries:
    """``sin x = sum_k (-1)^k x^(2 k + 1) / (2 k + 1)!``.

    >>> round(float(sine_series(10)(jnp.float32(jnp.pi / 6))), 6)
    0.5

    Reference: Abramowitz & Stegun, 4.3.65.
    """
    return PowerSeries(_alternating(num_terms, first=1), 0.0, first=1, stride=2)


def cosine_series(num_terms: int) -> PowerSeries:
    """``cos x = sum_k (-1)^k x^(2 k) / (2 k)!``.

    >>> round(float(cosine_series(10)(jnp.float32(jnp.pi / 3))), 6)
    0.5

    Reference: Abramowitz & Stegun, 4.3.66.
    """
    return PowerSeries(_alternating(num_terms, first=0), 0.0, first=0, stride=2)


def _alternating(num_terms: int, *, first: int) -> Float[Array, " t"]:
    check.count("num_terms", num_terms, 1)
    return np.array([(-1) ** k / math.factorial(first + 2 * k) for k in range(num_terms)])


class SeriesLayer(nn.Module):
    """A power series, element by element, whose coefficients are learned from those given.

    Attributes:
        series: powers, centre and first coefficients.
        scale: typical size of ``|x - center|``; what is learned are the coefficients times ``scale^power``,
            so that all parameters are of one size.
        axis: of the output, to count the terms; None for their sum.

    >>> layer = SeriesLayer(sine_series(3), axis=1)
    >>> layer.init_with_output(jax.random.key(0), jnp.ones((5, 32, 32)))[0].shape
    (5, 3, 32, 32)
    """

    series: PowerSeries
    scale: float = 1.0
    axis: int | None = None

    @nn.compact
    def __call__(self, x: Float[Array, ...]) -> Float[Array, ...]:
        """The series of each element, or its terms."""
        series = self.series
        sizes = self.scale ** (series.first + series.stride * np.arange(len(series.coefficients)))
        scaled = self.param("coefficients", lambda key: jnp.asarray(series.coefficients * sizes, float))
        learned = series.replace(coefficients=scaled / sizes)
        return learned(x) if self.axis is None else learned.terms(x, axis=self.axis)
