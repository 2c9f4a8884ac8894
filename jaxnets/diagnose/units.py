"""Which units of a layer are copies of each other."""

from __future__ import annotations

import numpy as np

from jaxnets.diagnose.flow import Flow
from jaxnets.diagnose.layer import Layer
from jaxnets.types import Array

SAME = 1e-5
"""Relative; units that differ by less are the same to 32 bits."""


def unit_copies(flow: Flow, most: float = 0.5) -> tuple[dict[str, str], list[int]]:
    """Layers of whose units half, or another share, are different at most, in words and by their numbers.

    Compared are what comes out of a unit on each row, and the gradient by it.
    """
    found, numbers = {}, []
    for number in flow.feeding:
        units, deltas = flow.layers[number].units, _like_units(flow.layers[number], flow.deltas[number])
        different = num_different(_together(units, deltas))
        if units.shape[1] > 1 and different <= most * units.shape[1]:
            found[f"layer {number + 1}"] = f"{different} of {units.shape[1]} units differ"
            numbers.append(number)
    loops = [layer for layer in flow.inside if layer.sources and layer.units.shape[1] > 1]
    if loops and all(
        num_different(seen) == 1 for layer in loops for seen in (layer.units, layer.activations)
    ):
        found["layers in a loop"] = "all units are alike"
        numbers += [len(flow.layers) + number for number in range(len(flow.inside))]
    return found, numbers


def _like_units(layer: Layer, delta: Array) -> Array:
    """The gradient by what comes out of a layer, a column a unit."""
    return layer._replace(outputs=delta).units


def _together(units: Array, deltas: Array) -> np.ndarray:
    """One above the other, each of size 1."""
    return np.concatenate([leaf / max(float(np.abs(leaf).max(initial=0)), 1e-30) for leaf in (units, deltas)])


def num_different(columns: Array, *, with_sign: bool = True) -> int:
    """How many columns differ, by their products with one random vector; all where some are not finite."""
    columns = np.asarray(columns, np.float64)
    if not columns.shape[1]:
        return 0
    if not np.isfinite(columns).all():
        return columns.shape[1]
    products = np.random.default_rng(0).normal(size=len(columns)) @ columns
    found = np.sort(products if with_sign else np.abs(products))
    scale = np.sqrt(np.square(columns).sum(axis=0)).max(initial=0)
    return 1 + int((np.diff(found) > SAME * scale).sum())
