"""What happens inside of a function of params and rows: its contractions, and the activations between them.

A function is followed operation by operation, so nothing depends on what it or its layers are called: a flax
module, a pytree of arrays and NumPy-style code are looked at alike. A *layer* is a contraction (a matrix
product or a convolution) of something that depends on the rows with something that depends on the params. Its
*slope* is the derivative, number by number, of what goes into it by what came out of the one before.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Literal

from jaxnets.diagnose.altered import Altered, altered_operation
from jaxnets.diagnose.equations import CONTRACTIONS, bound, called, scan_sizes
from jaxnets.diagnose.layer import Axes, Layer, Place, axes_of
from jaxnets.types import PyTree

BY_NUMBER = (
    "abs", "add", "atan", "cbrt", "clamp", "convert_element_type", "copy", "copy_p", "cos", "cosh", "div",
    "erf", "erf_inv", "erfc", "exp", "exp2", "expm1", "integer_pow", "log", "log1p", "logistic", "max", "min",
    "mul", "neg", "pow", "rsqrt", "select_n", "sign", "sin", "sinh", "sqrt", "square", "sub", "tan", "tanh",
)  # fmt: skip
"""Operations that work number by number."""
MOVES = ("reshape", "rev", "squeeze", "transpose")
"""Operations that put the same numbers elsewhere."""


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
        layer: the contraction's place among the layers; -1 without one.
        is_moved: whether it lies otherwise than it came out of the contraction.
    """

    value: Any
    leaves: frozenset[int]
    is_of_rows: bool
    before: Any = None
    slope: Any = None
    is_bare: bool = False
    number: int = -1
    layer: int = -1
    is_moved: bool = False


