"""Depth against width for the digits, each network at its own best rate: all rates in one program.

Source: the courses' comparison of deep and wide networks; Goodfellow, Bengio & Courville, Deep Learning,
6.4.1.
Command: python -m experiments deep_vs_wide
Expected: test accuracy on mnist5k by depth x width, 1 seed on 2 CPU cores, 2026-11-22: 1x16 0.900, 1x64
0.928, 1x256 0.929; 2x16 0.900, 2x64 0.917, 2x256 0.932; 4x16 0.893, 4x64 0.911, 4x256 0.938 (0.937 ± 0.003
over 5 seeds); two minutes in all.

Depth and width change the shapes of arrays: a program each, a row of the table. The rate is a number: the
lanes of one row are the same network with the same beginning and the same batches at different rates,
trained side by side by ``vmap``. The rate is chosen by the validation rows, the table shows the test rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro

from experiments._contract import Goal
from experiments._data import load
from jaxnets import losses, models, plot
from jaxnets.check import POSITIVE, Interval
from jaxnets.data import Dataset
from jaxnets.learner import Learner, gradient
from jaxnets.metrics import accuracy
from jaxnets.models.side_by_side import combined
from jaxnets.types import Array, Batch, Float, Int, Key, Metrics, State

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from experiments._run import Result


class Hparams(NamedTuple):
    """Traced scalars."""

    lowest_rate: Annotated[float, POSITIVE] = 3e-4
    """Adam's in the first lane."""
    factor: Annotated[float, POSITIVE] = 3.16
    """From the rate of a lane to the next one's."""


class Settings(NamedTuple):
    """Static choices."""

    depth: Annotated[int, Interval(1)] = 2
    """Hidden layers."""
    width: Annotated[int, Interval(1, 2**20)] = 64
    """Units of each."""
    num_rates: Annotated[int, Interval(1)] = 5
    """Lanes."""
    dataset: str = "mnist5k"
    """A name or a file of images, see jaxnets.data."""
    num_steps: Annotated[int, Interval(0, 2**31 - 1)] = 500
    """Updates."""
    batch_size: Annotated[int, Interval(1)] = 50
    """Rows an update."""
    evaluate_every: Annotated[int, Interval(1)] = 50
    """Steps between entries of the history."""
    num_classes: tyro.conf.Fixed[int | None] = None
    """As many as the data set has, if None."""


GOALS = (Goal("test_accuracy", at_least=0.93, row="4x256"),)
SMALL = {"num_rates": 2}


def data(settings: Settings) -> Dataset:
    """Images in [0, 1]; a fifth of the rows that are not for testing are for validation."""
    return load(settings.dataset, valid_fraction=0.2)


def learner(hparams: Hparams, settings: Settings) -> Learner:
    """Networks of one shape at several rates, side by side; scores ``[n, rates, k]``."""
    network = models.MLP((settings.width,) * settings.depth, settings.num_classes)

    def learner_at(rate: Float[Array, ""]) -> Learner:
        return gradient(network, losses.softmax_cross_entropy, optax.adam(rate))

    return over_rates(learner_at, rates_of(hparams, settings))


def rates_of(hparams: Hparams, settings: Settings) -> Float[Array, " r"]:
    """The rate of each lane."""
    return hparams.lowest_rate * hparams.factor ** jnp.arange(settings.num_rates)


def over_rates(learner_at: Callable[[Array], Learner], rates: Float[Array, " r"]) -> Learner:
    """A lane for each rate, all from one initialisation.

    The loss is the lowest of the lanes; a lane whose numbers are no longer finite ends them all.
    """

    def init(key: Key, data: Batch) -> State:
        return jax.vmap(lambda rate: learner_at(rate).init(key, data))(rates)

    def step(key: Key, state: State, batch: Batch) -> tuple[State, Metrics]:
        lanes, found = jax.vmap(lambda rate, lane: learner_at(rate).step(key, lane, batch))(rates, state)
        return lanes, combined(found, by=jnp.min)

    return Learner(init, step, jax.vmap(learner_at(rates[0]).predict, in_axes=(0, None), out_axes=1))


def metrics(scores: Float[Array, "n r k"], labels: Int[Array, " n"]) -> Metrics:
    """Share of rows whose largest score is their label's, of each lane and of the best."""
    lanes = jax.vmap(accuracy, in_axes=(1, None))(scores, labels)
    return {"accuracy": lanes.max()} | {f"accuracy_{lane}": value for lane, value in enumerate(lanes)}


def evaluate(learner: Learner, state: State, dataset: Dataset) -> Metrics:
    """Test accuracy in the lane that is best on the validation rows."""
    valid, test = (
        metrics(learner.predict(state, rows.inputs), rows.targets) for rows in (dataset.valid, dataset.test)
    )
    lanes = jnp.array([valid[name] for name in valid if name != "accuracy"])
    best = int(lanes.argmax())
    return {"test_accuracy": test[f"accuracy_{best}"], "valid_accuracy": lanes[best]}


def variants() -> dict[str, tuple[Hparams, Settings]]:
    """Depth by width."""
    shapes = [(depth, width) for depth in (1, 2, 4) for width in (16, 64, 256)]
    return {f"{depth}x{width}": (Hparams(), Settings(depth, width)) for depth, width in shapes}


def figures(results: list[Result], dataset: Dataset) -> dict[str, Figure]:
    """Test accuracy by depth and width, and over the steps at the rate best in the end, and over rates."""
    shapes = [(result.settings.depth, result.settings.width) for result in results]
    depths, widths = (sorted(set(part)) for part in zip(*shapes, strict=True))
    table = np.full((len(depths), len(widths)), np.nan)
    for (depth, width), result in zip(shapes, results, strict=True):
        table[depths.index(depth), widths.index(width)] = result.metrics["test_accuracy"].mean()
    steps = {result.name: result.steps for result in results}
    way = {result.name: [_of_best_lane(run.history) for run in result.runs] for result in results}
    rates = {result.name: rates_of(result.hparams, result.settings) for result in results}
    ends = {result.name: [_last(run.history) for run in result.runs] for result in results}
    return {
        "depth_and_width": plot.heatmap(
            table, widths, depths, x_label="width", y_label="depth", label="test accuracy", title=dataset.name
        ),
        "steps": plot.curves(
            steps, way, x_label="step", y_label="validation accuracy at the best rate", title="depth x width"
        ),
        "rates": plot.curves(
            rates, ends, x_label="learning rate", y_label="validation accuracy in the end", log_x=True,
            title="depth x width",
        ),
    }  # fmt: skip


def _of_best_lane(history: dict[str, Array]) -> Array:
    """Validation accuracy over the steps of the one lane that is best in the end."""
    return history[f"valid_accuracy_{int(np.argmax(_last(history)))}"]


def _last(history: dict[str, Array]) -> list[float]:
    """Validation accuracy of each lane in the end."""
    return [float(values[-1]) for name, values in history.items() if name.startswith("valid_accuracy_")]
