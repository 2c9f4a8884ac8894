"""A function written out as a list of operations, which can be cut open: values replaced, parts run alone.

So a loss becomes a function of what the network puts out, whatever it is called and wherever it is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Literal

from jaxnets.diagnose.equations import bound, called, has_inner
from jaxnets.types import Array, PyTree

COPIES = ("broadcast_in_dim", "convert_element_type", "copy", "copy_p", "reshape", "squeeze", "transpose")
"""Operations that give the same numbers in another shape."""


class Operation(NamedTuple):
    """One step of a program.

    Attributes:
        name: of the primitive.
        bind: computes it, from a list of values to a list of values.
        sources: numbers of the values it takes.
        ends: numbers of the values it gives.
    """

    name: str
    bind: Callable
    sources: tuple[int, ...]
    ends: tuple[int, ...]


class Program:
    """A function of pytrees, its inner calls written out; loops stay one operation.

    What is computed twice of the same values is one value: the outputs of a network that a loss calls twice.

    The numbers of its values do not depend on the number of rows: what was found with few rows holds for
    the same function of many.

    Attributes:
        operations: in the order in which they run.
        sizes: how many numbers each value has.
        starts: numbers of the arguments' leaves, an argument each.
        ends: numbers of the results' leaves.
        fixed: values that depend on nothing, by their numbers.

    >>> program = Program(lambda w, x: jnp.tanh(x @ w), jnp.ones((2, 1)), jnp.ones((3, 2)))
    >>> [one.name for one in program.operations]
    ['dot_general', 'tanh']
    """

    def __init__(self, function: Callable, *given: Any) -> None:
        closed, shape = jax.make_jaxpr(function, return_shape=True)(*given)
        self.structure = jax.tree.structure(shape)
        self.operations: list[Operation] = []
        self.fixed: dict[int, Any] = {}
        self._once: dict[tuple, list[int]] = {}
        self.sizes: list[int] = []
        starts = [self._new(one.aval) for one in closed.jaxpr.invars]
        lengths = [len(jax.tree.leaves(one)) for one in given]
        places = [sum(lengths[:one]) for one in range(len(lengths) + 1)]
        self.starts = [tuple(starts[low:high]) for low, high in pairwise(places)]
        self.ends = self._write(closed, starts)

    def _new(self, aval: Any) -> int:
        self.sizes.append(getattr(aval, "size", 1))
        return len(self.sizes) - 1

    def _keep(self, value: Any) -> int:
        number = self._new(value)
        same = ("", (str(getattr(value, "dtype", type(value))), str(value))) if np.ndim(value) == 0 else None
        self.fixed[number] = value
        return number if same is None else self._once.setdefault(same, [number])[0]

    def _write(self, closed: ClosedJaxpr, starts: list[int]) -> list[int]:
        jaxpr = closed.jaxpr
        known = dict(zip(jaxpr.invars, starts, strict=True))
        known |= {
            place: self._keep(value) for place, value in zip(jaxpr.constvars, closed.consts, strict=True)
        }

        def read(atom: Any) -> int:
            return self._keep(atom.val) if isinstance(atom, Literal) else known[atom]

        for equation in jaxpr.eqns:
            sources = [read(atom) for atom in equation.invars]
            known.update(zip(equation.outvars, self._append(equation, sources), strict=True))
        return [read(atom) for atom in jaxpr.outvars]

    def _append(self, equation: Any, sources: list[int]) -> list[int]:
        primitive = equation.primitive
        inner = called(equation)
        if inner is not None:
            return self._write(inner, sources)
        operate = bound(equation)

        def bind(*values: Any) -> list[Any]:
            found = operate(*values)
            return found if primitive.multiple_results else [found]

        ends = [self._new(one.aval) for one in equation.outvars]
        same = (primitive.name, (*sources, str(equation.params)))
        before = None if has_inner(equation) else self._once.setdefault(same, ends)
        if before is not None and before is not ends:
            return before
        self.operations.append(Operation(primitive.name, bind, tuple(sources), tuple(ends)))
        return ends

    def reached(self, starts: Iterable[int], *, but: Iterable[int] = ()) -> set[int]:
        """Numbers of the values that depend on some others, on ways that do not lead through ``but``."""
        found, closed = set(starts) - set(but), set(but)
        for one in self.operations:
            if found.intersection(one.sources):
                found.update(set(one.ends) - closed)
        return found

    def needed(self, ends: Iterable[int], *, but: Iterable[int] = ()) -> set[int]:
        """Numbers of the values that some depend on, and their own; not what only ``but`` depends on."""
        found, closed = set(ends), set(but)
        for one in reversed(self.operations):
            if found.intersection(one.ends) - closed:
                found.update(one.sources)
        return found

    def run(self, *given: Any, replaced: Mapping[int, Callable] | None = None) -> dict[int, Any]:
        """All values by their numbers.

        Args:
            replaced: functions of the values so far that give others instead, by the value's number.
        """
        changes = replaced or {}
        values = dict(self.fixed)
        values.update(zip(sum(self.starts, ()), map(jnp.asarray, jax.tree.leaves(given)), strict=True))
        for one in self.operations:
            values.update(zip(one.ends, one.bind(*(values[place] for place in one.sources)), strict=True))
            values.update({place: changes[place](values) for place in one.ends if place in changes})
        return values

    def tail(self, values: Mapping[int, Any], cut: int, end: int) -> Callable[[Array], Array]:
        """One value as a function of an earlier one, all that does not follow from that left as it was."""
        following, wanted = self.reached([cut]), self.needed([end])
        later = [
            one for one in self.operations
            if following.intersection(one.sources) and cut not in one.ends and wanted.intersection(one.ends)
        ]  # fmt: skip

        def found(value: Array) -> Array:
            known = {**values, cut: value}
            for one in later:
                known.update(zip(one.ends, one.bind(*(known[place] for place in one.sources)), strict=True))
            return known[end]

        return found

    def results(self, values: Mapping[int, Any]) -> PyTree:
        """As the function gives them."""
        return jax.tree.unflatten(self.structure, [values[place] for place in self.ends])

    def separates(self, cut: int) -> bool:
        """Whether all that is computed of the first argument and the second together passes this value.

        Single numbers are left out: a penalty of the params is added to a mean over the rows.
        """
        params, rows = (self.reached(self.starts[place], but=[cut]) for place in (0, 1))
        needed = self.needed(self.ends, but=[cut])
        return cut in needed and not any(self.sizes[place] > 1 for place in params & rows & needed)
