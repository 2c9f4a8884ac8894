"""The dual of one support vector machine, by sequential minimal optimisation.

With signs y (+1, -1, or 0 for rows that are not this machine's), beta = y alpha and the kernel's matrix K,

    maximise  D(beta) = sum |beta| - beta' K beta / 2
    subject to  sum beta = 0  and  0 <= y beta <= C.

An update moves one pair, ``beta_i += t``, ``beta_j -= t``, by the best ``t``. The pair is read off the
errors ``F = y - K beta``: at the optimum some bias b has F_i <= b wherever beta_i may grow and F_i >= b
wherever it may shrink (the KKT conditions). The highest F_i of the first kind less the lowest of the second
is the violation.

Reference: Platt 1999; Fan, Chen & Lin (2005), Working set selection using second order information for
training support vector machines.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxnets.types import Array, Bool, Float, Int, Scalar

ROUNDS = 12


class Box(NamedTuple):
    """Bounds of the signed coefficients."""

    lower: Float[Array, " n"]
    upper: Float[Array, " n"]


class Solution(NamedTuple):
    """One machine's answer, and what proves it.

    Attributes:
        coefficients: beta, the signed dual variables.
        bias: mean of F over the free support vectors (0 < alpha < C); without any, the middle of what the
            KKT conditions allow.
        violation: of the KKT conditions, in the unit of the decisions.
        objective: the primal, ``|w|^2 / 2 + C sum hinge``.
        gap: the primal less the dual, relative to the primal.
        num_updates: pairs moved.
    """

    coefficients: Float[Array, " n"]
    bias: Float[Array, ""]
    violation: Float[Array, ""]
    objective: Float[Array, ""]
    gap: Float[Array, ""]
    num_updates: Int[Array, ""]


class _Ascent(NamedTuple):
    coefficients: Float[Array, " n"]
    errors: Float[Array, " n"]
    violation: Float[Array, ""]
    num_updates: Int[Array, ""]


def solve(
    gram: Float[Array, "n n"], signs: Float[Array, " n"], *, C: Scalar, tolerance: Scalar, max_updates: int
) -> Solution:
    """Moves pairs until the KKT violation and the relative duality gap are both at most ``tolerance``.

    Rounding errors gather in F, and a small violation need not mean a small gap: each round computes F
    afresh, and after a round that was not enough comes one four times as strict, as far as rounding allows.

    >>> gram = jnp.array([[1.0, -1.0], [-1.0, 1.0]])  # x = 1 and x = -1
    >>> found = solve(gram, jnp.array([1.0, -1.0]), C=10.0, tolerance=1e-3, max_updates=100)
    >>> found.coefficients.tolist(), float(found.bias)
    ([0.5, -0.5], 0.0)
    """
    box = Box(jnp.minimum(0, C * signs), jnp.maximum(0, C * signs))

    def unfinished(carry: tuple[Solution, Array]) -> Bool[Array, ""]:
        solution, strictness = carry
        wrong = jnp.maximum(solution.violation, solution.gap) > tolerance
        return wrong & (solution.num_updates < max_updates) & (strictness > tolerance / 4.0**ROUNDS)

    def one_round(carry: tuple[Solution, Array]) -> tuple[Solution, Array]:
        solution, strictness = carry
        ascent = _ascend(gram, signs, box, solution, tolerance=strictness, max_updates=max_updates)
        return _judge(gram, signs, box, ascent.coefficients, ascent.num_updates, C=C), strictness / 4

    with jax.default_matmul_precision("highest"):
        start = _judge(gram, signs, box, jnp.zeros_like(signs), jnp.int32(0), C=C)
        return jax.lax.while_loop(unfinished, one_round, (start, jnp.asarray(tolerance, gram.dtype)))[0]


def _ascend(
    gram: Float[Array, "n n"],
    signs: Float[Array, " n"],
    box: Box,
    solution: Solution,
    *,
    tolerance: Scalar,
    max_updates: int,
) -> _Ascent:
    """Pair updates, from F computed afresh, until the violation is at most ``tolerance``."""
    noise = jnp.finfo(gram.dtype).eps * jnp.sqrt(jnp.max(gram**2 @ solution.coefficients**2))
    enough = jnp.maximum(tolerance, noise)
    diagonal = jnp.diagonal(gram)

    def unfinished(ascent: _Ascent) -> Bool[Array, ""]:
        return (ascent.violation > enough) & (ascent.num_updates < max_updates)

    errors = signs - gram @ solution.coefficients
    start = _Ascent(solution.coefficients, errors, jnp.full((), jnp.inf, gram.dtype), solution.num_updates)
    return jax.lax.while_loop(unfinished, lambda ascent: _update(gram, diagonal, box, ascent), start)


def _update(gram: Float[Array, "n n"], diagonal: Float[Array, " n"], box: Box, ascent: _Ascent) -> _Ascent:
    """Moves the pair of the highest F that may grow, and of the partner that promises the largest gain.

    A coefficient that reaches its bound is set to it, exactly: otherwise rounding could leave it just inside,
    to be chosen for ever.
    """
    beta, errors = ascent.coefficients, ascent.errors
    i = _argmax(jnp.where(beta < box.upper, errors, -jnp.inf))
    slopes = jnp.where(beta > box.lower, errors[i] - errors, -jnp.inf)
    scale = diagonal[i] + diagonal
    curvatures = jnp.maximum(scale - 2 * gram[i], 1e-6 * jnp.abs(scale) + 1e-12)
    j = _argmax(jnp.where(slopes > 0, slopes**2 / curvatures, -jnp.inf))
    room_i, room_j = box.upper[i] - beta[i], beta[j] - box.lower[j]
    size = jnp.maximum(jnp.minimum(slopes[j] / curvatures[j], jnp.minimum(room_i, room_j)), 0)
    grown = jnp.where(size == room_i, box.upper[i], beta[i] + size)
    shrunk = jnp.where(size == room_j, box.lower[j], beta[j] - size)
    moved = beta.at[i].set(grown).at[j].set(shrunk)
    errors = errors - size * (gram[i] - gram[j])
    return _Ascent(moved, errors, jnp.max(slopes), ascent.num_updates + 1)


def _argmax(values: Float[Array, " n"]) -> Int[Array, ""]:
    """``jnp.argmax``, as two reductions that CPUs vectorise."""
    places = jnp.where(values == jnp.max(values), jnp.arange(len(values)), len(values) - 1)
    return jnp.min(places)


def _judge(
    gram: Float[Array, "n n"],
    signs: Float[Array, " n"],
    box: Box,
    beta: Float[Array, " n"],
    num_updates: Int[Array, ""],
    *,
    C: Scalar,
) -> Solution:
    """Bias, KKT violation and duality gap of these coefficients.

    The primal is the lower of two: of these weights, and of these weights stretched until the rows with
    alpha < C clear the margin. A hinge of 1e-5 that is only the tolerance's would else count C-fold.
    """
    products = gram @ beta
    errors = signs - products
    highest = jnp.max(jnp.where(beta < box.upper, errors, -jnp.inf))
    lowest = jnp.min(jnp.where(beta > box.lower, errors, jnp.inf))
    free = (beta < box.upper) & (beta > box.lower)
    bias = jnp.where(jnp.any(free), _mean(errors, free), _middle(jnp.stack([highest, lowest])))
    margins, half_norm = signs * (products + bias), beta @ products / 2
    slack = jnp.max(jnp.where(jnp.abs(beta) < C, jnp.abs(signs) - margins, 0))
    stretches = jnp.stack([jnp.ones_like(slack), 1 / (1 - jnp.clip(slack, 0, 0.5))])
    hinges = jnp.maximum(0, jnp.abs(signs)[None] - stretches[:, None] * margins[None])
    primal = jnp.min(stretches**2 * half_norm + C * jnp.sum(hinges, axis=1))
    gap = (primal + half_norm - jnp.sum(jnp.abs(beta))) / jnp.maximum(primal, 1e-6)
    return Solution(beta, bias, jnp.maximum(highest - lowest, 0), primal, gap, num_updates)


def _middle(ends: Float[Array, " 2"]) -> Float[Array, ""]:
    """Where all rows of a machine are on one side, one end is infinite, and the other decides."""
    return _mean(ends, jnp.isfinite(ends))


def _mean(values: Float[Array, " n"], chosen: Bool[Array, " n"]) -> Float[Array, ""]:
    return jnp.sum(jnp.where(chosen, values, 0)) / jnp.maximum(jnp.sum(chosen), 1)
