"""Rules on the units of a network before the first step: what they are on the rows, whether they differ."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.diagnose.copies import kept_together, lasting_copies
from jaxnets.diagnose.finding import Finding
from jaxnets.diagnose.layer import Layer
from jaxnets.diagnose.probe import Probe
from jaxnets.diagnose.problem import Problem
from jaxnets.diagnose.start import moved, redrawn
from jaxnets.diagnose.training import CHECKS
from jaxnets.diagnose.units import SAME, num_different, unit_copies
from jaxnets.types import Array

FLAT = 0.01
"""A function is saturated where its slope is below this."""
MOSTLY = 0.8
"""Share of a layer that must be saturated."""
NEARLY_ALL = 0.9
"""Share of a layer that must be dead."""
FADED = 1e-3
"""Relative; a layer before which units differ by less over rows fades by depth."""
LARGER = 30
"""Times the params, with which small weights no longer make rows alike."""
FEWEST_ROWS = 8
"""Fewer positions can make units look alike by chance."""


def saturated_units(probe: Probe) -> Iterator[Finding]:
    """Most numbers of a hidden layer lie where its function is flat: little gradient passes it.

    Measured is the share of units times rows whose slope is below 0.01 (a tanh beyond 2.99, a sigmoid beyond
    4.6), among those that are not exactly 0, which leaves out the resting half of a ReLU. The threshold of
    0.8 is well above what usual scales give: weights of variance 1 over 784 inputs saturate 0.6. Likewise
    gates that are shut: factors of another layer's units that are below 0.01 for every row and as flat.
    (Nielsen, Neural Networks and Deep Learning, chapter 3; LeCun et al. 1998, Efficient BackProp, 4.5.)
    """
    shut = [gate for gate in map(_largest, probe.flow.gates) if gate < FLAT]
    if shut:
        yield Finding(
            "saturated-units", "error", {"gates that are shut": len(shut), "largest value": max(shut)},
            f"a gate is shut for every row (at most {max(shut):.1e}) and flat: nothing passes, back or forth",
            "a bias at which the gate is half open, or more",
        )  # fmt: skip
        return
    found = {}
    for name, layer in probe.flow.hidden.items():
        share = _saturated(layer)
        if share > MOSTLY:
            found[f"before {name}, share saturated"] = share
    if found:
        worst = max(found.values())
        yield Finding(
            "saturated-units", "error" if worst > 0.99 else "warning", found,
            f"{worst:.0%} of the numbers that go into a layer lie where the function before it is flat",
            "smaller initial weights (variance 1 over the fan-in), or inputs of mean 0 and scale 1",
            redrawn(probe.problem, probe.flow),
        )  # fmt: skip


def dead_units(probe: Probe) -> Iterator[Finding]:
    """Units of a hidden layer that are 0 for every row, with no slope: they cannot learn.

    The threshold is nine in ten of a layer, and all for an error: with positive inputs in few columns and no
    biases half of the units of a ReLU layer rest, and the others learn. Not where no such function is in
    front, and units are 0 whatever the params are (``identical-units``). (Goodfellow, Bengio & Courville,
    Deep Learning, section 6.3.)
    """
    found = {}
    for name, layer in probe.flow.hidden.items():
        share = _dead(layer)
        if share >= NEARLY_ALL and not _is_nothing(probe, name):
            found[f"before {name}, share dead"] = share
    if found:
        worst = max(found.values())
        yield Finding(
            "dead-units", "error" if worst == 1 else "warning", found,
            f"{worst:.0%} of the units before a layer are 0 for every row",
            "biases of 0 (or a little above), weights of variance 2 over the fan-in, inputs of mean 0",
            redrawn(probe.problem, probe.flow),
        )  # fmt: skip


def symmetric_init(probe: Probe) -> Iterator[Finding]:
    """Units of a hidden layer are the same on every row and get the same gradient: they stay one unit.

    Compared are, on each row, what comes out of a unit and the gradient by it; at least half of the units
    must be copies, and still be after twenty steps: runs side by side, each at its own rate, part, and so do
    layers of zeros, one after the other. Zeros in the last layer, or in a model of one layer, are no such
    case. Or params (of components, of experts) are copies after a short training, too: drawn ones, where
    another key draws others; or those that are not drawn, where a training that begins with them apart gets
    further. (Goodfellow, Bengio & Courville, Deep Learning, section 8.4: initial parameters must break the
    symmetry.)
    """
    found, numbers = unit_copies(probe.flow)
    if not found:
        yield from _never_part(probe)
        return
    if probe.problem.has_step:
        later = probe.trainer.run(num_steps=CHECKS).params
        if not unit_copies(probe.flow_at(later))[0]:
            return
    yield Finding(
        "symmetric-init", "error", found,
        "units of a hidden layer begin the same and get the same gradient: they stay the same",
        "draw the weights at random",
        redrawn(probe.problem, probe.flow, numbers),
    )  # fmt: skip


def _never_part(probe: Probe) -> Iterator[Finding]:
    copies = lasting_copies(probe)
    if copies:
        yield Finding(
            "symmetric-init", "error", {"drawn once": copies},
            "params that are drawn at random are copies of each other, and stay so in training",
            "draw each of them with a key of its own (jax.random.split)",
        )  # fmt: skip
        return
    together = kept_together(probe) if probe.problem.has_step else {}
    if together:
        yield Finding(
            "symmetric-init", "error", together,
            "params that begin the same stay the same in training, which gets further where they begin apart",
            "draw them at random, or begin from different rows",
            _begun_apart(probe.problem),
        )  # fmt: skip


def _begun_apart(problem: Problem) -> Problem:
    return problem.replace(init=lambda key: moved(jax.random.fold_in(key, 1), problem.init(key)))


def identical_units(probe: Probe) -> Iterator[Finding]:
    """What goes into a layer is the same for every row, or the same (up to the sign) in half of the units.

    Measured on what a hidden layer receives, over at least 8 positions; units that are 0 throughout are left
    out, unless they are so with other params, too. Not where the rows themselves are alike, nor where units
    begin the same (``symmetric-init``), nor where rows differed by less than 1e-3 in the layer before, or
    differ with params thirty times as large: what fades with depth is ``vanishing-gradient``. Such a layer
    passes nothing on, or one number: a normalisation over the wrong axis does that, or of a single number.
    """
    if num_different(jnp.asarray(probe.inputs[:: max(1, len(probe.inputs) // 256)].T, jnp.float32)) < 2:
        return
    flow = probe.flow
    if any(_is_symmetric(flow.layers[number]) for number in flow.feeding):
        return
    before = 1.0
    for name, layer in flow.hidden.items():
        columns = np.asarray(layer.activations, np.float64)
        if not _is_nothing(probe, name):
            columns = columns[:, np.abs(columns).max(axis=0, initial=0) > 0]
        if len(columns) < FEWEST_ROWS or not columns.shape[1] or _saturated(layer) > MOSTLY:
            continue
        spread, before = before, _spread(columns)
        said = _alike(columns)
        if said and spread > FADED and not _grows(probe, name, columns):
            evidence = {"before": name, "largest spread over rows": float(columns.std(axis=0).max())}
            yield Finding(
                "identical-units", "error",
                evidence | {"different": num_different(columns, with_sign=False), "units": columns.shape[1]},
                said, "look at the axis over which this layer sums, averages or normalises",
            )  # fmt: skip
            return


def _grows(probe: Probe, name: str, columns: np.ndarray) -> bool:
    """Whether rows are nearly the same before a layer only because the params are small."""
    larger = probe.flow_at(jax.tree.map(lambda leaf: LARGER * leaf, probe.params)).hidden[name]
    return _spread(columns) <= SAME and _spread(np.asarray(larger.activations, np.float64)) > LARGER * SAME


def _is_nothing(probe: Probe, name: str) -> bool:
    """Whether all units before a layer are 0 with other params, too, and not by a function that is flat."""
    flows = chain([probe.flow], map(probe.flow_at, probe.elsewhere))
    layers = (flow.hidden[name] for flow in flows)
    return all(layer.slope is None and not np.asarray(layer.activations).any() for layer in layers)


def _spread(columns: np.ndarray) -> float:
    """Over rows, relative to the numbers' size."""
    return float(columns.std(axis=0).max() / max(np.sqrt(np.square(columns).mean()), 1e-300))


