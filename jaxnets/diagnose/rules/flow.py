"""Rules on how the gradient changes from layer to layer, and from one time to the next."""

from __future__ import annotations

from collections.abc import Iterator

import jax
import numpy as np

from jaxnets.diagnose.finding import Finding
from jaxnets.diagnose.flow import Flow
from jaxnets.diagnose.probe import Probe
from jaxnets.diagnose.quick import quick
from jaxnets.diagnose.start import redrawn

VANISHES, VANISHES_WITH_OUTPUT = 1e-2, 1e-4
"""First hidden layer over the last hidden one, and over the output layer."""
EXPLODES = 100.0
FADES_BY_STEP, FADES = 0.3, 1e-6
"""Through time: at each step, and from the last to the first."""
TIED = 5.0
"""Standard errors by which a correlation differs from none, at the largest of some hundred times."""
GROWS = 1e3
"""Through time, from the last to the first."""


def vanishing_gradient(probe: Probe) -> Iterator[Finding]:
    """The gradient by what comes out of a layer is smaller in front by orders of magnitude.

    Its length over the rows is compared between the first hidden layer and the last one (below 1e-2: five
    layers of sigmoids, with a slope of a quarter at most, are beyond that, a few are not), and with the
    output layer (1e-4). Where a normalisation follows, the length is taken in units of what comes out.
    Through time: what goes into the first step of a loop over what goes into the last, below 1e-6 and below
    0.3 a step (a gate that begins half open passes half); or below 1e-6 at the times of the inputs that the
    targets are correlated with (by 5 / sqrt(rows), and twice as much as with any that the gradient comes
    from). A last layer of zeros is no such case. (Glorot &
    Bengio 2010, Understanding the difficulty of training deep feedforward neural networks; Hochreiter 1991;
    Nielsen, Neural Networks and Deep Learning, chapter 5.)
    """
    flow = probe.flow
    sizes = _sizes(flow)
    found = {}
    if len(sizes) > 2 and min(sizes) > 0 and sizes[0] < VANISHES * sizes[-2]:
        found["first hidden layer over the last"] = sizes[0] / sizes[-2]
    if len(sizes) > 1 and min(sizes) > 0 and sizes[0] < VANISHES_WITH_OUTPUT * sizes[-1]:
        found["first layer over the output layer"] = sizes[0] / sizes[-1]
    for lengths in _seen(flow):
        ratio = lengths[0] / lengths[-1]
        if ratio < FADES and ratio < FADES_BY_STEP ** (len(lengths) - 1):
            found[f"first time over the last, of {len(lengths)}"] = ratio
    unheard = {} if found or not any(one[0] < FADES * one[-1] for one in _seen(flow)) else _unheard(probe)
    found |= dict([*unheard.items()][:1])
    if found:
        yield Finding(
            "vanishing-gradient", "warning", found | unheard | {"gradient by layer": sizes},
            f"the gradient shrinks to {min(found.values()):.1e} of itself on its way back",
            "weights of variance 1 (ReLU: 2) over the fan-in, ReLU for sigmoids, fewer layers, gates in time",
            redrawn(probe.problem, flow),
        )  # fmt: skip


def exploding_gradient(probe: Probe) -> Iterator[Finding]:
    """The gradient by what comes out of a layer is larger in front by orders of magnitude.

    A hundred times over the layers, a thousand times through time (up to the number of steps comes from
    losses at each step). Healthy scales keep it within ten. (Pascanu, Mikolov & Bengio 2013, On the
    difficulty of training recurrent neural networks; He et al. 2015.)
    """
    flow = probe.flow
    sizes = _sizes(flow)
    found = {}
    if len(sizes) > 1 and np.isfinite(sizes).all() and sizes[0] > EXPLODES * sizes[-1] > 0:
        found["first layer over the output layer"] = sizes[0] / sizes[-1]
    for lengths in _seen(flow):
        if lengths[0] > max(GROWS, 3 * len(lengths)) * lengths[-1]:
            found[f"first time over the last, of {len(lengths)}"] = lengths[0] / lengths[-1]
    if found:
        yield Finding(
            "exploding-gradient", "error" if max(found.values()) > 1e6 else "warning",
            found | {"gradient by layer": sizes},
            f"the gradient grows {max(found.values()):.1e} times on its way back",
            "weights of variance 1 (ReLU: 2) over the fan-in; clip the gradient's length",
            redrawn(probe.problem, flow),
        )  # fmt: skip


def _unheard(probe: Probe) -> dict[str, float]:
    """How little gradient there is by inputs of times that targets are correlated with; empty elsewhere."""
    rows, targets = (np.asarray(jax.tree.leaves(part)[0]) for part in probe.sample)
    if rows.ndim != 3 or rows.dtype.kind != "f" or len(jax.tree.leaves(probe.sample.inputs)) > 1:
        return {}
    slopes = jax.tree.leaves(quick(jax.grad(probe.problem.loss, 1))(probe.params, *probe.sample))[0]
    lengths = np.sqrt(np.square(np.asarray(slopes, np.float64)).sum(axis=(0, 2)))
    wanted = _columns(targets)
    ties = np.abs(np.einsum("ntd,nk->tdk", _standardised(rows), wanted)).max(axis=(1, 2)) / len(rows)
    is_faint = lengths < FADES * lengths.max()
    heard, unheard = (ties[one].max(initial=0.0) for one in (~is_faint, is_faint))
    if not unheard > max(TIED / np.sqrt(len(rows)), 2 * heard):
        return {}
    time = int(np.where(is_faint, ties, 0).argmax())
    return {
        f"gradient by time {time + 1} of {len(lengths)} over the largest": lengths[time] / lengths.max(),
        "correlation of the targets with it": unheard,
        "with times that have a gradient": heard,
    }


def _columns(targets: np.ndarray) -> np.ndarray:
    """Targets as standardised columns, a class each for labels."""
    is_labels = targets.ndim == 1 and targets.dtype.kind in "iu"
    found = targets[:, None] == np.unique(targets) if is_labels else targets.reshape(len(targets), -1)
    return _standardised(found)


def _standardised(rows: np.ndarray) -> np.ndarray:
    centred = rows - rows.mean(axis=0, dtype=np.float64)
    return centred / np.maximum(np.sqrt(np.square(centred).mean(axis=0)), 1e-30)


def _sizes(flow: Flow) -> list[float]:
    """The gradient's length by layer, from the first hidden layer to the output layer."""
    last = [number for number in range(len(flow.layers)) if number not in flow.feeding][-1:]
    found = []
    for number in [*flow.feeding, *last]:
        delta, units = (
            np.asarray(leaf, np.float64) for leaf in (flow.deltas[number], flow.layers[number].outputs)
        )
        length, size = np.sqrt(np.square(delta).sum()), np.sqrt(np.square(units).sum())
        is_normalised = size > 0 and abs((delta * units).sum()) < 1e-4 * length * size
        found.append(float(length * (size / np.sqrt(units.size) if is_normalised else 1.0)))
    return found


def _seen(flow: Flow) -> list[np.ndarray]:
    """Gradients through time, of loops with some steps, from the first to the last that has any."""
    found = []
    for lengths in flow.times:
        there = np.flatnonzero(lengths > 0)
        if len(there) and there[-1] >= 4 and np.isfinite(lengths).all() and lengths[0] > 0:
            found.append(lengths[: there[-1] + 1])
    return found
