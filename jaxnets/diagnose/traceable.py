"""Whether jax can follow a person's functions at all, and whether they give what they must."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.check import InputError
from jaxnets.diagnose.derivatives import check_structure
from jaxnets.diagnose.finding import Finding
from jaxnets.diagnose.problem import Problem
from jaxnets.types import PyTree

FEW_ROWS = 4
"""That the functions are shown."""
IN_JAX = "write it with jax.numpy, without Python's if on values, float() and NumPy's functions"
ALIKE = "give each leaf of the params one of the same shape: sum over the rows, mind transposes"
ROWS_FIRST = "put the rows on the first axis"
SMOOTH = "take a loss that changes smoothly with the params, as a cross-entropy does where mistakes jump"
PURE = "let it depend on its arguments alone: jax calls it once; memory goes with the params or an optimizer"
KEYS_APART = "keep keys apart from the params: nothing follows a gradient to them"


def refusal(problem: Problem, key: jax.Array) -> Finding | None:
    """Says which function cannot be followed by jax, or gives something else than it must, and why."""
    some = jax.tree.map(lambda leaf: leaf[:FEW_ROWS], problem.data)
    place = "init"
    try:
        params = jax.eval_shape(problem.init, key)
        if any(jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) for leaf in jax.tree.leaves(params)):
            return _refused("init", "a random key among the params, allowed are numbers", KEYS_APART)
        if any(jnp.issubdtype(leaf.dtype, jnp.complexfloating) for leaf in jax.tree.leaves(params)):
            return _refused("init", "complex params, allowed are real numbers", "take both parts apart")
        place = "predict"
        outputs = jax.eval_shape(problem.predict, params, some.inputs)
        if _rows_lie_elsewhere(problem, params, some.inputs, outputs):
            return _refused(
                place,
                f"gives {_kind(outputs)} for {_num_rows(some)} rows, needed is one for each",
                ROWS_FIRST,
            )
        place = "loss"
        value = jax.eval_shape(problem.loss, params, *some)
        if getattr(value, "shape", None) != ():
            return _refused(
                place, f"gives {_kind(value)}, needed is one number", "take the mean over the rows"
            )
        if not jnp.issubdtype(value.dtype, jnp.floating):
            return _refused(place, f"gives a number of type {value.dtype}: it has no slope", SMOOTH)
        for place in ("gradient", "update"):
            function = getattr(problem, place)
            unlike = function and _unlike(place, params, jax.eval_shape(function, params, *some))
            if unlike:
                return unlike
        if problem.has_step:
            place = "a step"
            jax.eval_shape(lambda params: problem.step(params, problem.begin(params), *some), params)
        for place in ("predict", "loss", "gradient", "update"):
            function = getattr(problem, place)
            rows = (some.inputs,) if place == "predict" else some
            if function and not _is_pure(function, params, *rows):
                return _refused(place, "does something else each time that it is called", PURE)
    except Exception as error:  # a person's functions may raise anything
        return _refused(place, in_a_line(error), IN_JAX)
    return None


def _is_pure(function: Callable, *given: Any) -> bool:
    """Whether a function that could be followed once can be again, and does the same."""
    try:
        return len({_program(function, *given) for _ in range(2)}) == 1
    except Exception:  # it holds on to what jax put in its place
        return False


def _program(function: Callable, *given: Any) -> str:
    """What a function does when it is called now: its operations, and the numbers that it holds."""
    closed = jax.make_jaxpr(lambda *given: function(*given))(*given)
    consts = [
        hash(np.asarray(one).tobytes())
        for one in closed.consts
        if not jax.dtypes.issubdtype(one.dtype, jax.dtypes.prng_key)
    ]
    return re.sub(r"0x[0-9a-f]+", "", str(closed.jaxpr)) + str(consts)


def _rows_lie_elsewhere(problem: Problem, params: PyTree, inputs: Any, outputs: Any) -> bool:
    """Whether it is not the first axis of what is predicted that goes with the number of rows."""
    first = jax.tree.leaves(outputs)[:1]
    fewer = jax.tree.map(lambda leaf: leaf[:-1], inputs)
    if not first or not first[0].ndim or not _num_rows(fewer):
        return False
    try:
        (other, *_) = jax.tree.leaves(jax.eval_shape(problem.predict, params, fewer))
    except Exception:  # of another number of rows than a batch has, some functions make nothing
        return False
    changes = [one != two for one, two in zip(first[0].shape, other.shape, strict=False)]
    return any(changes) and not changes[0]


def _num_rows(rows: Any) -> int:
    return len(jax.tree.leaves(rows)[0])


def _unlike(place: str, params: PyTree, found: PyTree) -> Finding | None:
    """Says in which leaf a gradient or new params are not shaped like the params."""
    try:
        check_structure(place, params, found)
    except InputError as error:
        rule = "wrong-gradient" if place == "gradient" else "cannot-be-traced"
        return Finding(rule, "error", {"function": place}, str(error), ALIKE)
    return None


def in_a_line(error: BaseException) -> str:
    """What an error says, in short.

    >>> in_a_line(TypeError("of a kind\\nthat is long"))
    'TypeError: of a kind'
    """
    first = str(error).strip().splitlines()
    return f"{type(error).__name__}: {first[0] if first else ''}"[:300]


def _refused(place: str, reason: str, remedy: str) -> Finding:
    return Finding("cannot-be-traced", "error", {"function": place}, f"{place}: {reason}", remedy)


def _kind(value: Any) -> str:
    leaves = jax.tree.leaves(value)
    if not leaves:
        return "nothing"
    return f"an array of shape {leaves[0].shape}" if len(leaves) == 1 else f"{len(leaves)} arrays"
