"""Which values an output can have at all, found by driving what it depends on."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.diagnose.problem import Problem
from jaxnets.diagnose.quick import quick
from jaxnets.types import PyTree

NUM_DRAWS = 6
"""At each scale."""
SCALES = (1.0, 10.0, 100.0, 1000.0)
"""By which params or outputs are driven."""


def interval(values: list[list[np.ndarray]]) -> tuple[float, float]:
    """The bounds that values keep to however far they are driven; infinite where they grow on.

    Args:
        values: what was found, a list for each of ``SCALES``; infinite where a function overflows.

    >>> interval([[np.array([0.5, scale])] for scale in (1.0, 10.0, np.inf, np.inf)])
    (0.5, inf)
    """
    usable = [[one for one in found if not np.isnan(one).any()] for found in values]
    if not all(usable):
        return -np.inf, np.inf
    lows, highs = (
        [float(pick([pick(one) for one in found])) for found in usable] for pick in (np.min, np.max)
    )
    return -_kept([-one for one in lows], highs[1] - lows[1]), _kept(highs, highs[1] - lows[1])


def _kept(highs: list[float], width: float) -> float:
    """The bound above that is kept from the second scale to the last; infinite without any."""
    slack = 1e-3 * (width if np.isfinite(width) else 1.0) + 1e-6
    return max(highs) if np.isfinite(highs[-1]) and highs[-1] - highs[1] <= slack else np.inf


def reachable(problem: Problem, params: PyTree, inputs: Any) -> tuple[float, float]:
    """The interval of all outputs that params drawn at growing scales give; infinite where they grow.

    >>> import numpy as np
    >>> start, tanh = lambda key: jnp.zeros((1, 1)), lambda w, x: jnp.tanh(x @ w)
    >>> problem = Problem(start, tanh, lambda w, x, y: tanh(w, x).sum(), (np.ones((4, 1)), np.ones(4)))
    >>> reachable(problem, start(0), np.ones((4, 1)))
    (-1.0, 1.0)
    """
    predict = quick(problem.predict)
    leaves, structure = jax.tree.flatten(params)
    generator = np.random.default_rng(0)

    def outputs(scale: float) -> np.ndarray:
        drawn = [_drawn(generator, leaf, scale) for leaf in leaves]
        found = predict(jax.tree.unflatten(structure, drawn), inputs)
        return np.asarray(jax.tree.leaves(found)[0])

    return interval([[outputs(scale) for _ in range(NUM_DRAWS)] for scale in SCALES])


def _drawn(generator: np.random.Generator, leaf: Any, scale: float) -> Any:
    if not jnp.issubdtype(leaf.dtype, jnp.inexact):
        return leaf
    return (scale * generator.standard_normal(leaf.shape)).astype(leaf.dtype)
