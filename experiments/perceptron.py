"""The perceptron as it learns: its mistakes, its line after each few, and the bound that they never pass.

Source: the courses' perceptron, with its learning shown update by update; Rosenblatt 1958; Novikoff 1962.
Command: python -m experiments perceptron
Expected: test accuracy, mean ± std over 5 seeds on 2 CPU cores, 2026-11-22: separable 0.999 ± 0.002 after
23 ± 14 mistakes, averaged 0.915 ± 0.003, overlapping 0.907 ± 0.025. Of 100 random sets, their margins from
0.02 to 0.3, all are separated, after 71 mistakes at most; none needs more than 0.15 of its bound. A fit takes
less than a second.

Novikoff: on rows ``x`` of length at most R (counted with the 1 of the bias) that some plane separates with a
margin of gamma, no order of the rows leads to more than ``(R / gamma)^2`` mistakes. Here the plane is the one
that made the labels, so gamma is known; the best plane's is no smaller, and its bound no larger.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import tyro

from experiments._contract import Goal
from jaxnets import models, plot, status, train
from jaxnets.check import FRACTION, Interval
from jaxnets.data import Dataset, synthetic
from jaxnets.learner import Learner
from jaxnets.metrics import accuracy
from jaxnets.types import Array, Batch, Bool, Float, Int, Key, Metrics, State

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from experiments._run import Result


class Hparams(NamedTuple):
    """None: from zero weights the rate changes nothing but the scale of the scores."""


class Settings(NamedTuple):
    """Static choices."""

    kind: tyro.conf.Fixed[Literal["separable", "overlapping"]] = "separable"
    """Or ``overlapping``: two normal classes, of which the best line gets 0.933 right."""
    averaged: tyro.conf.Fixed[bool] = False
    """Whether the mean of the weights predicts, over all rows seen."""
    margin: Annotated[float, FRACTION] = 0.05
    """Of the separable rows, which lie in a square of side 2."""
    num_examples: Annotated[int, Interval(2)] = 200
    """Rows to train on, and as many fresh ones to test on."""
    num_steps: Annotated[int, Interval(0, 2**31 - 1)] = 4000
    """Updates at most, of a row each."""
    batch_size: tyro.conf.Fixed[int] = 1
    """One row after the other."""
    evaluate_every: Annotated[int, Interval(1)] = 40
    """Rows between the points of the picture."""


class Problem(NamedTuple):
    """Separable rows and the bound on the mistakes that they admit."""

    rows: Batch
    bound: Float[Array, ""]


EVERY, SHOWN = 10, (1, 4, 16)
SMALL = {"num_examples": 20, "evaluate_every": 1}
NUM_SETS = 100
GOALS = (
    Goal("share_within_bound", at_least=1.0, seeds=1),
    Goal("share_separated", at_least=1.0, seeds=1),
    Goal("test_accuracy", at_least=0.9, row="averaged"),
)


def separable(key: Key, *, num_examples: int, margin: float) -> Problem:
    """Rows on both sides of a random line through the square [-1, 1]^2, at least ``margin`` away from it."""
    angle_key, offset_key, point_key = jax.random.split(key, 3)
    angle = jax.random.uniform(angle_key, maxval=2 * jnp.pi)
    normal = jnp.stack([jnp.cos(angle), jnp.sin(angle)])
    offset = jax.random.uniform(offset_key, minval=-0.5, maxval=0.5)
    points = jax.random.uniform(point_key, (num_examples, 2), minval=-1.0)
    side = jnp.sign(points @ normal + offset)
    points += margin * side[:, None] * normal[None]
    # With the bias, the plane is (normal, offset), and a row is (x, 1).
    gamma = jnp.min(side * (points @ normal + offset)) / jnp.sqrt(1 + offset**2)
    radius = jnp.sqrt(1 + jnp.max(jnp.sum(points**2, axis=1)))
    return Problem(Batch(points, (side > 0).astype(jnp.int32)), (radius / gamma) ** 2)


def data(settings: Settings) -> Dataset:
    """Separable rows, or two classes that overlap; every second row is for testing."""
    key, twice = jax.random.key(0), 2 * settings.num_examples
    if settings.kind == "separable":
        rows = separable(key, num_examples=twice, margin=settings.margin).rows
    else:
        rows = synthetic.two_gaussians(key, num_examples=twice)
    first, second = (jax.tree.map(lambda leaf, half=half: np.asarray(leaf[half::2]), rows) for half in (0, 1))
    return Dataset(first, test=second, name=settings.kind, num_classes=2)


def learner(hparams: Hparams, settings: Settings) -> Learner:
    """Rosenblatt's rule, a row at a time."""
    return models.perceptron(num_classes=2, averaged=settings.averaged)


