"""A gradient written by hand against the loss's own, leaf by leaf in float64, and how it differs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.check import InputError
from jaxnets.diagnose.flow import slope_of
from jaxnets.diagnose.mistakes import Mistakes
from jaxnets.diagnose.patterns import Leaf, pattern, sizes_of
from jaxnets.diagnose.problem import Problem
from jaxnets.diagnose.quick import quick
from jaxnets.types import PyTree

TOLERANCE = 1e-6
"""Relative; derivations that are right agree to 1e-12 in float64, tables of constants to 1e-7."""
STEP = 1e-6
"""Of one-sided differences, relative to a leaf's scale."""
FEW_ROWS = 31
"""A prime, so that their number is no product of sizes of the network."""
MOST_PROBED = 16
"""Entries of a leaf that are looked at for kinks."""


class Difference(NamedTuple):
    """How a leaf of a gradient differs from what it should be.

    Attributes:
        leaf: its place among the params, as ``['layers'][0]``.
        pattern: what it looks like, in words; empty where it looks like nothing known.
        size: of the difference, relative to the larger of both.
        factor: the least-squares multiple of the right leaf.
        cosine: between both, 1 where they point the same way.
    """

    leaf: str
    pattern: str
    size: float
    factor: float
    cosine: float


def differences(problem: Problem, key: jax.Array) -> list[Difference]:
    """The leaves in which ``problem.gradient`` is not the gradient of ``problem.loss``.

    Both are taken in float64 at the initial params moved by a tenth of their scale, so that biases are not
    zero and kinks are seldom met; entries that lie on a kink are left out. They are taken of a few rows; and
    of as many as a step takes, where what is wrong depends on their number (it may be a constant of the
    gradient), so that a gradient that is right as it is used is not blamed.
    """
    num_all = len(jax.tree.leaves(problem.data[0])[0])
    num_few, num_own = min(FEW_ROWS, num_all), min(problem.batch_size or num_all, num_all)
    with jax.enable_x64(True):
        found = _Comparison(problem, key, num_few)
        if found.wrong and num_own != num_few:
            own = _Comparison(problem, key, num_own)
            factors = [[leaf.factor for leaf in one.wrong] for one in (found, own)]
            if len(found.wrong) != len(own.wrong) or not np.allclose(*factors, rtol=TOLERANCE):
                found = own
        return found.explained()


class _Comparison:
    """Both gradients, of the first rows."""

    def __init__(self, problem: Problem, key: jax.Array, num_rows: int) -> None:
        self._problem = problem
        self._point = _point(problem, key, num_rows)
        params = self._point[0]
        right = quick(slope_of(problem.loss))(*self._point)
        found = _by_hand(problem.gradient, self._point)
        check_structure("gradient", params, found)
        paths = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(params)]
        trees = [[np.asarray(leaf) for leaf in jax.tree.leaves(tree)] for tree in (params, right, found)]
        self._leaves = [Leaf(*one) for one in zip(paths, *trees, strict=True)]
        self.wrong = [leaf for place, leaf in enumerate(self._leaves) if self._is_wrong(place, leaf)]

    def _is_wrong(self, place: int, leaf: Leaf) -> bool:
        largest = max(np.abs(leaf.right).max(initial=0), np.abs(leaf.found).max(initial=0), 1e-300)
        off = ~(np.abs(leaf.found - leaf.right) <= TOLERANCE * largest) & np.isfinite(leaf.right)
        return bool(off.any()) and not _are_kinks(
            self._problem, self._point[0], place, off, leaf.right, leaf.found, *self._point[1:]
        )

    def explained(self) -> list[Difference]:
        """The wrong leaves, with what they look like."""
        sizes, mistakes = sizes_of(self._problem, self._point[1]), Mistakes(self._problem, *self._point)
        return [
            Difference(
                leaf.place, pattern(leaf, self._leaves, sizes, mistakes),
                _relative(leaf.found, leaf.right), leaf.factor, _cosine(leaf.found, leaf.right),
            )
            for leaf in self.wrong
        ]  # fmt: skip