class Trace:
    """A function of params and rows, followed.

    Args:
        altered: derivatives that are taken wrongly.
        nudges: what is added at each of the ``places``, of a shape that broadcasts.
        num_inside: steps of each ``scan`` that are followed too.

    Attributes:
        outputs: flat.
        layers: in the order in which they are computed.
        inside: those within loops, in the last step that is followed.
        places: see :class:`Place`; those of the layers come in the same order.
        biased: numbers of the layers to whose outputs params are added, with the numbers of their leaves.
        gates: factors by which what comes from another layer is multiplied, with their slopes.
        ends: the outputs with where they come from.
        by_number: what every operation gave last.
        products: numbers of the operations that the layers are, each with the place of its weight.
        loops: numbers of the scans.
    """

    def __init__(
        self, function: Callable, params: PyTree, *rows: Any, altered: Sequence[Altered] = (),
        nudges: Sequence[Any] | None = None, num_inside: int = 0,
    ) -> None:  # fmt: skip
        self.layers: list[Layer] = []
        self.inside: list[Layer] = []
        self.places: list[Place] = []
        self.biased: dict[int, frozenset[int]] = {}
        self.gates: list[tuple[Any, Any]] = []
        self._number, self._altered = 0, {one.number: one for one in altered}
        self._nudges, self._num_inside = nudges, num_inside
        self.by_number: dict[int, Traced] = {}
        self.products: list[tuple[int, int]] = []
        self.loops: list[int] = []
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
        inner = called(equation)
        if inner is not None:
            return self._walk(inner, given)
        if name == "scan":
            self.loops.append(self._number)
            given = self._into_loop(equation, given)
        altered = self._altered.get(self._number)
        operate = (
            altered_operation(equation, altered) if altered and altered.mixed is not None else bound(equation)
        )
        found = operate(*(one.value for one in given))
        values = found if equation.primitive.multiple_results else [found]
        leaves = frozenset().union(*(one.leaves for one in given))
        ends = [Traced(value, leaves, any(one.is_of_rows for one in given)) for value in values]
        rows, weights = [one for one in given if one.is_of_rows], [one for one in given if not one.is_of_rows]
        if name in CONTRACTIONS and len(rows) == 1 and weights[0].leaves:
            value = self._nudged(Place(ends[0].value))
            self.products.append((self._number, int(given[0].is_of_rows)))
            self._note(rows[0], weights[0], value, axes_of(equation, value, given[0].is_of_rows))
            found = ends[0]._replace(value=value, before=value, slope=jnp.ones_like(value), is_bare=True)
            ends = [found._replace(layer=len(self.layers) - 1)]
        elif name in BY_NUMBER and rows:
            ends = [self._onwards(name, operate, given, ends[0])]
        elif name in MOVES and given[0].before is not None and len(given) == 1:
            ends = [_moved(operate, given[0], ends[0])]
        self._number += 1
        return [self._numbered(end) for end in ends]

    def _nudged(self, place: Place) -> Any:
        """The value at a place, with what is added there."""
        self.places.append(place)
        if self._nudges is None:
            return place.value
        return place.value + jnp.broadcast_to(self._nudges[len(self.places) - 1], place.value.shape)

    def _into_loop(self, equation: Any, given: list[Traced]) -> list[Traced]:
        """What goes into a loop, with what is added at each step; its first steps are followed."""
        num_fixed, num_carried = scan_sizes(equation)
        first = num_fixed + num_carried
        is_reversed = equation.params["reverse"]
        nudged = [
            one._replace(value=self._nudged(Place(one.value, True, is_reversed)))
            if one.is_of_rows and jnp.issubdtype(one.value.dtype, jnp.inexact) else one
            for one in given[first:]
        ]  # fmt: skip
        inner = copy.copy(self)
        inner.inside, inner.biased, inner.by_number, inner._nudges = [], {}, {}, None
        inner.gates = []
        fixed, carry = given[:num_fixed], given[num_fixed:first]
        for number in range(min(self._num_inside, equation.params["length"])):
            inner.layers, inner.places = [], []
            time = -1 - number if is_reversed else number
            now = [Traced(one.value[time], one.leaves, one.is_of_rows) for one in nudged]
            ends = inner._walk(equation.params["jaxpr"], [*fixed, *carry, *now])[: len(carry)]
            carry = [one._replace(layer=-1, is_moved=True) for one in ends]
        if self._num_inside:
            self.inside = [*self.inside, *inner.inside, *inner.layers]
        return [*given[:first], *nudged]

    def _note(self, rows: Traced, weight: Traced, value: Any, axes: Axes) -> None:
        slope = None if rows.before is None or rows.is_bare else rows.slope
        self.layers.append(
            Layer(rows.value, weight.value, value, weight.leaves, slope, rows.number, rows.leaves, axes)
        )

    def _onwards(self, name: str, operate: Callable, given: list[Traced], end: Traced) -> Traced:
        """The slope, one operation further."""
        sources = [one for one in given if one.before is not None]
        same = {id(one.before) for one in sources}
        others = [one for one in given if one.is_of_rows and one.before is None]
        if name == "mul" and len(sources) == 2 and len(same) == 2:
            self.gates += [(one.value, one.slope) for one in sources if not one.is_bare]
        if len(same) != 1 or others or np.shape(sources[0].value) != np.shape(end.value):
            return end
        end = end._replace(layer=sources[0].layer, is_moved=sources[0].is_moved)
        if not jnp.issubdtype(end.value.dtype, jnp.inexact):
            return end._replace(before=sources[0].before, slope=jnp.zeros_like(sources[0].value))
        added = [one.leaves for one in given if one.leaves and not one.is_of_rows]
        if name in ("add", "sub") and added:
            self.biased[end.layer] = self.biased.get(end.layer, frozenset()).union(*added)
        _, slope = jax.jvp(
            operate, [one.value for one in given],
            [_tangent(one.value, one.slope if one.before is not None else None) for one in given],
        )  # fmt: skip
        is_bare = name == "add" and len(sources) == 1 and sources[0].is_bare
        if is_bare and not end.is_moved and end.layer < len(self.layers):
            self.layers[end.layer] = self.layers[end.layer]._replace(outputs=end.value)
        before = end.value if is_bare else sources[0].before
        return end._replace(before=before, slope=slope, is_bare=is_bare)

    def _numbered(self, end: Traced) -> Traced:
        end = end._replace(number=self._number)
        altered = self._altered.get(self._number)
        if altered and altered.change and end.before is not None:
            still = jax.lax.stop_gradient
            end = end._replace(value=still(end.value) + altered.change(end.before - still(end.before)))
        self.by_number[self._number] = end
        return end


def _moved(operate: Callable, source: Traced, end: Traced) -> Traced:
    """The same numbers elsewhere, with what came out of the contraction and the slope there."""
    before = end.value if source.is_bare else operate(source.before)
    return end._replace(
        before=before, slope=operate(source.slope), is_bare=source.is_bare, layer=source.layer, is_moved=True
    )


def _tangent(value: Any, slope: Any) -> Any:
    kind = jnp.result_type(value)
    if not jnp.issubdtype(kind, jnp.inexact):
        return np.zeros(np.shape(value), jax.dtypes.float0)
    return jnp.zeros(np.shape(value), kind) if slope is None else slope.astype(kind)
