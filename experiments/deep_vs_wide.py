"""Depth against width for the digits, each network at its own best rate: all rates in one program.

Source: the courses' comparison of deep and wide networks; Goodfellow, Bengio & Courville, Deep Learning,
6.4.1.
Command: python -m experiments deep_vs_wide
Expected: test accuracy on mnist5k by depth x width, mean ± std over 3 seeds on 2 CPU cores, 2026-11-22: 1x16
0.902 ± 0.007, 1x64 0.925 ± 0.003, 1x256 0.937 ± 0.007; 2x16 0.895 ± 0.007, 2x64 0.922 ± 0.005, 2x256 0.933 ±
0.001; 4x16 0.888 ± 0.006, 4x64 0.919 ± 0.010, 4x256 0.937 ± 0.003 (over 5 seeds, too); 1 to 29 seconds a fit
on a busy machine, five minutes in all. Rows of over 30 seconds a fit, on one slower still, have one seed.

Depth and width change the shapes of arrays: a program each, a row of the table. The rate is a number: the
lanes of one row are the same network with the same beginning and the same batches at different rates,
trained side by side by ``vmap``. The rate is chosen by the validation rows, the table shows the test rows. A
lane that diverges is frozen and left out; the others are bit for bit what they would be beside another.
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
from jaxnets import losses, models, plot, status
from jaxnets.check import POSITIVE, Interval
from jaxnets.data import Dataset
from jaxnets.learner import Learner, gradient
from jaxnets.metrics import accuracy
from jaxnets.models.side_by_side import combined
from jaxnets.status import Status
from jaxnets.types import Array, Batch, Bool, Float, Inputs, Int, Key, Metrics, State

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

    depth: tyro.conf.Fixed[int] = 2
    """Hidden layers."""
    width: tyro.conf.Fixed[int] = 64
    """Units of each."""
    num_rates: Annotated[int, Interval(1)] = 5
    """Lanes."""
    dataset: str = "mnist5k"
    """A name or a file of images, see jaxnets.data."""
    num_steps: Annotated[int, Interval(1, 2**31 - 1)] = 500
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


class Lane(NamedTuple):
    """A run at one rate, or at several side by side."""

    state: State
    standing: Status


def over_rates(learner_at: Callable[[Array], Learner], rates: Float[Array, " r"]) -> Learner:
    """A lane for each rate, all from one initialisation: each is the lone run at its rate.

    A lane that diverges is frozen, and its scores are NaN; the others go on as if nothing were. The loss is
    the lowest of theirs, so the whole diverges only with the last of them.
    """

    def init(key: Key, data: Batch) -> Lane:
        begin = lambda rate: Lane(learner_at(rate).init(key, data), status.begin(data.targets))  # noqa: E731
        return jax.vmap(begin)(rates)

    def step(key: Key, state: Lane, batch: Batch) -> tuple[Lane, Metrics]:
        lanes, found = jax.vmap(lambda rate, lane: _step(key, lane, batch, learner_at(rate)))(rates, state)
        found = combined(found, by=lambda values: jnp.nanmin(jnp.where(_is_lost(lanes), jnp.nan, values)))
        return lanes, found | {"converged": (lanes.standing.code != status.OK).all()}

    def predict(state: Lane, inputs: Inputs) -> Float[Array, "n r k"]:
        scores = jax.vmap(learner_at(rates[0]).predict, in_axes=(0, None), out_axes=1)(state.state, inputs)
        return jnp.where(_is_lost(state)[None, :, None], jnp.nan, scores)

    return Learner(init, step, predict)


def _step(key: Key, lane: Lane, batch: Batch, learner: Learner) -> tuple[Lane, Metrics]:
    """Kept as :func:`jaxnets.train.run` would: while the lane is ok, and its numbers are finite."""
    new, found = learner.step(key, lane.state, batch)
    standing, is_kept = status.after_step(lane.standing, found)
    standing = status.after_segment(standing, lane.state, new)
    is_kept &= ~_is_lost(Lane(new, standing))
    kept = jax.tree.map(lambda new, old: jnp.where(is_kept, new, old), new, lane.state)
    return Lane(kept, standing), found


def _is_lost(lane: Lane) -> Bool[Array, "*lanes"]:
    return lane.standing.code == status.DIVERGED


def metrics(scores: Float[Array, "n r k"], labels: Int[Array, " n"]) -> Metrics:
    """Share of rows whose largest score is their label's, of each lane (NaN if it diverged) and the best."""
    is_lost = jnp.isnan(scores).any(axis=(0, 2))
    lanes = jnp.where(is_lost, jnp.nan, jax.vmap(accuracy, in_axes=(1, None))(scores, labels))
    return {"accuracy": jnp.nanmax(lanes)} | {f"accuracy_{lane}": value for lane, value in enumerate(lanes)}


def evaluate(learner: Learner, state: State, dataset: Dataset) -> Metrics:
    """Test accuracy in the lane that is best on the validation rows."""
    valid, test = (
        metrics(learner.predict(state, rows.inputs), rows.targets) for rows in (dataset.valid, dataset.test)
    )
    lanes = jnp.array([valid[name] for name in valid if name != "accuracy"])
    best = int(jnp.nanargmax(lanes))
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
    return history[f"valid_accuracy_{int(np.nanargmax(_last(history)))}"]


def _last(history: dict[str, Array]) -> list[float]:
    """Validation accuracy of each lane in the end."""
    return [float(values[-1]) for name, values in history.items() if name.startswith("valid_accuracy_")]
