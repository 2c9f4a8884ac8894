"""Rules on the scale of the inputs, where it matters to the first layer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.diagnose.finding import Finding
from jaxnets.diagnose.probe import Probe, is_finite
from jaxnets.diagnose.problem import Problem
from jaxnets.diagnose.quick import quick
from jaxnets.types import Batch

LARGE = 30.0
"""A column's root mean square that is far from 1; measurements in natural units of a few are below."""
APART = 30.0
"""Ratio of the columns' scales that makes their curvatures differ by a thousand."""
FLAT = 0.05
"""A slope below this share of the steepest is saturated."""
SATURATED = 0.75
"""Share of the first layer's units that must be."""
SATURATING = "first layer saturated"
NARROW = 0.02
"""The widest column's spread over the largest column's size: rows are nearly the same."""
MEMORISED = 0.1
"""Of the first loss; rows whose loss comes below it are memorised."""
FURTHER = 0.4
"""Of a loss that is reached, what must be reached with standardised inputs."""


def inputs_unscaled(probe: Probe) -> Iterator[Finding]:
    """Inputs are far from mean 0 and scale 1, and the first layer suffers from it.

    Looked at is what goes into the first layer, so that scaling inside of the network counts. Fires where

    - three quarters of its units' slopes are below 5 % of the steepest, and at most half as many with
      standardised inputs: saturated by the inputs' size, not by the weights' (an error);
    - or a column's root mean square is above 30, or scales are apart by more than 30 where steps follow the
      gradient: the loss's curvature goes with their squares, so one rate cannot fit all;
    - or Adam, from the same params, brings the loss of a few rows to less than 0.4 of what it gets to as
      they are, where that is above a tenth of the first: units that all bend in one corner of the inputs, or
      rows that are nearly the same (no column varies by more than 2 % of the largest one's size).

    Silent where the loss is the same with much smaller inputs: a normalisation follows. (LeCun et al.
    1998, Efficient BackProp, 4.3; Bishop, Neural Networks for Pattern Recognition, 8.2.)
    """
    inputs = _entering(probe)
    if inputs is None or not np.isfinite(inputs).all() or len(inputs) < 8:
        return
    means, scales = inputs.mean(axis=0), inputs.std(axis=0)
    varying = scales > 0
    sizes = np.sqrt(means**2 + scales**2)
    is_narrow = scales.max(initial=0) < NARROW * sizes.max(initial=0)
    if not varying.any() or (sizes.max() < 3 and not is_narrow) or _is_normalised(probe):
        return
    evidence: dict[str, Any] = {}
    slopes, others = (_slopes(probe, one) for one in (probe.problem, _scaled(probe.problem)))
    share, standardised = _saturated(slopes), _saturated(others)
    if _is_smooth(others) and share > SATURATED and standardised < share / 2:
        evidence |= {SATURATING: share, "if standardised": standardised}
    apart = float(sizes.max() / np.median(scales[varying]))
    if sizes.max() > LARGE:
        evidence |= {"largest root mean square of a column": float(sizes.max())}
    elif apart > APART and _follows_gradient(probe):
        evidence |= {"largest column over the typical spread": apart}
    if not evidence:
        evidence = _memorised_better(probe)
    if evidence:
        yield Finding(
            "inputs-unscaled", "error" if SATURATING in evidence else "warning",
            evidence | {"means": [float(means.min()), float(means.max())]},
            "inputs are far from mean 0 and scale 1, and the first layer suffers: " + ", ".join(evidence),
            "subtract each column's mean and divide by its standard deviation (train's, for all splits)",
            _scaled(probe.problem),
        )  # fmt: skip


def _memorised_better(probe: Probe) -> dict[str, Any]:
    """How much further Adam gets with a few rows when they are standardised, if that is far."""
    own = probe.fit.run
    if not own.end > MEMORISED * own.losses[0]:
        return {}
    standardised = probe.fitter.fit(_scaled(probe.problem).data).run
    if not standardised.end < FURTHER * own.end:
        return {}
    return {"loss of some rows by Adam": own.end, "if standardised": standardised.end}


def _entering(probe: Probe) -> np.ndarray | None:
    """The sample's numbers as they go into the first layer, if these are still the columns of the inputs."""
    leaf = jax.tree.leaves(probe.sample.inputs)[0]
    trace = probe.followed
    if not trace.layers:
        return np.asarray(leaf).reshape(len(leaf), -1) if _is_float(leaf) else None
    first = np.asarray(trace.layers[0].inputs, float)
    if first.size == leaf.size and len(first) == len(leaf):
        return first.reshape(len(leaf), -1)
    return None


