"""What a wrong gradient looks like: a multiple of the right one, another leaf's, one with a known mistake."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnets.diagnose.mistakes import Mistakes
from jaxnets.diagnose.problem import Problem

NEAR = 1e-5
"""Relative, of what explains a leaf."""


class Leaf(NamedTuple):
    """A leaf of a gradient.

    Attributes:
        place: among the params, as ``['layers'][0]``.
        weight: the parameter.
        right: the gradient as it should be.
        found: as it is by hand.
    """

    place: str
    weight: np.ndarray
    right: np.ndarray
    found: np.ndarray

    @property
    def factor(self) -> float:
        """The least-squares multiple of the right one."""
        return factor(self.found, self.right)


def pattern(leaf: Leaf, leaves: Sequence[Leaf], sizes: dict[str, float], mistakes: Mistakes) -> str:
    """The first explanation that accounts for the whole leaf; nothing where there is none.

    Args:
        leaf: that is wrong.
        leaves: all of them.
        sizes: numbers that gradients are multiplied by, with their names; see ``sizes_of``.
        mistakes: with which the gradient is made again.
    """
    if not np.abs(leaf.found).max(initial=0):
        return "zero"
    if not (np.isfinite(leaf.found).all() and np.isfinite(leaf.right).all()):
        return "not finite" if not np.isfinite(leaf.found).all() else ""
    for words, candidate in _others(leaf, leaves):
        said = _as_multiple(words, candidate, leaf.found, sizes)
        if said:
            return said
    said = _with_a_penalty(leaf, sizes)
    if said:
        return said
    place = [one.place for one in leaves].index(leaf.place)
    for is_exact in (True, False):
        for words, made in mistakes:
            if is_exact and _is_near(leaf.found, made[place]):
                return words
            said = "" if is_exact else _as_multiple(words, made[place], leaf.found, sizes)
            if said and not _is_near(made[place], leaf.right):
                return said
    return ""


def sizes_of(problem: Problem, inputs: Any) -> dict[str, float]:
    """Numbers by which gradients are multiplied by mistake."""
    num_rows, num_all = len(jax.tree.leaves(inputs)[0]), len(jax.tree.leaves(problem.data[0])[0])
    row = jax.tree.map(lambda leaf: leaf[:1], inputs)
    outputs = jax.eval_shape(lambda key: problem.predict(problem.init(key), row), jax.random.key(0))
    num_outputs = int(np.prod(jax.tree.leaves(outputs)[0].shape[1:]))
    named = {"2": 2, "the number of rows": num_rows, "the number of outputs": num_outputs,
             "the number of all rows": num_all}  # fmt: skip
    known: dict[str, float] = {}
    for name, number in named.items():
        if number > 1 and number not in known.values():
            known[name] = float(number)
    return known


def factor(found: np.ndarray, right: np.ndarray) -> float:
    """The least-squares multiple."""
    return float((found * right).sum() / max((right * right).sum(), 1e-300))


def _others(leaf: Leaf, leaves: Sequence[Leaf]) -> Iterator[tuple[str, np.ndarray]]:
    """The leaf itself, as it is or turned, and those that it may have been taken for."""
    right = leaf.right
    yield "", right
    if right.ndim == 2 and right.shape[0] == right.shape[1]:
        yield "transposed", right.T
    for other in leaves:
        if other is not leaf and other.right.shape == right.shape:
            yield f"the gradient of {other.place}", other.right
    if right.ndim == 2 and right.shape[0] != right.shape[1]:
        yield "its numbers in the order of the transpose", right.T.reshape(right.shape)


def _with_a_penalty(leaf: Leaf, sizes: dict[str, float]) -> str:
    """The right leaf, or a multiple of it, and a multiple of the parameter."""
    pair = np.stack([leaf.right.ravel(), leaf.weight.ravel()], axis=1)
    times, decay = np.linalg.lstsq(pair, leaf.found.ravel())[0]
    if leaf.found.size < 3 or not decay or not _is_near(leaf.found, times * leaf.right + decay * leaf.weight):
        return ""
    words = "is too much" if decay > 0 else "is missing"
    term = f"a term of {abs(decay):.4g} times the parameter (an L2 penalty) {words}"
    return " and ".join(filter(None, [_multiple(times, sizes), term]))


def _is_near(one: np.ndarray, other: np.ndarray) -> bool:
    return np.allclose(one, other, rtol=NEAR, atol=1e-4 * NEAR * np.abs(one).max(initial=0))


def _as_multiple(words: str, candidate: np.ndarray, found: np.ndarray, sizes: dict[str, float]) -> str:
    """The words, and the multiple where it is not 1; nothing where the leaf is none of the candidate."""
    times = factor(found, candidate)
    if not np.isfinite(times) or not times or not _is_near(found, times * candidate):
        return ""
    return ", ".join(filter(None, [words, _multiple(times, sizes)]))


def _multiple(times: float, sizes: dict[str, float]) -> str:
    """A factor in words; nothing for 1."""
    said = ["with the wrong sign"] if times < 0 else []
    size = abs(times)
    if abs(size - 1) < NEAR:
        return ", ".join(said)
    for words, number in _products(sizes):
        if abs(size / number - 1) < NEAR:
            return ", ".join([*said, words])
    return ", ".join([*said, f"multiplied by {size:.6g}"])


def _products(sizes: dict[str, float]) -> Iterator[tuple[str, float]]:
    """Multiples that have names, the simple ones first."""
    for one, number in sizes.items():
        yield f"multiplied by {one}", number
        yield f"divided by {one}", 1 / number
    for one, number in sizes.items():
        for other, second in sizes.items():
            if one < other:
                yield f"multiplied by {one} and {other}", number * second
                yield f"divided by {one} and {other}", 1 / (number * second)
            if one != other:
                yield f"multiplied by {one}, divided by {other}", number / second
