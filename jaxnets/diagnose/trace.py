"""What happens inside of a function of params and rows: its contractions, and the activations between them.

A function is followed operation by operation, so nothing depends on what it or its layers are called: a flax
module, a pytree of arrays and NumPy-style code are looked at alike. A *layer* is a contraction (a matrix
product or a convolution) of something that depends on the rows with something that depends on the params. Its
*slope* is the derivative, number by number, of what goes into it by what came out of the one before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Literal

from jaxnets.types import Array, PyTree

CONTRACTIONS = ("dot_general", "conv_general_dilated")
LOOPS = ("scan", "while", "cond")
INNER = ("jaxpr", "call_jaxpr", "fun_jaxpr")
BY_NUMBER = (
    "abs", "add", "atan", "cbrt", "clamp", "convert_element_type", "copy", "copy_p", "cos", "cosh", "div",
    "erf", "erf_inv", "erfc", "exp", "exp2", "expm1", "integer_pow", "log", "log1p", "logistic", "max", "min",
    "mul", "neg", "pow", "rsqrt", "select_n", "sign", "sin", "sinh", "sqrt", "square", "sub", "tan", "tanh",
)  # fmt: skip
"""Operations that work number by number."""


class Layer(NamedTuple):
    """A contraction of data with params.

    Attributes:
        inputs: what goes in, from the rows.
        weight: what it is multiplied by.
        outputs: what comes out, with what params are added to it.
        leaves: numbers of the params' leaves that the weight comes from.
        slope: of the function before it: the derivative of ``inputs`` by the outputs of the layer before,
            where they belong together number by number; None for the first layer.
        number: of the operation that made ``inputs``.
    """

    inputs: Array
    weight: Array
    outputs: Array
    leaves: frozenset[int]
    slope: Array | None
    number: int


class Traced(NamedTuple):
    """A value on its way, with where it comes from.

    Attributes:
        value: the array.
        leaves: numbers of the params' leaves that it depends on.
        is_of_rows: whether it depends on the rows.
        before: what came out of the last contraction, where this follows from it number by number.
        slope: the derivative of this by ``before``.
        is_bare: whether nothing but params was added to what came out of the contraction.
        number: of the operation that made it.
    """

    value: Any
    leaves: frozenset[int]
    is_of_rows: bool
    before: Any = None
    slope: Any = None
    is_bare: bool = False
    number: int = -1


class Altered(NamedTuple):
    """A place where a derivative is taken wrongly, as people do.

    Attributes:
        number: of the operation behind which it is.
        power: of the slope: 0 leaves it out, 2 multiplies by it twice.
    """

    number: int
    power: int


class Trace:
    """A function of params and rows, followed.

    Args:
        altered: a derivative that is taken wrongly.

    Attributes:
        outputs: flat.
        layers: in the order in which they are computed.
        ends: the outputs with where they come from.
    """

    def __init__(
        self, function: Callable, params: PyTree, *rows: Any, altered: Altered | None = None
    ) -> None:
        self.layers: list[Layer] = []
        self._number, self._altered = 0, altered
        self.by_number: dict[int, Traced] = {}
        leaves = jax.tree.leaves(params)
        starts = [Traced(jnp.asarray(leaf), frozenset([number]), False) for number, leaf in enumerate(leaves)]
        starts += [Traced(jnp.asarray(leaf), frozenset(), True) for leaf in jax.tree.leaves(rows)]
        self.ends = self._walk(jax.make_jaxpr(function)(params, *rows), starts)
        self.outputs = [end.value for end in self.ends]

    def _walk(self, closed: ClosedJaxpr, starts: list[Traced]) -> list[Traced]:
        jaxpr = closed.jaxpr
        known = dict(zip(jaxpr.invars, starts, strict=True))
        fixed = [Traced(value, frozenset(), False) for value in closed.consts]
        known |= dict(zip(jaxpr.constvars, fixed, strict=True))

        def read(atom: Any) -> Traced:
            return Traced(atom.val, frozenset(), False) if isinstance(atom, Literal) else known[atom]

        for equation in jaxpr.eqns:
            given = [read(atom) for atom in equation.invars]
            known.update(zip(equation.outvars, self._ends(equation, given), strict=True))
        return [read(atom) for atom in jaxpr.outvars]

    def _ends(self, equation: Any, given: list[Traced]) -> list[Traced]:
        """What an operation gives; what stands inside of a call is followed too."""
        name = equation.primitive.name
        inner = next((equation.params[one] for one in INNER if one in equation.params), None)
        if name not in LOOPS and isinstance(inner, ClosedJaxpr) and len(inner.jaxpr.invars) == len(given):
            return self._walk(inner, given)
        parameters = equation.primitive.get_bind_params(equation.params)
        bound = lambda *values: equation.primitive.bind(*values, **parameters)  # noqa: E731
        found = bound(*(one.value for one in given))
        values = found if equation.primitive.multiple_results else [found]
        leaves = frozenset().union(*(one.leaves for one in given))
        ends = [Traced(value, leaves, any(one.is_of_rows for one in given)) for value in values]
        rows, weights = [one for one in given if one.is_of_rows], [one for one in given if not one.is_of_rows]
        if name in CONTRACTIONS and len(rows) == 1 and weights[0].leaves:
            self._note(rows[0], weights[0], ends[0].value)
            slope = jnp.ones_like(ends[0].value)
            ends = [ends[0]._replace(before=ends[0].value, slope=slope, is_bare=True)]
        elif name in BY_NUMBER and rows:
            ends = [self._onwards(name, bound, given, ends[0])]
        self._number += 1
        return [self._numbered(end) for end in ends]

    def _note(self, rows: Traced, weight: Traced, value: Any) -> None:
        slope = None if rows.before is None or rows.is_bare else rows.slope
        self.layers.append(Layer(rows.value, weight.value, value, weight.leaves, slope, rows.number))

    def _onwards(self, name: str, bound: Callable, given: list[Traced], end: Traced) -> Traced:
        """The slope, one operation further."""
        sources = [one for one in given if one.before is not None]
        same = {id(one.before) for one in sources}
        others = [one for one in given if one.is_of_rows and one.before is None]
        if len(same) != 1 or others or np.shape(sources[0].value) != np.shape(end.value):
            return end
        if not jnp.issubdtype(end.value.dtype, jnp.inexact):
            return end._replace(before=sources[0].before, slope=jnp.zeros_like(sources[0].value))
        _, slope = jax.jvp(
            bound, [one.value for one in given],
            [_tangent(one.value, one.slope if one.before is not None else None) for one in given],
        )  # fmt: skip
        is_bare = name == "add" and len(sources) == 1 and sources[0].is_bare
        before = end.value if is_bare else sources[0].before
        return end._replace(before=before, slope=slope, is_bare=is_bare)

    def _numbered(self, end: Traced) -> Traced:
        end = end._replace(number=self._number)
        if self._altered and self._number == self._altered.number and end.before is not None:
            still = jax.lax.stop_gradient
            weight = still(end.slope) ** self._altered.power
            end = end._replace(value=still(end.value) + weight * (end.before - still(end.before)))
        self.by_number[self._number] = end
        return end


def _tangent(value: Any, slope: Any) -> Any:
    kind = jnp.result_type(value)
    if not jnp.issubdtype(kind, jnp.inexact):
        return np.zeros(np.shape(value), jax.dtypes.float0)
    return jnp.zeros(np.shape(value), kind) if slope is None else slope.astype(kind)
