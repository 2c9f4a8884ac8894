"""What happens inside ``predict``: its contractions, and what goes into and comes out of each.

A function is followed operation by operation, so nothing depends on what it or its layers are called: a flax
module, a pytree of arrays and NumPy-style code are looked at alike. A *layer* is a contraction (a matrix product
or a convolution) of something that depends on the rows with something that depends on the params.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, Literal

from jaxnets.types import Array, Params

CONTRACTIONS = ("dot_general", "conv_general_dilated")
LOOPS = ("scan", "while", "cond")
INNER = ("jaxpr", "call_jaxpr", "fun_jaxpr")


class Layer(NamedTuple):
    """A contraction of data with params.

    Attributes:
        inputs: what goes in, from the rows.
        weight: what it is multiplied by.
        outputs: what comes out, before anything is added.
        leaves: numbers of the params' leaves that the weight comes from.
    """

    inputs: Array
    weight: Array
    outputs: Array
    leaves: frozenset[int]


class Traced(NamedTuple):
    """A value on its way, with where it comes from.

    Attributes:
        value: the array.
        leaves: numbers of the params' leaves that it depends on.
        is_of_rows: whether it depends on the inputs.
    """

    value: Any
    leaves: frozenset[int]
    is_of_rows: bool


class Trace(NamedTuple):
    """A prediction, followed.

    Attributes:
        outputs: flat, as ``predict`` gives them.
        layers: in the order in which they are computed.
        leaves: numbers of the params' leaves that the outputs depend on.
    """

    outputs: list[Array]
    layers: list[Layer]
    leaves: frozenset[int]


def follow(predict: Callable, params: Params, inputs: Any) -> Trace:
    """Follows one prediction.

    >>> weights = [jnp.ones((2, 3)), jnp.ones((3, 1))]
    >>> found = follow(lambda w, x: jnp.tanh(x @ w[0]) @ w[1], weights, jnp.ones((4, 2)))
    >>> [layer.inputs.shape for layer in found.layers]
    [(4, 2), (4, 3)]
    """
    closed = jax.make_jaxpr(predict)(params, inputs)
    leaves = jax.tree.leaves(params)
    starts = [Traced(jnp.asarray(leaf), frozenset([number]), False) for number, leaf in enumerate(leaves)]
    starts += [Traced(jnp.asarray(leaf), frozenset(), True) for leaf in jax.tree.leaves(inputs)]
    layers: list[Layer] = []
    ends = _walk(closed, starts, layers)
    return Trace([end.value for end in ends], layers, frozenset().union(*(end.leaves for end in ends)))


def _walk(closed: ClosedJaxpr, starts: list[Traced], layers: list[Layer]) -> list[Traced]:
    jaxpr = closed.jaxpr
    known = dict(zip(jaxpr.invars, starts, strict=True))
    known |= {
        variable: Traced(value, frozenset(), False)
        for variable, value in zip(jaxpr.constvars, closed.consts, strict=True)
    }

    def read(atom: Any) -> Traced:
        return Traced(atom.val, frozenset(), False) if isinstance(atom, Literal) else known[atom]

    for equation in jaxpr.eqns:
        given = [read(atom) for atom in equation.invars]
        ends = _ends(equation, given, layers)
        known.update(zip(equation.outvars, ends, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _ends(equation: Any, given: list[Traced], layers: list[Layer]) -> list[Traced]:
    """What an operation gives; what stands inside of a call is followed too."""
    inner = next((equation.params[name] for name in INNER if name in equation.params), None)
    name = equation.primitive.name
    if name not in LOOPS and isinstance(inner, ClosedJaxpr) and len(inner.jaxpr.invars) == len(given):
        return _walk(inner, given, layers)
    parameters = equation.primitive.get_bind_params(equation.params)
    found = equation.primitive.bind(*(one.value for one in given), **parameters)
    values = found if equation.primitive.multiple_results else [found]
    leaves = frozenset().union(*(one.leaves for one in given))
    is_of_rows = any(one.is_of_rows for one in given)
    if name in CONTRACTIONS and is_of_rows:
        _note(given, values[0], layers)
    return [Traced(value, leaves, is_of_rows) for value in values]


def _note(given: list[Traced], value: Array, layers: list[Layer]) -> None:
    rows = [one for one in given if one.is_of_rows]
    weights = [one for one in given if one.leaves and not one.is_of_rows]
    if len(rows) == len(weights) == 1:
        layers.append(Layer(rows[0].value, weights[0].value, value, weights[0].leaves))
