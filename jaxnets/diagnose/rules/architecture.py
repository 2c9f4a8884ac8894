"""Rules on what the network can compute, whatever its params are."""

from __future__ import annotations

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.diagnose.biases import with_biases
from jaxnets.diagnose.finding import Finding
from jaxnets.diagnose.fit import adam_for
from jaxnets.diagnose.flow import Flow
from jaxnets.diagnose.probe import Probe
from jaxnets.diagnose.problem import Problem
from jaxnets.diagnose.quick import quick
from jaxnets.diagnose.trace import Trace
from jaxnets.diagnose.training import Run, Trainer
from jaxnets.types import Array, PyTree

LINEAR = 1e-3
"""Relative; float32 keeps sums of some hundred products to 1e-5."""
MIXTURES = (0.5, 3.0, -2.0)
"""Shares of the first of two rows; the second has the rest."""
EXPLAINED = 0.3
"""Share of the targets' variance from which a linear function is of use."""
RATES = (0.1, 0.01)
"""Of Adam, which judges what biases are good for."""


def linear_network(probe: Probe) -> Iterator[Finding]:
    """Layers follow each other with nothing but linear functions between: they are one layer.

    Measured at params moved at random: what goes into the last layer at a mixture of two rows (also far
    outside of both) is the mixture of what goes in at both, to a relative 1e-3. A hidden layer must be as
    wide as the narrower of the rows and the outputs at least: it is of no use then, whereas narrower ones
    alone make an autoencoder or a factorisation. A loop that is linear is a filter: it must also be asked for
    what no linear function of the inputs gives. (Goodfellow, Bengio & Courville, Deep Learning, sections 6.1
    and 10.2.)
    """
    flow, inputs = probe.flow, jax.tree.leaves(probe.sample.inputs)
    is_float = len(inputs) == 1 and jnp.issubdtype(inputs[0].dtype, jnp.floating)
    if not is_float or len(inputs[0]) < 2 or _has_bend(flow):
        return
    if flow.inside and not _asks_for_more(probe):
        return
    deep = [number for number, layer in enumerate(flow.layers) if layer.sources]
    widths = [
        flow.layers[number].outputs.size // len(inputs[0]) for number in flow.feeding if number < deep[-1]
    ]
    widths += [layer.units.shape[1] for layer in flow.inside]
    if not deep or not widths:
        return
    narrow = min(inputs[0].size, flow.layers[deep[-1]].outputs.size) // len(inputs[0])
    if max(widths) < narrow or not (off := _bend(probe, inputs[0])) < LINEAR:
        return
    num_layers, enough = len(flow.layers) + len(flow.inside), "one layer does"
    if min(widths) < narrow:
        enough = f"two layers with {min(widths)} units between do"
    yield Finding(
        "linear-network", "error",
        {"layers": num_layers, "units of hidden layers": widths, "off from linear by": off},
        f"{num_layers} layers compute a linear function of the inputs, as {enough}",
        "put a nonlinear function (ReLU, tanh) between the layers",
    )  # fmt: skip


def missing_bias(probe: Probe) -> Iterator[Finding]:
    """With biases in the layers that have none the loss falls much further.

    Measured are short trainings by Adam with and without; only where the outputs at inputs of zero, or at
    their mean, are the same for all params, or where no layer has a bias. The biases must halve the loss (or
    double its fall, where it falls below zero), and take off a twentieth of what it begins with. (Bishop,
    Pattern Recognition and Machine Learning, section 3.1.1: the bias makes up for the difference between the
    means of targets and of basis functions.)
    """
    flow = probe.flow
    without = [number for number in range(len(flow.layers)) if number not in flow.biased]
    if not without or not (len(without) == len(flow.layers) or _is_fixed(probe)):
        return
    repaired = with_biases(probe.problem, probe.params, without)
    if repaired is None:
        return
    written = _by_adam(probe.problem, probe.params)
    other = _by_adam(repaired, repaired.init(probe.key))
    gain = written.end - other.end
    is_much = gain > (0.5 * written.end if other.end >= 0 else max(written.drop, 0.5 * abs(written.end)))
    if not (np.isfinite(written.end) and is_much and gain > 0.05 * abs(written.losses[0])):
        return
    yield Finding(
        "missing-bias", "warning",
        {"layers without a bias": [number + 1 for number in without],
         "loss by Adam": written.end, "with biases": other.end},
        f"layers have no bias; with biases Adam brings the loss to {other.end:.3g}, not {written.end:.3g}",
        "add a bias to each layer, or a column of ones to the inputs",
        repaired,
    )  # fmt: skip


