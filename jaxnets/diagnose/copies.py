"""Params that stand several times and never part: experts or heads of one key, components of one place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import combinations
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.diagnose.probe import Probe
from jaxnets.diagnose.quick import quick
from jaxnets.types import PyTree

SAME = 1e-3
"""Share of the way that they went by which copies may differ after a training: sums are rounded."""

FURTHER = 0.1
"""Of the fall of the loss, by which a training must get further where copies are moved apart."""

Leaves = dict[str, np.ndarray]
"""Those that are real, by their places."""


class Copies(NamedTuple):
    """What may be equal.

    Attributes:
        words: for people.
        place: of a leaf that holds one of them.
        apart: how far they are from each other.
    """

    words: str
    place: str
    apart: Callable[[Leaves], np.ndarray]


def lasting_copies(probe: Probe) -> list[str]:
    """Params that are random and equal, and still equal after a short training that moved them.

    Compared are all slices of a leaf along an axis, and leaves of one shape. Random are those that another
    key changes. Copies that different gradients reach (a target network, members on other rows) part.
    """
    old = _leaves(probe.params)
    equal = [one for one in _candidates(old) if old[one.place].any() and not one.apart(old).any()]
    if not equal:
        return []
    new = _leaves(probe.run.params) if probe.problem.has_step else _added(old, _leaves(probe.slope))
    lasting = [one for one in equal if _is_lasting(one, old, new)]
    if not lasting:
        return []
    again = _leaves(quick(probe.problem.init)(jax.random.fold_in(probe.key, 2)))
    return [one.words for one in lasting if (again[one.place] != old[one.place]).any()]


def kept_together(probe: Probe) -> dict[str, float]:
    """The loss after a training in which copies stay copies, and after one that begins with them apart.

    Copies are slices of a leaf that is no single number, which move, by the same: another place to begin
    must get further by a tenth of the fall (the median of three). Empty where there are none, or it does not.
    """
    old, run = _leaves(probe.params), probe.run
    slices = [one for one in _slices(old) if not one.apart(old).any()]
    lasting = [one for one in slices if _is_lasting(one, old, _leaves(run.params))]
    if not lasting or not np.isfinite(run.end):
        return {}
    apart = float(np.median([probe.trainer.run(params=params).end for params in probe.elsewhere]))
    is_further = run.end - apart > FURTHER * abs(run.drop)
    return {"loss after a training": run.end, "begun with them apart": apart} if is_further else {}


def _leaves(params: PyTree) -> Leaves:
    return {
        jax.tree_util.keystr(path) or "the params": np.asarray(leaf)
        for path, leaf in jax.tree_util.tree_leaves_with_path(params)
        if jnp.issubdtype(jnp.result_type(leaf), jnp.floating)
    }


def _added(old: Leaves, way: Leaves) -> Leaves:
    return {place: leaf + way[place] for place, leaf in old.items()}


def _candidates(leaves: Leaves) -> Iterator[Copies]:
    yield from _slices(leaves)
    for one, other in combinations(leaves, 2):
        if leaves[one].shape == leaves[other].shape:
            yield Copies(f"{one} and {other}", one, partial(_difference, one=one, other=other))


def _slices(leaves: Leaves) -> Iterator[Copies]:
    for place, leaf in leaves.items():
        for axis in range(leaf.ndim):
            if leaf.shape[axis] > 1:
                words = f"{place}, {leaf.shape[axis]} along axis {axis}"
                yield Copies(words, place, partial(_spread, place=place, axis=axis))


def _spread(leaves: Leaves, *, place: str, axis: int) -> np.ndarray:
    return np.asarray(np.ptp(leaves[place], axis=axis))


def _difference(leaves: Leaves, *, one: str, other: str) -> np.ndarray:
    return leaves[one] - leaves[other]


def _is_lasting(copies: Copies, old: Leaves, new: Leaves) -> bool:
    moved = float(np.abs(new[copies.place] - old[copies.place]).max(initial=0))
    return 0 < moved < np.inf and float(np.abs(copies.apart(new)).max(initial=0)) <= SAME * moved
