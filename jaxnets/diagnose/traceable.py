"""Whether jax can follow a person's functions at all, and whether they give what they must."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxnets.check import InputError
from jaxnets.diagnose.derivatives import check_structure
from jaxnets.diagnose.finding import Finding
from jaxnets.diagnose.problem import Problem
from jaxnets.types import PyTree

FEW_ROWS = 4
"""That the functions are shown."""
IN_JAX = "write it with jax.numpy, without Python's if on values, float() and NumPy's functions"
ALIKE = "give each leaf of the params one of the same shape: sum over the rows, mind transposes"
KEYS_APART = "keep keys apart from the params: nothing follows a gradient to them"


def refusal(problem: Problem, key: jax.Array) -> Finding | None:
    """Says which function cannot be followed by jax, or gives something else than it must, and why."""
    some = jax.tree.map(lambda leaf: leaf[:FEW_ROWS], problem.data)
    place = "init"
    try:
        params = jax.eval_shape(problem.init, key)
        if any(jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) for leaf in jax.tree.leaves(params)):
            return _refused("init", "a random key among the params, allowed are numbers", KEYS_APART)
        place = "predict"
        jax.eval_shape(problem.predict, params, some.inputs)
        place = "loss"
        value = jax.eval_shape(problem.loss, params, *some)
        if getattr(value, "shape", None) != ():
            return _refused(
                place, f"gives {_kind(value)}, needed is one number", "take the mean over the rows"
            )
        for place in ("gradient", "update"):
            function = getattr(problem, place)
            unlike = function and _unlike(place, params, jax.eval_shape(function, params, *some))
            if unlike:
                return unlike
        if problem.has_step:
            place = "a step"
            jax.eval_shape(lambda params: problem.step(params, problem.begin(params), *some), params)
    except Exception as error:  # a person's functions may raise anything
        return _refused(place, in_a_line(error), IN_JAX)
    return None


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
    return f"an array of shape {leaves[0].shape}" if len(leaves) == 1 else f"{len(leaves)} arrays"
