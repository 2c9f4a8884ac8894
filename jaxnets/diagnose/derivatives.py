"""A gradient written by hand against the loss's own, leaf by leaf in float64, and how it differs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.check import InputError
from jaxnets.diagnose.problem import Problem
from jaxnets.diagnose.quick import quick
from jaxnets.diagnose.trace import Altered, Trace
from jaxnets.types import PyTree

TOLERANCE = 1e-6
"""Relative; derivations that are right agree to 1e-12 in float64, tables of constants to 1e-7."""
STEP = 1e-6
"""Of one-sided differences, relative to a leaf's scale."""
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


def differences(problem: Problem, key: jax.Array, *, num_rows: int = 32) -> list[Difference]:
    """The leaves in which ``problem.gradient`` is not the gradient of ``problem.loss``.

    Both are taken in float64 at the initial params moved by a tenth of their scale, so that biases are not
    zero and kinks are seldom met; entries that lie on a kink are left out.
    """
    with jax.enable_x64(True):
        params, inputs, targets = _point(problem, key, num_rows)
        right = quick(jax.grad(problem.loss))(params, inputs, targets)
        found = quick(problem.gradient)(params, inputs, targets)
        check_structure("gradient", params, found)
        paths = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(params)]
        leaves = [[np.asarray(leaf) for leaf in jax.tree.leaves(tree)] for tree in (params, right, found)]
        sizes, altered = _sizes(problem, inputs), [*_altered(problem, params, inputs, targets)]
        wrong = []
        for place, (path, weight, a, h) in enumerate(zip(paths, *leaves, strict=True)):
            off = np.abs(h - a) > TOLERANCE * max(np.abs(a).max(initial=0), np.abs(h).max(initial=0), 1e-300)
            if off.any() and not _are_kinks(problem, params, place, off, a, h, inputs, targets):
                pattern = _pattern(place, weight, a, h, paths, leaves[1], sizes, altered)
                wrong.append(Difference(path, pattern, _relative(h, a), _factor(h, a), _cosine(h, a)))
        return wrong


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


def _altered(
    problem: Problem, params: PyTree, inputs: Any, targets: Any
) -> Iterator[tuple[str, list[np.ndarray]]]:
    """Gradients in which the derivative of an activation is left out, or is there twice."""
    trace = Trace(problem.loss, params, inputs, targets)
    places = {
        layer.number: f"the activation before layer {number}"
        for number, layer in enumerate(trace.layers, start=1)
        if layer.slope is not None
    }
    outputs = jax.tree.leaves(problem.predict(params, inputs))[0]
    for number, end in trace.by_number.items():
        is_one = end.before is not None and not end.is_bare and np.shape(end.value) == outputs.shape
        if is_one and number not in places and np.allclose(end.value, outputs, rtol=1e-12):
            places[number] = "the function at the output"
    for number, words in places.items():
        for power, said in ((0, "is missing"), (2, "is there twice")):
            change = Altered(number, power)
            loss = lambda params, change=change: Trace(  # noqa: E731
                problem.loss, params, inputs, targets, altered=change
            ).outputs[0]
            found = jax.tree.leaves(jax.grad(loss)(params))
            yield f"the derivative of {words} {said}", [np.asarray(leaf) for leaf in found]


def _point(problem: Problem, key: jax.Array, num_rows: int) -> tuple[PyTree, Any, Any]:
    """PyTree that are moved a little, and the first rows, in float64."""
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


def _sizes(problem: Problem, inputs: Any) -> dict[str, float]:
    """Numbers by which gradients are multiplied by mistake."""
    num_rows = len(jax.tree.leaves(inputs)[0])
    row = jax.tree.map(lambda leaf: leaf[:1], inputs)
    outputs = jax.eval_shape(lambda key: problem.predict(problem.init(key), row), jax.random.key(0))
    num_outputs = int(np.prod(jax.tree.leaves(outputs)[0].shape[1:]))
    sizes = {"2": 2.0, "the number of rows": float(num_rows)}
    return sizes | ({"the number of outputs": float(num_outputs)} if num_outputs > 1 else {})


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


def _pattern(
    place: int, weight: np.ndarray, a: np.ndarray, h: np.ndarray, paths: list[str], right: list[np.ndarray],
    sizes: dict[str, float], altered: list[tuple[str, list[np.ndarray]]],
) -> str:  # fmt: skip
    """The first explanation that accounts for the whole leaf."""
    known = [*_explanations(place, weight, a, paths, right)]
    for words, candidate in [*known, *((words, leaves[place]) for words, leaves in altered)]:
        if not np.abs(candidate).max(initial=0):
            continue
        factor = _factor(h, candidate)
        if (
            np.isfinite(factor)
            and factor
            and np.allclose(h, factor * candidate, rtol=1e-5, atol=1e-9 * np.abs(h).max())
        ):
            said = _multiple(factor, sizes)
            if said and words:
                return f"{words}, {said}"
            if said or words:
                return said or words
    if not np.abs(h).max(initial=0):
        return "zero"
    missing = a - h
    part = _factor(missing, weight)
    if np.abs(weight).max(initial=0) and np.allclose(
        missing, part * weight, rtol=1e-5, atol=1e-9 * np.abs(missing).max()
    ):
        words = "is missing" if part > 0 else "is too much"
        return f"a term of {abs(part):.4g} times the parameter (an L2 penalty) {words}"
    return ""


def _explanations(
    place: int, weight: np.ndarray, a: np.ndarray, paths: list[str], right: list[np.ndarray]
) -> Iterator[tuple[str, np.ndarray]]:
    yield "", a
    if a.ndim == 2 and a.shape[0] == a.shape[1]:
        yield "transposed", a.T
    for other, (path, leaf) in enumerate(zip(paths, right, strict=True)):
        if other != place and leaf.shape == a.shape:
            yield f"the gradient of {path}", leaf
    if a.ndim == 2 and a.size == a.T.size and a.shape[0] != a.shape[1]:
        yield "its numbers in the order of the transpose", a.T.reshape(a.shape)


def _multiple(factor: float, sizes: dict[str, float]) -> str:
    """A factor in words; nothing for 1."""
    if abs(factor - 1) < TOLERANCE:
        return ""
    sign = "with the wrong sign" if factor < 0 else ""
    size = abs(factor)
    products = {"": 1.0} | sizes | {
        f"{one} and {other}": sizes[one] * sizes[other] for one in sizes for other in sizes if one < other
    }  # fmt: skip
    for name, number in products.items():
        for words, value in ((f"multiplied by {name}", number), (f"divided by {name}", 1 / number)):
            if abs(size / value - 1) < 1e-5:
                return ", ".join(filter(None, [sign, words if name else ""]))
    return ", ".join(filter(None, [sign, f"multiplied by {size:.6g}"]))


def _relative(h: np.ndarray, a: np.ndarray) -> float:
    return float(np.linalg.norm(h - a) / max(np.linalg.norm(a), np.linalg.norm(h), 1e-300))


def _factor(h: np.ndarray, a: np.ndarray) -> float:
    return float((h * a).sum() / max((a * a).sum(), 1e-300))


def _cosine(h: np.ndarray, a: np.ndarray) -> float:
    return float((h * a).sum() / max(np.linalg.norm(a) * np.linalg.norm(h), 1e-300))
