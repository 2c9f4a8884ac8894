"""Many classes from binary machines: which rows each machine sees, and how the machines vote."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxnets.types import Array, Float, Int


class Strategy(NamedTuple):
    """How k classes become binary problems ("machines"), and their decisions the scores of k classes.

    Attributes:
        signs: ``(labels, num_classes) -> [machines, n]``; +1 and -1 are a machine's two sides, rows with 0
            are not its own.
        scores: ``(decisions [n, machines], num_classes) -> [n, k]``.
    """

    signs: Callable[[Int[Array, " n"], int], Int[Array, "machines n"]]
    scores: Callable[[Float[Array, "n machines"], int], Float[Array, "n k"]]


def _pair_signs(labels: Int[Array, " n"], num_classes: int) -> Int[Array, "pairs n"]:
    first, second = _pairs(num_classes)
    return (labels[None] == first[:, None]).astype(int) - (labels[None] == second[:, None]).astype(int)


def _pair_scores(decisions: Float[Array, "n pairs"], num_classes: int) -> Float[Array, "n k"]:
    """Votes; sums of decisions, squeezed into (-1/3, 1/3), break ties."""
    sides = _pair_signs(jnp.arange(num_classes), num_classes).astype(decisions.dtype)
    won = jnp.where(decisions > 0, 1.0, -1.0).astype(decisions.dtype)
    votes = (won @ sides + num_classes - 1) / 2
    confidence = decisions @ sides
    return votes + confidence / (3 * (jnp.abs(confidence) + 1))


def _pairs(num_classes: int) -> tuple[np.ndarray, np.ndarray]:
    first, second = zip(*itertools.combinations(range(num_classes), 2), strict=True)
    return np.array(first), np.array(second)


def _rest_signs(labels: Int[Array, " n"], num_classes: int) -> Int[Array, "k n"]:
    return 2 * (labels[None] == jnp.arange(num_classes)[:, None]).astype(int) - 1


one_vs_one = Strategy(_pair_signs, _pair_scores)
"""A machine for each pair of classes, on the rows of the two: k(k-1)/2 small problems."""

one_vs_rest = Strategy(_rest_signs, lambda decisions, num_classes: decisions)
"""A machine for each class against all others: k problems of all rows."""