def evaluate(learner: Learner, state: State, dataset: Dataset) -> Metrics:
    """Accuracy, and the mistakes made in learning."""
    found = {
        f"{name}_accuracy": accuracy(learner.predict(state, rows.inputs), rows.targets)
        for name, rows in dataset.splits.items()
    }
    return found | {"mistakes": state.mistakes, "rows_seen": state.rows_seen}


def variants() -> dict[str, tuple[Hparams, Settings]]:
    """Rows that a line separates, and rows that none does, with the last weights and with their mean."""
    overlapping = Settings("overlapping")
    return {
        "separable": (Hparams(), Settings()),
        "overlapping": (Hparams(), overlapping),
        "averaged": (Hparams(), overlapping._replace(averaged=True)),
    }


def checks(results: list[Result], dataset: Dataset) -> dict[str, float]:
    """A hundred random separable sets at once: mistakes against the bound."""
    mistakes, bound, separated = jax.jit(jax.vmap(_try))(jax.random.split(jax.random.key(1), NUM_SETS))
    return {
        "share_within_bound": float((mistakes <= bound).mean()),
        "share_separated": float(separated.mean()),
        "largest_share_of_bound": float((mistakes / bound).max()),
        "most_mistakes": float(mistakes.max()),
    }


def _try(key: Key) -> tuple[Int[Array, ""], Float[Array, ""], Bool[Array, ""]]:
    """Learns from one random set, with a margin of its own, in passes until nothing is wrong."""
    margin_key, rows_key, run_key = jax.random.split(key, 3)
    margin = jax.random.uniform(margin_key, minval=0.02, maxval=0.3)
    rows, bound = separable(rows_key, num_examples=100, margin=margin)
    run = train.run(run_key, models.perceptron(num_classes=2), rows, num_steps=1000, evaluate_every=100)
    return run.state.mistakes, bound, run.status.code == status.CONVERGED


def figures(results: list[Result], dataset: Dataset) -> dict[str, Figure]:
    """Mistakes against rows seen, and the line at several times."""
    steps = max((result.steps for result in results), key=len)
    mistakes = {
        result.name: np.stack([_so_far(run, len(steps)) for run in result.runs])
        for result in results
        if not result.settings.averaged
    }
    pictures = {f"lines_{result.name}": _lines(result) for result in results}
    if mistakes:
        pictures["mistakes"] = plot.curves(steps, mistakes, x_label="rows seen", y_label="mistakes so far")
    return pictures


def _so_far(run: train.Run, num_points: int) -> Float[np.ndarray, " p"]:
    """All mistakes until each point; a run that has ended makes no more."""
    made = _made(run)
    return np.cumsum(np.pad(made, (0, num_points - len(made))))


def _made(run: train.Run) -> Float[np.ndarray, " p"]:
    """Mistakes since the entry before: their mean, times the rows of that time; none after the end."""
    if not run.history:
        return np.zeros(0)
    ends = np.minimum(run.history["step"], run.status.step)
    return np.nan_to_num(run.history["mistakes"]) * np.diff(ends, prepend=0)


def _lines(result: Result) -> Figure:
    """The line of the seed with most mistakes on its way: the same run once more, stopped after some rows."""
    seed, settings = int(np.argmax(result.metrics["mistakes"])), result.settings
    key, rows = jax.random.key(seed), data(settings).train
    learn = jax.jit(
        lambda run: train.run(key, result.learner, rows, num_steps=EVERY, batch_size=1, state=run)
    )
    run, lines = train.run(key, result.learner, rows, num_steps=0), {}
    for seen in range(EVERY, EVERY * SHOWN[-1] + 1, EVERY):
        run = learn(run)
        if seen // EVERY in SHOWN and run.status.code == status.OK:
            lines[f"after {seen} rows"] = run.state.readout
    final = result.runs[seed].state
    lines[f"in the end, {int(final.mistakes)} mistakes"] = final.readout
    weights = np.stack([np.subtract(*line.coefficients.T[::-1]) for line in lines.values()], axis=1)
    biases = np.stack([np.subtract(*line.intercept[::-1]) for line in lines.values()])
    title = f"{result.name} rows" if not settings.averaged else "overlapping rows, averaged weights"
    return plot.lines_in_plane(*rows, weights, biases, names=list(lines), title=title)
