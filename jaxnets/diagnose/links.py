"""How a loss compares what it is given with the targets, read off its gradient."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import special

LEFT = 1e-6
"""Share of the gradient's squared changes that a link may leave over: float32 leaves 1e-12."""
LINKS = {
    "values": lambda z: z,
    "sigmoid": special.expit,
    "softmax": lambda z: special.softmax(z, axis=-1),
    "exp": np.exp,
    "softmax over rows": lambda z: special.softmax(z, axis=0),
    "softmax over everything": special.softmax,
}
"""Functions by which a loss compares its input with the targets; canonical links, and two mistakes."""
AXES = {"softmax": (0, -1), "softmax over rows": (0, 1), "softmax over everything": None}
"""Numbers that share a factor: draws, and what is normalised over."""


class Link(NamedTuple):
    """How a loss compares: its gradient is a positive multiple of ``function(z) - wanted``.

    Attributes:
        name: a key of ``LINKS``.
        wanted: what the loss compares with, in the shape of z; NaN where it looks at nothing.
        place: the value z in the loss's program.
    """

    name: str
    wanted: np.ndarray
    place: int


def link_of(draws: np.ndarray, function: Any) -> tuple[str, np.ndarray] | None:
    """The name of the link, and what is wanted; by how the gradient differs between draws.

    The difference leaves out the targets and all penalties: of ``c (h(z) - t)`` there remains ``c`` times
    that of ``h``, with a ``c`` for each row or number (weights, masks). A relative 1e-3 of it may be left.

    Args:
        draws: values at which the gradient is looked at, the first axis numbers them.
        function: ``value -> (loss, gradient)``.

    >>> target, draws = np.array([[0.0, 1.0]]), np.random.default_rng(0).normal(size=(6, 1, 2))
    >>> name, wanted = link_of(draws, lambda z: (0.0, special.softmax(z, axis=-1) - target))
    >>> name, wanted.round(3).tolist()
    ('softmax', [[0.0, 1.0]])
    """
    slopes = np.stack([np.asarray(function(one)[1], np.float64) for one in draws])
    change = slopes - slopes.mean(axis=0)
    if not np.isfinite(slopes).all() or np.abs(change).max(initial=0) <= 1e-6 * np.abs(slopes).max(initial=0):
        return None
    for name, link in LINKS.items():
        heights = np.stack([link(one.astype(np.float64)) for one in draws])
        spread = heights - heights.mean(axis=0)
        axes = AXES.get(name, (0,)) if spread.ndim > 2 else (0,)
        size = np.square(spread).sum(axis=axes, keepdims=True)
        factor = (change * spread).sum(axis=axes, keepdims=True) / np.maximum(size, 1e-30)
        left = np.square(change - factor * spread).sum()
        if left <= LEFT * np.square(change).sum() and factor.max() > 0:
            with np.errstate(divide="ignore", invalid="ignore"):
                wanted = heights - slopes / np.where(factor > 1e-6 * factor.max(), factor, np.nan)
            return name, wanted.mean(axis=0)
    return None
