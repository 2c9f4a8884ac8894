"""A rate and an L2 penalty tuned by gradient: the validation loss differentiated through 100 steps.

Source: Maclaurin, Duvenaud & Adams 2015, Gradient-based hyperparameter optimization through reversible
learning; Bengio 2000; Franceschi, Donini, Frasconi & Pontil 2017, Forward and reverse gradient-based
hyperparameter optimization.
Command: python -m experiments hypergradient --seeds 5
Expected: validation loss, mean ± std over 5 seeds on 2 CPU cores, 2026-11-22: fixed 2.089 ± 0.026, tuned
0.339 ± 0.008, grid 0.338 ± 0.007; test accuracy 0.270 ± 0.055, 0.915 ± 0.003 and 0.914 ± 0.003. Slopes are
within 3.3e-5 of central differences in float64. The 30 runs of a search take 0.2 seconds, with their slopes
0.7; all in all half a minute, mostly compiling.

A run makes 100 steps with 100 rows of the digits, from one initialisation. The first has a rate of 0.002 and
an L2 of 0.1, both wrong by a factor of 40 or more. :func:`jaxnets.train.run` is differentiated as it is, in
reverse, with respect to their logarithms, and Adam goes down the slope. Five runs come near to what the grid
finds in 30. A slope takes as long as two or three runs, however many numbers are tuned: for two of them the
grid is as good.

Slopes lead down where runs are stable. Beyond a rate of 1 or 2 lies a cliff, and behind it slopes have any
size and direction. They are clipped, so one of them does no lasting harm; yet from a rate of 3, one of 3
seeds finds nothing, and with a hyper rate of 0.3 none does (`--rows tuned --seeds 3 --grid
start_rate=0.002,1,3 hyper_rate=log:0.1:3:4`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro

from experiments import _data
from experiments._contract import Goal
from jaxnets import losses, models, plot, schedules, train
from jaxnets.check import NON_NEGATIVE, POSITIVE, InputError, Interval
from jaxnets.data import Dataset
from jaxnets.learner import Learner, gradient
from jaxnets.metrics import accuracy
from jaxnets.sweep import trial
from jaxnets.types import Array, Batch, Float, Inputs, Int, Key, Metrics, PyTree, Shaped, State

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from experiments._run import Result


class Hparams(NamedTuple):
    """Traced scalars."""

    start_rate: Annotated[float, POSITIVE] = 0.002
    """Of the first run."""
    start_l2: Annotated[float, POSITIVE] = 0.1
    """Of the first run."""
    hyper_rate: Annotated[float, NON_NEGATIVE] = 1.0
    """Adam's on the logarithms of the two; it falls to 0 along a cosine."""


class Settings(NamedTuple):
    """Static choices."""

    search: tyro.conf.Fixed[Literal["none", "gradient", "grid"]] = "gradient"
    """Where the next run is made: ``gradient``, ``grid`` or ``none``; ``--rows`` chooses."""
    num_steps: Annotated[int, Interval(1, 2**31 - 1)] = 30
    """Runs, one after another."""
    steps_per_run: Annotated[int, Interval(1)] = 100
    """Updates of the network in each, on all its rows."""
    num_fit: Annotated[int, Interval(1)] = 100
    """Training rows that the network sees; the others give the validation loss."""
    width: Annotated[int, Interval(1)] = 32
    """Hidden units."""
    dataset: str = "digits"
    """A name or a file of images, see jaxnets.data."""
    evaluate_every: tyro.conf.Fixed[int] = 1
    """Runs between entries of the history."""
    num_classes: tyro.conf.Fixed[int | None] = None
    """As many as the data set has, if None."""


MOMENTUM = 0.9
"""Of the network's descent."""
LOW, HIGH = np.log([1e-3, 1e-5]), np.log([10.0, 1.0])
"""Logarithms of rate and L2 between which the grid and the picture lie."""
SIDE = 17
"""Points of the picture along each of the two."""
GOALS = (
    Goal("gradient_error", at_most=1e-3),
    Goal("tuned_over_fixed", at_most=0.25),
    Goal("tuned_over_grid", at_most=1.05),
    Goal("test_accuracy", at_least=0.88, row="tuned"),
)
SMALL = {"steps_per_run": 5, "width": 4}


class Best(NamedTuple):
    """The run with the lowest validation loss; before the first, an untrained network."""

    loss: Float[Array, ""]
    point: Float[Array, " 2"]
    network: State


