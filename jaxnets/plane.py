"""Straight lines in the plane, and how far two of them are from being one."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp

from jaxnets.types import Array, Float


class Line(NamedTuple):
    """The points ``x`` with ``normal . x + offset = 0``; ``normal`` has length 1 and points to class 1."""

    normal: Float[Array, " 2"]
    offset: Float[Array, ""]


def line(weights: Float[Array, " 2"], bias: Float[Array, ""]) -> Line:
    """``w . x + b = 0`` with the normal at length 1, so that ``offset`` is the origin's distance, signed.

    Weights of 0 make no line: the normal is NaN, and so is the offset.

    >>> line(jnp.array([3.0, 4.0]), jnp.array(10.0)).offset.tolist()
    2.0
    """
    length = jnp.linalg.norm(weights)
    length = jnp.where(length > 0, length, jnp.nan)
    return Line(weights / length, bias / length)


def line_between(coefficients: Float[Array, "2 2"], intercept: Float[Array, " 2"]) -> Line:
    """Where the scores ``x @ coefficients + intercept`` of two classes are equal.

    >>> line_between(jnp.array([[1.0, 3.0], [0.0, 0.0]]), jnp.array([1.0, 0.0])).normal.tolist()
    [1.0, 0.0]
    """
    return line(coefficients[:, 1] - coefficients[:, 0], intercept[1] - intercept[0])


def degrees_between(one: Line, other: Line) -> Float[Array, ""]:
    """Angle of the normals, from 0 to 180; exact for the smallest of angles, unlike the arc cosine.

    >>> float(degrees_between(Line(jnp.array([1.0, 0.0]), 0.0), Line(jnp.array([0.0, 1.0]), 0.0)))
    90.0
    """
    (a, b), (c, d) = one.normal, other.normal
    return jnp.degrees(jnp.abs(jnp.arctan2(a * d - b * c, a * c + b * d)))
