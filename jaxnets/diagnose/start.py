"""Other params to start from: moved by noise, or drawn anew at a scale at which signals keep their size."""

from __future__ import annotations

from collections.abc import Collection

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.diagnose.flow import Flow
from jaxnets.diagnose.problem import Problem
from jaxnets.types import Key, PyTree


def moved(key: Key, params: PyTree) -> PyTree:
    """All leaves that are not whole numbers, moved by as much as they are large (at least by a tenth).

    >>> moved(jax.random.key(0), {"steps": jnp.array(3)})["steps"].item()
    3
    """
    leaves, structure = jax.tree.flatten(params)
    keys = jax.random.split(key, max(1, len(leaves)))
    return jax.tree.unflatten(structure, [
        leaf + (jnp.sqrt(jnp.square(leaf).mean()) + 0.1) * jax.random.normal(one, leaf.shape, leaf.dtype)
        if jnp.issubdtype(leaf.dtype, jnp.inexact) else leaf
        for leaf, one in zip(leaves, keys, strict=False)
    ])  # fmt: skip


def redrawn(problem: Problem, flow: Flow, numbers: Collection[int] | None = None) -> Problem:
    """The problem with the weights of layers drawn anew, so that signals neither grow nor shrink.

    Normal numbers of variance 1 over the fan-in (LeCun et al. 1998, Efficient BackProp, section 4.6), divided
    by the mean slope of the function in front (Glorot & Bengio 2010; He et al. 2015: 2 over the fan-in behind
    a ReLU), and by the size of the inputs in the first layer; what is added to a hidden layer begins at 0.

    Args:
        numbers: of the layers; all of them where not said.
    """
    scales = {
        leaf: 1 / (max(layer.fan_in, 1) ** 0.5 * _size(layer))
        for number, layer in enumerate((*flow.layers, *flow.inside))
        if len(layer.leaves) == 1 and (numbers is None or number in numbers)
        for leaf in layer.leaves
    }
    hidden = [number for number in flow.feeding if numbers is None or number in numbers]
    zeros = frozenset().union(*(flow.biased.get(number, ()) for number in hidden)) - scales.keys()

    def init(key: Key) -> PyTree:
        init_key, draw_key = jax.random.split(key)
        leaves, structure = jax.tree.flatten(jax.tree.map(jnp.asarray, problem.init(init_key)))
        for place, scale in scales.items():
            one = jax.random.fold_in(draw_key, place)
            leaves[place] = scale * jax.random.normal(one, leaves[place].shape, leaves[place].dtype)
        for place in zeros:
            leaves[place] = jnp.zeros_like(leaves[place])
        return jax.tree.unflatten(structure, leaves)

    return problem.replace(init=init)


def _size(layer: object) -> float:
    """The mean slope in front of a layer (at least a tenth); the size of the rows in front of the first."""
    if layer.slope is not None:
        return max(float(np.sqrt(np.square(layer.slope).mean())), 0.1)
    return 1.0 if layer.sources else max(float(np.sqrt(np.square(layer.inputs).mean())), 1e-6)
