"""A layer of a function that is followed: a contraction of data with params, and which axes are its units."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxnets.types import Array


class Axes(NamedTuple):
    """Those of a contraction: summed over, of the inputs and the weight; and the units, of the outputs."""

    inputs: tuple[int, ...]
    weight: tuple[int, ...]
    outputs: tuple[int, ...]


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
        sources: numbers of the leaves that the inputs come from; none for a layer that sees the rows.
        axes: see :class:`Axes`.
    """

    inputs: Array
    weight: Array
    outputs: Array
    leaves: frozenset[int]
    slope: Array | None
    number: int
    sources: frozenset[int]
    axes: Axes

    @property
    def activations(self) -> Array:
        """The inputs, a column a feature: ``[positions, features]``."""
        return _columns(self.inputs, self.axes.inputs)

    @property
    def units(self) -> Array:
        """The outputs, a column a unit: ``[positions, units]``."""
        return _columns(self.outputs, self.axes.outputs)

    @property
    def fan_in(self) -> int:
        """Numbers that a unit sums over."""
        return int(np.prod([self.weight.shape[axis] for axis in self.axes.weight]))


class Place(NamedTuple):
    """Where something can be added on the way: what comes out of a layer, or goes into a loop at each step.

    Attributes:
        value: there.
        is_loop: whether the first axis is the loop's time.
        is_reversed: whether the loop runs from the last time to the first.
    """

    value: Array
    is_loop: bool = False
    is_reversed: bool = False


def axes_of(equation: Any, value: Any, is_rows_first: bool) -> Axes:
    """Of a contraction of rows, which stand first or second, with a weight."""
    dimensions = equation.params["dimension_numbers"]
    if equation.primitive.name != "dot_general":
        inputs_spec, weight_spec, outputs_spec = dimensions
        return Axes((inputs_spec[1],), tuple(weight_spec[1:]), (outputs_spec[1],))
    summed, batch = dimensions
    rows, weight = (0, 1) if is_rows_first else (1, 0)
    free = equation.invars[weight].aval.ndim - len(summed[weight]) - len(batch[weight])
    first = value.ndim - free if is_rows_first else len(batch[weight])
    return Axes(tuple(summed[rows]), tuple(summed[weight]), tuple(range(first, first + free)))


def _columns(value: Array, axes: tuple[int, ...]) -> Array:
    """Some axes last and flat, all others first and flat."""
    size = int(np.prod([value.shape[axis] for axis in axes]))
    return jnp.moveaxis(value, axes, tuple(range(-len(axes), 0))).reshape(-1, size)
