"""Array aliases and the letters of dimensions, once.

=======  ==========================================================
letter   what is counted
=======  ==========================================================
``n``    rows: examples of a data set or of a batch (``m``: other rows)
``d``    features of a row
``k``    classes, or outputs
``t``    time steps of a sequence
``h w``  height and width of an image
``c``    channels of an image
=======  ==========================================================

``Float[Array, "n d"]`` reads: floats, rows by features; a leading space,
``Float[Array, " n"]``, marks a single axis (jaxtyping's notation).
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Bool, Float, Int, PRNGKeyArray, PyTree, Shaped

Array = jax.Array | np.ndarray
"""An array on a device or on the host: every function takes both."""

Key = PRNGKeyArray
"""A random key, of ``jax.random.key``."""

Scalar = Float[Array, ""] | Int[Array, ""] | float | int
"""A number that may be traced: a hyperparameter, a loss."""

Inputs = PyTree[Shaped[Array, "..."]]
"""Rows of inputs: one array, or a pytree of arrays that share their first axis."""

Targets = PyTree[Shaped[Array, "..."]]
"""What is to be predicted: labels ``[n]`` in ``0..k-1``, or values ``[n, ...]``."""

State = PyTree
"""All that a learner's next step needs: a pytree of arrays only."""

Metrics = dict[str, Shaped[Array, ""] | float | bool]
"""Numbers for people, by name; ``loss`` is what the step minimises."""

Params = PyTree[Float[Array, "..."]]
"""Trainable arrays."""


class Batch(NamedTuple):
    """Rows of a data set: inputs and the targets that belong to them.

    Attributes:
        inputs: array ``[n, ...]``, or a pytree of arrays that share ``n``.
        targets: labels ``[n]`` (integers ``0..k-1``) or values ``[n, ...]``.
    """

    inputs: Inputs
    targets: Targets


__all__ = [
    "Array", "Batch", "Bool", "Float", "Inputs", "Int", "Key", "Metrics", "Params",
    "PyTree", "Scalar", "Shaped", "State", "Targets",
]  # fmt: skip