def _alike(columns: np.ndarray) -> str:
    """What is the same, in words; empty where units differ."""
    if _spread(columns) <= SAME:
        return "what goes into a layer is the same for every row"
    different = num_different(columns, with_sign=False)
    if columns.shape[1] < 4 or different > columns.shape[1] / 2:
        return ""
    return f"{columns.shape[1]} units before a layer, but {different} that differ in more than the sign"


def _largest(gate: tuple[Array, Array]) -> float:
    """The largest number of a factor and of its slope."""
    return max(float(np.abs(leaf).max(initial=0)) for leaf in gate)


def _saturated(layer: Layer) -> float:
    if layer.slope is None:
        return 0.0
    counts = np.asarray(layer.inputs) != 0
    return float((np.abs(np.asarray(layer.slope))[counts] < FLAT).mean()) if counts.mean() > 0.1 else 0.0


def _dead(layer: Layer) -> float:
    columns = np.abs(np.asarray(layer.activations))
    if layer.slope is not None and np.abs(layer.slope).max(initial=0) > 0 and columns.max(initial=0) == 0:
        return 0.0
    return float((columns.max(axis=0, initial=0) == 0).mean())


def _is_symmetric(layer: Layer) -> bool:
    return layer.units.shape[1] > 1 and num_different(layer.units) <= layer.units.shape[1] / 2