def _has_bend(flow: Flow) -> bool:
    """Whether a function between two layers, followed number by number, has more than one slope."""
    layers = (*flow.layers, *flow.inside)
    return any(layer.slope is not None and np.ptp(layer.slope) > LINEAR for layer in layers)


def _asks_for_more(probe: Probe) -> bool:
    """Whether the best linear function of the inputs explains little of the targets in other rows.

    Fitted to one half of the rows, judged by the other; unknown with less than two rows a column.
    """
    inputs, labels = probe.inputs, probe.labels
    targets = probe.targets.reshape(len(inputs), -1) if labels is None else np.eye(labels.max() + 1)[labels]
    half = len(inputs) // 2
    if half < 2 * (inputs.shape[1] + 1) or not (np.isfinite(inputs).all() and np.isfinite(targets).all()):
        return False
    rows = np.column_stack([np.ones(len(inputs)), inputs])
    weights = np.linalg.lstsq(rows[:half], targets[:half], rcond=None)[0]
    left, spread = targets[half:] - rows[half:] @ weights, targets[half:] - targets[:half].mean(axis=0)
    return float(np.square(left).sum()) > (1 - EXPLAINED) * float(np.square(spread).sum())


def _bend(probe: Probe, rows: Array) -> float:
    """How far what goes into the last layer is from linear in the rows, relative to how much it varies."""
    problem = probe.problem
    structure = jax.tree.structure(probe.sample.inputs)

    @quick
    def last(params: PyTree, rows: Array) -> Array:
        layers = Trace(problem.predict, params, jax.tree.unflatten(structure, [rows])).layers
        return [layer.inputs for layer in layers if layer.sources][-1]

    found, others = [], rows[::-1]
    for params in probe.elsewhere[:2]:
        one, other = last(params, rows), last(params, others)
        for share in MIXTURES:
            mixed = last(params, share * rows + (1 - share) * others)
            off = jnp.abs(mixed - share * one - (1 - share) * other).max()
            found.append(float(off / jnp.abs(one - other).max()))
    return max(found)


def _is_fixed(probe: Probe) -> bool:
    """Whether what is predicted for inputs of zero, or for their mean, is the same for all params.

    Columns that do not vary are left as they are: a column of ones is a bias.
    """
    leaves, structure = jax.tree.flatten(probe.sample.inputs)
    if not all(jnp.issubdtype(leaf.dtype, jnp.floating) for leaf in leaves):
        return False
    points = []
    for leaf in leaves:
        middle = leaf.mean(axis=0)
        constant = leaf.max(axis=0) == leaf.min(axis=0)
        points.append(jnp.stack([jnp.where(constant, middle, 0), middle]).astype(leaf.dtype))
    predict = quick(probe.problem.predict)
    rows = jax.tree.unflatten(structure, points)
    found = np.stack([
        np.asarray(jax.tree.leaves(predict(params, rows))[0], float)
        for params in (probe.params, *probe.elsewhere)
    ])  # fmt: skip
    changes = np.ptp(found, axis=0).reshape(2, -1).max(axis=1)
    return bool((changes <= 1e-6 * (1 + np.abs(found).max())).any())


def _by_adam(problem: Problem, params: PyTree) -> Run:
    """The best short training over the whole data."""
    plain = problem.replace(update=None, gradient=None, learning_rate=None, optimizer=adam_for(params))
    trainer = Trainer(plain.replace(num_steps=None, valid=None, test=None), params)
    return min((trainer.run(scale=rate, num_steps=trainer.most_steps) for rate in RATES), key=lambda r: r.end)
