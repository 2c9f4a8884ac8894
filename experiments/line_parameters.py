"""Slope and integer intercept of a line from ten noisy points, with a head for each kind of number.

Source: the courses' exercise on mixed outputs; McCullagh 1980, Regression models for ordinal data.
Command: python -m experiments line_parameters
Expected: 5,000 unseen lines, mean ± std over 5 seeds on 2 CPU cores, 2026-11-22: integer exact 1.000 ± 0.000
in all rows (the worst seed 0.9996); mean slope error 0.027 ± 0.000 with each head, 0.024 for least squares.
Two minutes.

The slope is a float: squared error. The intercept is one of the integers -2 to 2: classes (softmax), ordered
classes (cumulative logits), or a float that is rounded. What people get is always an integer. The points of
a line have no order, so the network averages over them. The least-squares line, which knows that there is a
line, is the bound.
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

LOWEST, NUM_INTEGERS = -2, 5
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

    head: str = "softmax"
    """How the integer is found: one of HEADS, or ``least_squares``."""
    noise: Annotated[float, NON_NEGATIVE] = 0.05
    """Standard deviation of the points' height."""
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
        for key, count in ((fit_key, num_examples), (test_key, 5000))
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
    """``slope = cov(x, y) / var(x)``, ``intercept = round(mean y - slope mean x)``."""
    centre = points.mean(axis=1)
    x, y = jnp.moveaxis(points - centre[:, None], 2, 0)
    slope = (x * y).sum(axis=1) / (x * x).sum(axis=1)
    intercept = jnp.round(centre[:, 1] - slope * centre[:, 0]).astype(int)
    return {"slope": slope, "intercept": jnp.clip(intercept, LOWEST, LOWEST + NUM_INTEGERS - 1)}


def _measure(rows: Batch) -> tuple[PyTree, Metrics]:
    """Nothing to remember; the loss is the slope's squared error."""
    return (), {"loss": losses.squared_error(least_squares(rows.inputs)["slope"], rows.targets["slope"])}


def metrics(found: PyTree, targets: PyTree) -> Metrics:
    """Share of integers that are exact, and the mean absolute error of the slope."""
    exact = found["intercept"] == targets["intercept"]
    return {
        "integer_exact": jnp.mean(exact),
        "slope_error": mean_absolute_error(found["slope"], targets["slope"]),
    }


def variants() -> dict[str, tuple[Hparams, Settings]]:
    """Each head, and the bound."""
    bound = Settings(head="least_squares", num_steps=1, batch_size=None)
    return {head: (Hparams(), Settings(head=head)) for head in HEADS} | {"least_squares": (Hparams(), bound)}


GOALS = tuple(
    goal
    for head in ("softmax", "ordinal")
    for goal in (
        Goal("test_integer_exact", at_least=0.99, row=head),
        Goal("test_slope_error", at_most=0.03, row=head),
    )
)
SMALL = {"num_examples": 400}


def figures(results: list[Result], dataset: Dataset) -> dict[str, Figure]:
    """Slopes of the first row, and how far off those of all rows are."""
    points, truth = (jax.tree.map(lambda leaf: leaf[:1000], part) for part in dataset.test)
    found = {row.name: train.predict(row.learner, row.runs[0].state, points)["slope"] for row in results}
    first = results[0].name
    slopes = plot.scatter(
        truth["slope"], np.asarray(found[first]),
        x_label="true slope", y_label="found slope", title=f"{first}, unseen lines", diagonal=True,
    )  # fmt: skip
    errors = {name.replace("_", " "): np.asarray(slope - truth["slope"]) for name, slope in found.items()}
    return {"slopes": slopes, "errors": plot.histogram(errors, x_label="error of the slope")}