class Search(NamedTuple):
    """Where a search stands.

    Attributes:
        point: logarithms of rate and L2 of the next run.
        memory: of the optimizer that moves the point.
        seed: data of the key that all runs share, so that the loss is a function of the point alone.
        number: runs made.
        best: of them.
    """

    point: Float[Array, " 2"]
    memory: optax.OptState
    seed: Shaped[Array, " words"]
    number: Int[Array, ""]
    best: Best


def data(settings: Settings) -> Dataset:
    """The training rows are parted by :func:`parts_of`; the test rows are seen by no search."""
    return _data.load(settings.dataset)


def parts_of(rows: Batch, settings: Settings) -> tuple[Batch, Batch]:
    """Rows to fit and rows to validate.

    Raises:
        InputError: none is left to validate.
    """
    if settings.num_fit >= len(rows.targets):
        raise InputError(f"num_fit = {settings.num_fit}, allowed are 1 to {len(rows.targets) - 1}")
    fit = jax.tree.map(lambda leaf: leaf[: settings.num_fit], rows)
    return fit, jax.tree.map(lambda leaf: leaf[settings.num_fit :], rows)


def network_at(point: Float[Array, " 2"], settings: Settings) -> Learner:
    """A network with one hidden layer, trained at a rate and an L2 given by their logarithms."""
    rate, l2 = jnp.exp(point)
    return gradient(
        models.MLP(
            (settings.width,), settings.num_classes, activation=jnp.tanh,
            kernel_init=_widest(nn.initializers.lecun_normal()), bias_init=_widest(nn.initializers.zeros),
        ),
        losses.softmax_cross_entropy,
        optax.sgd(rate, MOMENTUM),
        penalty=lambda params: l2 * losses.l2_penalty(params),
    )  # fmt: skip


def _widest(init: Callable) -> Callable:
    """In float64 where jax is told to use it: flax's own choice is float32, which hides small differences."""
    return lambda key, shape, dtype: init(key, shape, float)


def validation_loss(
    point: Float[Array, " 2"], key: Key, rows: Batch, settings: Settings
) -> tuple[Float[Array, ""], PyTree]:
    """Trains a network, and measures it on the rows it has not seen; also the network."""
    fit, valid = parts_of(rows, settings)
    learner = network_at(point, settings)
    network = train.run(key, learner, fit, num_steps=settings.steps_per_run).state
    return losses.softmax_cross_entropy(learner.predict(network, valid.inputs), valid.targets), network


def learner(hparams: Hparams, settings: Settings) -> Learner:
    """A step is a whole run and, where the search is by gradient, a step of the point against its slope."""
    optimizer = descent(hparams, settings) if settings.search == "gradient" else optax.set_to_zero()

    def init(key: Key, data: Batch) -> Search:
        point = jnp.log(jnp.stack([hparams.start_rate, hparams.start_l2]))
        loss, network = validation_loss(point, key, data, settings._replace(steps_per_run=0))
        best = Best(loss, point, network)
        return Search(point, optimizer.init(point), jax.random.key_data(key), jnp.int32(0), best)

    slope_of = jax.value_and_grad(validation_loss, has_aux=True)

    def step(key: Key, state: Search, batch: Batch) -> tuple[Search, Metrics]:
        point = grid_of(settings.num_steps)[state.number] if settings.search == "grid" else state.point
        shared = jax.random.wrap_key_data(state.seed)
        (loss, network), slope = slope_of(point, shared, batch, settings)
        change, memory = optimizer.update(slope, state.memory, point)
        is_better = partial(jnp.where, loss < state.best.loss)  # a NaN never is
        best = jax.tree.map(is_better, Best(loss, point, network), state.best)
        rate, l2 = jnp.exp(point)
        found = {"loss": best.loss, "validation_loss": loss, "rate": rate, "l2": l2}
        return Search(point + change, memory, state.seed, state.number + 1, best), found

    def predict(state: Search, inputs: Inputs) -> Float[Array, "n k"]:
        return network_at(state.best.point, settings).predict(state.best.network, inputs)

    return Learner(init, step, predict)


def descent(hparams: Hparams, settings: Settings) -> optax.GradientTransformation:
    """Adam with a short memory; beyond the rates at which runs are stable, slopes are huge or no numbers."""
    rate = schedules.cosine_decay(hparams.hyper_rate, num_steps=settings.num_steps)
    return optax.chain(optax.zero_nans(), optax.clip(1.0), optax.adam(rate, b1=0.5, b2=0.9))


def grid_of(num_points: int) -> Float[Array, "points 2"]:
    """Logarithms of rates and penalties, as many points or the few more that make the product full."""
    num_rates = math.ceil(math.sqrt(num_points))
    sizes = num_rates, -(-num_points // num_rates)
    axes = [np.linspace(*ends) for ends in zip(LOW, HIGH, sizes, strict=True)]
    return jnp.asarray(np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2), jnp.float32)


