"""What flows through a network: forwards the numbers of each layer, backwards the loss's gradient by them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.diagnose.layer import Layer
from jaxnets.diagnose.quick import quick
from jaxnets.diagnose.trace import Trace
from jaxnets.types import Array, PyTree

STEPS_INSIDE = 6
"""Steps of a loop that are followed: units of a recurrent layer have seen some rows by then."""


class Flow(NamedTuple):
    """A loss on some rows, layer by layer.

    Attributes:
        loss: its value.
        layers: of the loss, in the order in which they are computed.
        deltas: the gradient by what comes out of each layer.
        inside: layers within loops, in the last step that is followed.
        times: the lengths of the gradient by what goes into each loop, from its first step to its last.
        biased: numbers of the layers to whose outputs params are added, with the numbers of their leaves.
        gates: factors by which what comes from another layer is multiplied, with their slopes.
    """

    loss: float
    layers: list[Layer]
    deltas: list[Array]
    inside: list[Layer]
    times: list[np.ndarray]
    biased: dict[int, frozenset[int]]
    gates: list[tuple[Array, Array]]

    @property
    def feeding(self) -> list[int]:
        """Numbers of the hidden layers: those whose params reach another layer's inputs."""
        later = frozenset().union(*(layer.sources for layer in self.layers))
        return [number for number, layer in enumerate(self.layers) if layer.leaves & later]

    @property
    def hidden(self) -> dict[str, Layer]:
        """Layers, inside of loops too, that see other layers and not the rows alone."""
        named = {f"layer {number + 1}": layer for number, layer in enumerate(self.layers)}
        named |= {f"layer {number + 1} in a loop": layer for number, layer in enumerate(self.inside)}
        return {name: layer for name, layer in named.items() if layer.sources}


def slope_of(loss: Callable) -> Callable:
    """The gradient of a loss, zero for leaves that are whole numbers.

    >>> slope_of(lambda w, x: w["a"] * w["n"] * x)({"a": 2.0, "n": 3}, 5.0)["a"].item()
    15.0
    """

    def slope(params: PyTree, *rows: Any) -> PyTree:
        found = jax.grad(loss, allow_int=True)(params, *rows)
        return jax.tree.map(
            lambda g, w: jnp.zeros_like(w) if g.dtype == jax.dtypes.float0 else g, found, params
        )

    return slope


def follower(loss: Callable, params: PyTree, *rows: Any) -> Callable[[PyTree], Flow]:
    """A function of the params that follows a loss of such params over these rows; compiled once."""
    known: dict[str, Any] = {}

    def places(params: PyTree, rows: Any) -> list[Array]:
        known["places"] = Trace(loss, params, *rows).places
        return [place.value for place in known["places"]]

    def value(nudges: list[Array], params: PyTree, rows: Any) -> Any:
        trace = Trace(loss, params, *rows, nudges=nudges, num_inside=STEPS_INSIDE)
        known["trace"] = trace
        found = [*map(_arrays, trace.layers)], [*map(_arrays, trace.inside)], trace.gates
        return trace.outputs[0], found

    zeros = [jnp.zeros(one.shape, one.dtype) for one in jax.eval_shape(places, params, rows)]

    @quick
    def follow(params: PyTree, rows: Any) -> Any:
        return jax.value_and_grad(value, has_aux=True)(zeros, params, rows)

    def flow(params: PyTree) -> Flow:
        (loss, (outside, inside, gates)), deltas = follow(params, rows)
        trace, kinds = known["trace"], known["places"]
        return Flow(
            float(loss),
            [_filled(layer, found) for layer, found in zip(trace.layers, outside, strict=True)],
            [delta for delta, kind in zip(deltas, kinds, strict=True) if not kind.is_loop],
            [_filled(layer, found) for layer, found in zip(trace.inside, inside, strict=True)],
            [_by_time(delta, kind.is_reversed)
             for delta, kind in zip(deltas, kinds, strict=True) if kind.is_loop],
            trace.biased,
            gates,
        )  # fmt: skip

    return flow


def _arrays(layer: Layer) -> tuple:
    return layer.inputs, layer.weight, layer.outputs, layer.slope


def _filled(layer: Layer, arrays: tuple) -> Layer:
    inputs, weight, outputs, slope = arrays
    return layer._replace(inputs=inputs, weight=weight, outputs=outputs, slope=slope)


def _by_time(delta: Array, is_reversed: bool) -> np.ndarray:
    lengths = np.sqrt(np.square(np.asarray(delta, np.float64)).reshape(len(delta), -1).sum(axis=1))
    return lengths[::-1] if is_reversed else lengths
