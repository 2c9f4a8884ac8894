"""Slope and integer intercept of a line from ten noisy points, with a head for each kind of number.

Source: the courses' exercise on mixed outputs; McCullagh 1980, Regression models for ordinal data.
Command: python -m experiments line_parameters
Expected: 50,000 unseen lines, mean ± std over 5 seeds on 2 CPU cores, 2026-11-22: integer exact 1.000 ± 0.000
in all rows; mean slope error 0.026 ± 0.000 with each head, 0.023 for least squares. With much noise the
integer is exact in 0.519 ± 0.001 with softmax, 0.507 ± 0.001 with the ordinal head, 0.499 ± 0.001 rounded,
0.509 for least squares; it is off by 0.560 ± 0.001, 0.555 ± 0.000, 0.559 ± 0.001 and 0.582 on average. Ten
seconds a fit, with much noise half a minute.

The slope is a float: squared error. The intercept is one of the integers -2 to 2: classes (softmax), ordered
classes (cumulative logits), or a float that is rounded. What people get is always an integer. The points of
a line have no order, so the network averages over them. Least squares knows that there is a line: it rounds
the intercept and then finds the slope anew. Where that integer is certain, no unbiased slope is closer.

With little noise every head will do. With a noise of 3 the points leave several integers possible, and each
head answers another question: softmax gives the likeliest integer, most often exact; the ordinal head the
median, nearest on average; squared error the mean, rounded, which leaves the ends of the range: of the lines
with an intercept of 2 it finds a half, softmax 0.70.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro

from experiments._contract import Goal
from jaxnets import losses, plot, schedules, train
from jaxnets.check import NON_NEGATIVE, Interval, choice
from jaxnets.data import Dataset
from jaxnets.data.synthetic import lines
from jaxnets.learner import Learner, gradient
from jaxnets.metrics import mean_absolute_error
from jaxnets.models.closed_form import closed_form
from jaxnets.types import Array, Batch, Float, Int, Metrics, PyTree

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from experiments._run import Result

LOWEST, NUM_INTEGERS, NUM_TEST = -2, 5, 50_000
MUCH_NOISE = 3.0
THRESHOLDS = 4.0 * (np.arange(NUM_INTEGERS - 1) - 1.5)
"""Of the ordinal head's score: evenly spaced, as integers are; the score learns its own scale."""


class Hparams(NamedTuple):
    """Traced scalars."""

    learning_rate: Annotated[float, NON_NEGATIVE] = 1e-2
    """Peak of Adam's rate."""
    slope_weight: Annotated[float, NON_NEGATIVE] = 10.0
    """Of the squared error of the slope, beside the integer's loss."""


class Settings(NamedTuple):
    """Static choices."""

    head: tyro.conf.Fixed[str] = "softmax"
    """How the integer is found: one of HEADS, or ``least_squares``; ``--rows`` chooses."""
    noise: tyro.conf.Fixed[float] = 0.05
    """Standard deviation of the points' height; ``--rows`` chooses between little and much."""
    num_examples: Annotated[int, Interval(1)] = 20_000
    """Lines to learn from."""
    num_steps: Annotated[int, Interval(0, 2**31 - 1)] = 4000
    """Updates."""
    batch_size: Annotated[int | None, Interval(1)] = 200
    """Lines an update."""


class Head(NamedTuple):
    """How an integer is learned.

    Attributes:
        num_outputs: of the network, for the integer.
        loss: ``(outputs, classes) -> scalar``.
        decode: ``outputs -> classes``.
    """

    num_outputs: int
    loss: Callable[[Float[Array, "n k"], Int[Array, " n"]], jax.Array]
    decode: Callable[[Float[Array, "n k"]], Int[Array, " n"]]


def _ordered(outputs: Float[Array, "n 1"]) -> Float[Array, "n j"]:
    return losses.cumulative_logits(outputs[:, 0], THRESHOLDS)


def _rounded(outputs: Float[Array, "n 1"]) -> Int[Array, " n"]:
    return jnp.clip(jnp.round(outputs[:, 0]), 0, NUM_INTEGERS - 1).astype(int)


HEADS: dict[str, Head] = {
    "softmax": Head(NUM_INTEGERS, losses.softmax_cross_entropy, lambda o: jnp.argmax(o, axis=1)),
    "ordinal": Head(
        1,
        lambda o, classes: losses.ordinal(_ordered(o), classes),
        lambda o: losses.ordinal_decode(_ordered(o)),
    ),
    "rounding": Head(1, lambda o, classes: losses.squared_error(o[:, 0], classes), _rounded),
}


class Network(nn.Module):
    """``g(mean_i f(x_i, y_i))``: whatever the order of the points, the same outputs.

    ``f`` is a product of two affine maps, whose means are the line's moments (of x, y, x y, x x), and some.
    """

    num_outputs: int
    num_moments: int = 32
    width: int = 128

    @nn.compact
    def __call__(self, points: Float[Array, "n p 2"]) -> Float[Array, "n k"]:
        """Outputs for each line."""
        products = nn.Dense(self.num_moments)(points) * nn.Dense(self.num_moments)(points)
        a = nn.gelu(nn.Dense(self.width)(products.mean(axis=1)))
        return nn.Dense(self.num_outputs)(nn.gelu(nn.Dense(self.width)(a)))


def data(settings: Settings) -> Dataset:
    """Lines to learn from, and others for the test."""
    return _draw(settings.noise, settings.num_examples)