def _by_hand(gradient: Callable, point: tuple[PyTree, Any, Any]) -> PyTree:
    """The gradient at a point, by jax, or by NumPy where it is written so."""
    try:
        return quick(gradient)(*point)
    except (jax.errors.JAXTypeError, jax.errors.JAXIndexError):
        return gradient(*jax.tree.map(np.asarray, point))


def check_structure(name: str, params: PyTree, found: PyTree) -> None:
    """Refuses what is not built like the params."""
    old, new = jax.tree.structure(params), jax.tree.structure(found)
    if old != new:
        kinds = [str(one).removeprefix("PyTreeDef(")[:-1] for one in (new, old)]
        raise InputError(f"{name}: {kinds[0][:100]}, allowed is what the params are: {kinds[1][:100]}")
    for (path, one), other in zip(
        jax.tree_util.tree_leaves_with_path(params), jax.tree.leaves(found), strict=True
    ):
        if np.shape(one) != np.shape(other):
            place = jax.tree_util.keystr(path)
            raise InputError(f"{name}{place}: shape {np.shape(other)}, allowed is {np.shape(one)}")


def _point(problem: Problem, key: jax.Array, num_rows: int) -> tuple[PyTree, Any, Any]:
    """Params that are moved a little, and the first rows, in float64."""
    init_key, move_key = jax.random.split(key)
    params = jax.tree.map(_wide, problem.init(init_key))
    leaves, structure = jax.tree.flatten(params)
    keys = jax.random.split(move_key, max(1, len(leaves)))
    moved = [
        leaf + 0.1 * (jnp.abs(leaf).mean() + 0.1) * jax.random.normal(one, leaf.shape, leaf.dtype)
        if jnp.issubdtype(leaf.dtype, jnp.inexact) else leaf
        for leaf, one in zip(leaves, keys, strict=False)
    ]  # fmt: skip
    rows = jax.tree.map(lambda leaf: _wide(leaf[:num_rows]), problem.data)
    return jax.tree.unflatten(structure, moved), *rows


def _wide(leaf: Any) -> jax.Array:
    found = jnp.asarray(leaf)
    return found.astype(jnp.float64) if jnp.issubdtype(found.dtype, jnp.floating) else found


def _are_kinks(
    problem: Problem, params: PyTree, place: int, off: np.ndarray, a: np.ndarray, h: np.ndarray,
    inputs: Any, targets: Any,
) -> bool:  # fmt: skip
    """Whether all that is off (a few entries of which are tried) lies where the loss has a corner."""
    leaves, structure = jax.tree.flatten(params)
    scale = STEP * (float(jnp.abs(leaves[place]).mean()) + STEP)

    def loss(index: tuple, change: float) -> float:
        moved = [*leaves]
        moved[place] = leaves[place].at[index].add(change)
        return float(problem.loss(jax.tree.unflatten(structure, moved), inputs, targets))

    for index in map(tuple, np.argwhere(off)[:: max(1, int(off.sum()) // MOST_PROBED)]):
        here = loss(index, 0.0)
        above, below = (loss(index, scale) - here) / scale, (here - loss(index, -scale)) / scale
        slack = 1e-3 * (abs(above) + abs(below) + np.abs(a).mean())
        low, high = min(above, below) - slack, max(above, below) + slack
        if abs(above - below) <= slack or not low <= h[index] <= high:
            return False
    return True


def _relative(h: np.ndarray, a: np.ndarray) -> float:
    return float(np.linalg.norm(h - a) / max(np.linalg.norm(a), np.linalg.norm(h), 1e-300))


def _cosine(h: np.ndarray, a: np.ndarray) -> float:
    return float((h * a).sum() / max(np.linalg.norm(a) * np.linalg.norm(h), 1e-300))