def evaluate(learner: Learner, state: Search, dataset: Dataset) -> Metrics:
    """Of the best run: test accuracy, validation loss, rate and L2."""
    (rate, l2), (inputs, labels) = jnp.exp(state.best.point), dataset.test
    test_accuracy = accuracy(train.predict(learner, state, inputs), labels)
    return {"test_accuracy": test_accuracy, "validation_loss": state.best.loss, "rate": rate, "l2": l2}


def variants() -> dict[str, tuple[Hparams, Settings]]:
    """The start left as it is, tuned by gradient, and a grid of as many runs."""
    return {
        "fixed": (Hparams(), Settings("none", num_steps=1)),
        "tuned": (Hparams(), Settings()),
        "grid": (Hparams(), Settings("grid")),
    }


def checks(results: list[Result], dataset: Dataset) -> dict[str, float]:
    """The slopes on the way against finite differences, and what was tuned against the others."""
    fixed, tuned, grid = (result.metrics["validation_loss"].mean() for result in results)
    way, settings = way_of(results[1]), trial.complete(results[1].settings, dataset)
    some = way[[0, len(way) // 2, -1]]
    error = gradient_error(some, jax.random.key(0), dataset.train, settings)
    return {"gradient_error": error, "tuned_over_fixed": tuned / fixed, "tuned_over_grid": tuned / grid}


def gradient_error(
    points: Float[Array, "p 2"], key: Key, rows: Batch, settings: Settings, *, width: float = 1e-4
) -> float:
    """The worst relative difference between slopes and central differences, in float64.

    Args:
        width: half of the step in the logarithms of rate and L2 by which the loss is differenced.
    """
    with jax.enable_x64(True):
        rows = rows._replace(inputs=np.asarray(rows.inputs, np.float64))
        slope = jax.jit(jax.value_and_grad(lambda point: validation_loss(point, key, rows, settings)[0]))
        errors = []
        for point in np.asarray(points, np.float64):
            ends = [[slope(point + sign * move)[0] for sign in (1, -1)] for move in width * np.eye(2)]
            differences = np.array([above - below for above, below in ends]) / (2 * width)
            errors.append(np.abs(slope(point)[1] - differences) / np.abs(differences))
    return float(np.max(errors))


def way_of(result: Result) -> Float[np.ndarray, "runs 2"]:
    """Logarithms of rate and L2 of each run of the first seed."""
    return np.log(np.stack([result.histories(name)[0] for name in ("rate", "l2")], axis=1))


def figures(results: list[Result], dataset: Dataset) -> dict[str, Figure]:
    """The validation loss over rate and L2 with the way through it, and what the runs found one by one."""
    steps = {result.name: result.steps for result in results}
    lowest = {result.name: result.histories("loss") for result in results}
    pictures = {
        "losses": plot.curves(
            steps, lowest, x_label="runs", y_label="lowest validation loss so far", title=dataset.name,
            log_y=True,
        )
    }  # fmt: skip
    for result in results:
        if result.settings.search == "gradient":
            values = {"rate": result.histories("rate"), "L2": result.histories("l2")}
            pictures[f"values_{result.name}"] = plot.curves(
                result.steps, values, x_label="runs", y_label="value", title=result.name, log_y=True
            )
            pictures[f"landscape_{result.name}"] = _landscape(result, dataset)
    return pictures


def _landscape(result: Result, dataset: Dataset) -> Figure:
    """Of the first seed; losses above that of an untrained network look like it."""
    settings = trial.complete(result.settings, dataset)
    points, key = grid_of(SIDE**2), jax.random.key(0)
    loss = jax.jit(jax.vmap(lambda point, rows: validation_loss(point, key, rows, settings)[0], (0, None)))
    values = np.minimum(loss(points, dataset.train), np.log(settings.num_classes)).reshape(SIDE, SIDE)
    rates, penalties = np.exp(points[::SIDE, 0]), np.exp(points[:SIDE, 1])
    figure = plot.heatmap(
        np.log(values.T), rates, penalties, x_label="rate", y_label="L2",
        label="logarithm of the validation loss", title=f"the way of {result.name} with the first seed",
    )  # fmt: skip
    x, y = ((way_of(result) - LOW) / (HIGH - LOW) * (SIDE - 1)).T
    figure.axes[0].plot(x, y, "o-", color="#d55e00", markersize=3, linewidth=1)
    return figure