def _is_float(leaf: Any) -> bool:
    return bool(jnp.issubdtype(leaf.dtype, jnp.floating))


def _is_normalised(probe: Probe) -> bool:
    """Whether the loss stays the same, to a hundredth, with inputs a twentieth as large, and of size 1.

    A hundredth of the loss, or of what it changes by with other params, if that is less: where targets are
    large, nothing else matters much.
    Units that are saturated still are with the first, hardly with the second. So it must be with params 30
    times as large, too: near zero they predict the same for all inputs.
    """
    leaves, structure = jax.tree.flatten(probe.some.inputs)
    if len(leaves) > 1 and not all(_is_float(leaf) for leaf in leaves):
        return False
    loss = quick(probe.problem.loss)
    here, there = (float(loss(params, *probe.some)) for params in (probe.nudged, probe.elsewhere[0]))
    slack = (
        max(0.01 * min(abs(here), abs(there - here)), 1e-6 * abs(here))
        if np.isfinite(there)
        else 0.01 * abs(here)
    )
    size = max(float(np.abs(leaf).max(initial=0)) for leaf in leaves)
    for larger in (1.0, 30.0):
        params = jax.tree.map(lambda leaf, by=larger: leaf * by if _is_float(leaf) else leaf, probe.nudged)
        found = [
            float(
                loss(
                    params,
                    jax.tree.unflatten(structure, [np.float32(by) * leaf for leaf in leaves]),
                    probe.some.targets,
                )
            )
            for by in (1.0, 0.05, 1 / max(size, 1.0))
        ]
        if np.isfinite(found).all() and np.ptp(found) > slack * max(1.0, abs(found[0] / here)):
            return False
    return True


def _slopes(probe: Probe, problem: Problem) -> np.ndarray:
    """Sizes of the slopes of what comes before the second layer; none where that cannot be told."""
    rows = problem.data.inputs
    step = max(1, problem.num_rows // 64)
    inputs = jax.tree.map(lambda leaf: jnp.asarray(leaf[::step][:64]), rows)
    layers = probe.follow(inputs).layers
    slope = layers[1].slope if len(layers) > 1 else None
    return np.abs(np.asarray(slope)) if slope is not None and is_finite(slope) else np.zeros(0)


def _saturated(slopes: np.ndarray) -> float:
    """Share of the slopes that are far below the steepest."""
    return float((slopes < FLAT * max(slopes.max(initial=0), 0.1)).mean()) if slopes.size else 0.0


def _is_smooth(slopes: np.ndarray) -> bool:
    """Whether there is something to saturate: a kink's slopes are two numbers."""
    return np.unique(slopes).size >= 4


def _follows_gradient(probe: Probe) -> bool:
    """Whether the first step is a multiple of the gradient: no scale of its own for each number."""
    if not probe.problem.has_step or not is_finite((probe.stepped, probe.slope)):
        return False
    way, slope = (
        np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(tree)])
        for tree in (jax.tree.map(lambda new, old: new - old, probe.stepped, probe.params), probe.slope)
    )
    lengths = np.linalg.norm(way) * np.linalg.norm(slope)
    return bool(lengths > 0 and abs(way @ slope) > 0.99 * lengths)


def _scaled(problem: Problem) -> Problem:
    """With all inputs standardised by the training rows' numbers; constant columns are left alone."""
    leaves, structure = jax.tree.flatten(problem.data.inputs)
    fits = [_fit(leaf, is_only=len(leaves) == 1) for leaf in leaves]

    def scaled(batch: Batch | None) -> tuple | None:
        if batch is None:
            return None
        found = [fit(leaf) for fit, leaf in zip(fits, jax.tree.leaves(batch.inputs), strict=True)]
        return jax.tree.unflatten(structure, found), batch.targets

    splits = {name: scaled(getattr(problem, name)) for name in ("data", "valid", "test")}
    return problem.replace(**splits)


def _fit(leaf: np.ndarray, *, is_only: bool) -> Any:
    """Whole numbers are columns like others where nothing else goes in; else they may be indices."""
    kind = leaf.dtype if leaf.dtype.kind == "f" else np.float32
    if leaf.dtype.kind != "f" and not is_only:
        return lambda other: other
    mean, scale = leaf.mean(axis=0, keepdims=True), leaf.std(axis=0, keepdims=True)
    floor = np.maximum(scale, 0.1 * scale.mean())
    return lambda other: ((other - mean) / np.where(floor > 0, floor, 1)).astype(kind)
