"""Which leaves of a learner's state are trained, told by what its functions do with them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal, jaxpr_as_fun
from jax.interpreters.partial_eval import dce_jaxpr

from jaxnets.diagnose.equations import called
from jaxnets.learner import Learner
from jaxnets.types import Batch, PyTree, State

WITHOUT_SLOPE = "its loss has no gradient by what it predicts with"
"""Closed forms, samplers, and rules that go by mistakes."""

SOLVES = ("cholesky", "custom_linear_solve", "eigh", "geqrf", "lu", "svd", "triangular_solve")
"""Operations of steps that go to where their equations lead."""


class Parts(NamedTuple):
    """A state in two parts, each of its structure with None in the place of the other.

    Attributes:
        is_trained: for each leaf.
        reason: why none can be told; empty where they are.
        has_statistics: whether the prediction depends on leaves that steps change without training them.

    >>> parts = Parts((False, True))
    >>> params, rest = parts.split({"count": 3, "w": 1.0})
    >>> params, rest, parts.join(params, rest)
    ({'count': None, 'w': 1.0}, {'count': 3, 'w': None}, {'count': 3, 'w': 1.0})
    """

    is_trained: tuple[bool, ...]
    reason: str = ""
    has_statistics: bool = False

    def split(self, state: State) -> tuple[PyTree, PyTree]:
        """What is trained, and the rest."""
        leaves, structure = jax.tree.flatten(state)
        parts = ([leaf if one is kept else None for leaf, one in zip(leaves, self.is_trained, strict=True)]
                 for kept in (True, False))  # fmt: skip
        trained, rest = (jax.tree.unflatten(structure, part) for part in parts)
        return trained, rest

    def join(self, params: PyTree, rest: PyTree) -> State:
        """The whole state."""
        either = lambda one, other: other if one is None else one  # noqa: E731
        return jax.tree.map(either, params, rest, is_leaf=lambda leaf: leaf is None)


def parts_of(key: jax.Array, learner: Learner, state: State, rows: Batch) -> Parts:
    """What is trained: real leaves that a step changes, and that the loss it reports has a gradient by.

    A leaf that the prediction depends on, too, is trained even where the gradient does not reach it: that
    would be a fault. Where the gradient reaches none of those, the learner does not go by it.

    Args:
        rows: a few.
    """
    leaves = jax.tree.leaves(state)
    every = range(len(leaves))

    def step(state: State) -> tuple[State, jax.Array]:
        new, metrics = learner.step(key, state, rows)
        return new, metrics["loss"]

    stepped = jax.make_jaxpr(step)(state)
    if _solves(stepped):
        return Parts((), "its steps solve equations, and follow no gradient")
    predicted = jax.make_jaxpr(lambda state: learner.predict(state, rows.inputs))(state)
    weighs, shows = _used(stepped, {len(leaves)}), _used(predicted, range(len(predicted.jaxpr.outvars)))
    changes = [origin != place for place, origin in enumerate(_origins(stepped.jaxpr, every)[:-1])]
    usable = [
        weighs[place] and changes[place] and jnp.issubdtype(jnp.result_type(leaves[place]), jnp.inexact)
        for place in every
    ]
    if not any(usable[place] and shows[place] for place in every):
        return Parts((), WITHOUT_SLOPE)
    try:
        has_slope = _sloped(lambda state: step(state)[1], state, usable)
    except Exception:  # loops that cannot be gone through backwards, and the like
        return Parts((), "its loss cannot be differentiated")
    if not any(has_slope[place] and shows[place] for place in every):
        return Parts((), WITHOUT_SLOPE)
    trained = tuple(bool(usable[place] and (shows[place] or has_slope[place])) for place in every)
    return Parts(trained, "", any(shows[place] and changes[place] and not trained[place] for place in every))


def _sloped(loss: Callable, state: State, usable: list[bool]) -> list[bool]:
    """Whether a gradient by each leaf is computed at all, not a constant zero."""
    parts = Parts(tuple(usable))
    params, rest = parts.split(state)
    slope = jax.grad(lambda params, rest: loss(parts.join(params, rest)))
    closed = jax.make_jaxpr(slope)(params, rest)
    found = iter([any(_used(closed, {place})) for place in range(len(closed.jaxpr.outvars))])
    return [one and next(found) for one in usable]


def _solves(function: Any) -> bool:
    """Whether equations are solved in it, or in the functions that it calls."""
    inner = [
        one
        for equation in function.eqns
        for value in equation.params.values()
        for one in (value if isinstance(value, (list, tuple)) else [value])
        if hasattr(one, "eqns")
    ]
    return any(one.primitive.name in SOLVES for one in function.eqns) or any(map(_solves, inner))


def _origins(jaxpr: Jaxpr, origins: Sequence[int | None]) -> list[int | None]:
    """Which argument each result is, untouched; also where one is chosen among several that are the same."""
    known = dict(zip(jaxpr.invars, origins, strict=True))
    read = lambda atom: None if isinstance(atom, Literal) else known.get(atom)  # noqa: E731
    for equation in jaxpr.eqns:
        given, inner = [read(atom) for atom in equation.invars], called(equation)
        if inner is not None:
            known.update(zip(equation.outvars, _origins(inner.jaxpr, given), strict=True))
        elif equation.primitive.name == "select_n":
            known[equation.outvars[0]] = given[1] if len(set(given[1:])) == 1 else None
    return [read(atom) for atom in jaxpr.outvars]


def _used(closed: ClosedJaxpr, outputs: Collection[int]) -> list[bool]:
    """Which arguments some of the results depend on."""
    places = range(len(closed.jaxpr.outvars))
    return dce_jaxpr(closed.jaxpr, [place in outputs for place in places])[1]


def pruned(function: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    """A function of one result, without the operations that it does not need: the step after the loss.

    >>> double = pruned(lambda x: {"unused": jnp.sin(x), "used": 2 * x}["used"])
    >>> [one.primitive.name for one in jax.make_jaxpr(double)(1.0).eqns]
    ['mul']
    """

    def found(*given: Any) -> jax.Array:
        closed = jax.make_jaxpr(function)(*given)
        needed, used = dce_jaxpr(closed.jaxpr, [True])
        leaves = [leaf for leaf, one in zip(jax.tree.leaves(given), used, strict=True) if one]
        (result,) = jaxpr_as_fun(ClosedJaxpr(needed, closed.consts))(*leaves)
        return result

    return found