@functools.lru_cache(maxsize=2)
def _draw(noise: float, num_examples: int) -> Dataset:
    fit_key, test_key = jax.random.split(jax.random.key(0))
    fit, test = (
        jax.device_get(lines(key, num_examples=count, noise=noise))
        for key, count in ((fit_key, num_examples), (test_key, NUM_TEST))
    )
    return Dataset(fit, test=test, name="lines")


def learner(hparams: Hparams, settings: Settings) -> Learner:
    """The network with the head named in the settings, or least squares."""
    choice("head", settings.head, [*HEADS, "least_squares"])
    if settings.head == "least_squares":
        return closed_form(_measure, lambda state, points: least_squares(points))
    head = HEADS[settings.head]

    def loss(outputs: Float[Array, "n k"], targets: PyTree) -> jax.Array:
        slope = losses.squared_error(outputs[:, 0], targets["slope"])
        return head.loss(outputs[:, 1:], targets["intercept"] - LOWEST) + hparams.slope_weight * slope

    steps = settings.num_steps
    rate = schedules.warmup_cosine(hparams.learning_rate, num_warmup=steps // 20, num_steps=max(1, steps))
    network = gradient(Network(1 + head.num_outputs), loss, optax.adam(rate))

    def predict(state: PyTree, points: Float[Array, "n p 2"]) -> PyTree:
        outputs = network.predict(state, points)
        return {"slope": outputs[:, 0], "intercept": head.decode(outputs[:, 1:]) + LOWEST}

    return network._replace(predict=predict)


def least_squares(points: Float[Array, "n p 2"]) -> PyTree:
    """``b = round(mean y - cov(x, y) / var(x) mean x)``; then the best slope with it, ``x'(y - b) / x'x``."""
    x, y = jnp.moveaxis(points, 2, 0)
    x_mean, y_mean = points.mean(axis=1).T
    u = x - x_mean[:, None]
    free = y_mean - (u * y).sum(axis=1) / (u * u).sum(axis=1) * x_mean
    intercept = jnp.clip(jnp.round(free), LOWEST, LOWEST + NUM_INTEGERS - 1).astype(int)
    slope = (x * (y - intercept[:, None])).sum(axis=1) / (x * x).sum(axis=1)
    return {"slope": slope, "intercept": intercept}


def _measure(rows: Batch) -> tuple[PyTree, Metrics]:
    """Nothing to remember; the loss is the slope's squared error."""
    return (), {"loss": losses.squared_error(least_squares(rows.inputs)["slope"], rows.targets["slope"])}


def metrics(found: PyTree, targets: PyTree) -> Metrics:
    """Share of integers that are exact, and the mean absolute errors of the integer and of the slope."""
    exact = found["intercept"] == targets["intercept"]
    return {
        "integer_exact": jnp.mean(exact),
        "integer_error": mean_absolute_error(found["intercept"], targets["intercept"]),
        "slope_error": mean_absolute_error(found["slope"], targets["slope"]),
    }


def variants() -> dict[str, tuple[Hparams, Settings]]:
    """Each head, and least squares; the same with so much noise that the integer stays uncertain."""
    rows = {head: Settings(head=head) for head in HEADS}
    rows["least_squares"] = Settings(head="least_squares", num_steps=1, batch_size=None)
    noisy = {
        f"noisy_{name}": row._replace(noise=MUCH_NOISE, num_examples=400_000) for name, row in rows.items()
    }
    return {name: (Hparams(), row) for name, row in (rows | noisy).items()}


GOALS = tuple(
    goal
    for head in ("softmax", "ordinal")
    for goal in (
        Goal("test_integer_exact", at_least=0.99, row=head),
        Goal("test_slope_error", at_most=0.03, row=head),
    )
)
SMALL = {"num_examples": NUM_TEST}  # as many as to test: drawn by the same compiled programs


def figures(results: list[Result], dataset: Dataset) -> dict[str, Figure]:
    """Slopes of the first row and errors of all with its noise; integers found where the noise is largest."""
    first, *_ = results
    alike = [row for row in results if row.settings.noise == first.settings.noise]
    points, truth = (jax.tree.map(lambda leaf: leaf[:1000], part) for part in dataset.test)
    found = {row.name: train.predict(row.learner, row.runs[0].state, points)["slope"] for row in alike}
    slopes = plot.scatter(
        truth["slope"], np.asarray(found[first.name]),
        x_label="true slope", y_label="found slope", title=f"{first.name}, unseen lines", diagonal=True,
    )  # fmt: skip
    errors = {name.replace("_", " "): np.asarray(slope - truth["slope"]) for name, slope in found.items()}
    noise = max(row.settings.noise for row in results)
    return {
        "slopes": slopes,
        "errors": plot.histogram(errors, x_label="error of the slope"),
        "integers": _integers([row for row in results if row.settings.noise == noise]),
    }


def _integers(results: list[Result]) -> Figure:
    """The share of exact integers by the true one: who leaves the ends of the range to the middle."""
    points, truth = data(results[0].settings).test
    integers = np.arange(LOWEST, LOWEST + NUM_INTEGERS)
    shares = {}
    for row in results:
        seeds = [train.predict(row.learner, run.state, points)["intercept"] for run in row.runs]
        exact = np.stack(seeds) == truth["intercept"]
        by_integer = [exact[:, truth["intercept"] == integer].mean(axis=1) for integer in integers]
        shares[row.name.replace("_", " ")] = np.stack(by_integer, axis=1)
    title = f"noise of {results[0].settings.noise:g}"
    figure = plot.curves(integers, shares, x_label="true integer", y_label="share found", title=title)
    figure.axes[0].set_xticks(integers)
    return figure
