"""Basis functions: features in which a linear model is a curve.

Each function takes every column of the inputs by itself and returns its features side by side, column by
column: the fit is a sum of one curve a column (an additive model). Inputs should be scaled to a few units.

Reference: Bishop, Pattern Recognition and Machine Learning, 3.1.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxnets import check
from jaxnets.types import Array, Float, Scalar


def polynomial(inputs: Float[Array, "n d"], *, degree: int) -> Float[Array, "n p"]:
    """``x, x^2, ..., x^degree`` of each column; the constant is left to the model's intercept.

    >>> polynomial(jnp.array([[2.0, 3.0]]), degree=3).tolist()
    [[2.0, 4.0, 8.0, 3.0, 9.0, 27.0]]
    """
    check.count("degree", degree, 1)
    return _side_by_side(inputs[:, :, None] ** jnp.arange(1, degree + 1)[None, None])


def gaussian(
    inputs: Float[Array, "n d"], *, centres: Float[Array, " m"], width: Scalar
) -> Float[Array, "n p"]:
    """``exp(-(x - c)^2 / (2 width^2))`` of each column, a bump at each centre.

    >>> gaussian(jnp.array([[0.0]]), centres=jnp.array([0.0, 2.0]), width=1.0).round(3).tolist()
    [[1.0, 0.13500000536441803]]
    """
    return _side_by_side(jnp.exp(-jnp.square(_distances(inputs, centres, width)) / 2))


def sigmoid(
    inputs: Float[Array, "n d"], *, centres: Float[Array, " m"], width: Scalar
) -> Float[Array, "n p"]:
    """``1 / (1 + exp(-(x - c) / width))`` of each column, a step at each centre.

    >>> sigmoid(jnp.array([[0.0, 9.0]]), centres=jnp.array([0.0]), width=0.1).tolist()
    [[0.5, 1.0]]
    """
    return _side_by_side(jax.nn.sigmoid(_distances(inputs, centres, width)))


def _distances(inputs: Array, centres: Array, width: Scalar) -> Array:
    """``(x - c) / width`` for each row, column and centre."""
    check.interval("width", width, check.POSITIVE)
    return (inputs[:, :, None] - centres[None, None]) / width


def _side_by_side(features: Float[Array, "n d m"]) -> Array:
    return features.reshape(len(features), -1)
