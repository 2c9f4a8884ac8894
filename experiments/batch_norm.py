"""Batch normalisation with its backward pass by hand: many times larger rates train the same network.

Source: Ioffe and Szegedy, Batch normalization, 2015: averages that move from mean 0 and variance 1, the
batch's own moments in training, the averages in evaluation.
Command: python -m experiments batch_norm
Expected: the largest stable rate on mnist5k is 3.8 with and 0.68 without, 5.6 times larger, and the range of
stable rates, largest over lowest, 965 and 87 wide (medians over 5 seeds, steps of a factor 1.41 between
rates; where they are a factor 1.05 apart the ratio is 5.5); 7.9 by each of the two other definitions; errors
of the layer against flax below 3e-7; at rate 0.1 test accuracy 0.930 ± 0.002 with and 0.911 ± 0.008 without,
5 seeds, 2 CPU cores, 2026-11-22, two minutes.

A rate is stable for a seed if the run does not diverge and ends with at most half of the untrained network's
loss, over all training rows, in evaluation mode. The ratio depends on what stable means, so two others stand
beside it: a loss below the untrained network's (`ratio_below_start`), and nine of ten validation rows read
(`ratio_by_validation_accuracy`). All rates and seeds of a form are one compiled program: `vmap` over runs.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro

from experiments._contract import Goal
from experiments._data import load
from jaxnets import backprop, losses, plot, status, train
from jaxnets.check import FRACTION, POSITIVE, InputError, Interval
from jaxnets.data import Dataset
from jaxnets.layers import flatten
from jaxnets.learner import Learner, gradient
from jaxnets.metrics import accuracy, classification
from jaxnets.types import Array, Batch, Float, Metrics, Params, PyTree, Scalar, State

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from experiments._run import Result

HALF = 0.5
"""A stable run ends with at most this part of the untrained network's loss."""
READ = 0.9
"""By the third definition it reads at least this share of the validation rows."""
STABLE: dict[str, Callable] = {
    "ratio_of_stable_rates": lambda found: found["loss"] <= HALF,
    "ratio_below_start": lambda found: found["loss"] < 1,
    "ratio_by_validation_accuracy": lambda found: found["valid_accuracy"] >= READ,
}
"""Which runs of a sweep are stable: the definition, and two others whose ratios stand beside it."""
MOST = 10.0
"""The picture ends here."""
EPSILON = 1e-5
normalise = backprop.differentiable(partial(backprop.batch_norm, epsilon=EPSILON))
"""``(x, scale, bias) -> y``, with the gradient derived by hand."""


class Hparams(NamedTuple):
    """Traced scalars."""

    learning_rate: Annotated[float, POSITIVE] = 0.1
    """Of gradient descent, in the table; the sweep has its own."""
    momentum: Annotated[float, FRACTION] = 0.9
    """How much of the moving averages stays at each step."""
    lowest_rate: Annotated[float, POSITIVE] = 1e-3
    """The sweep begins here."""
    highest_rate: Annotated[float, POSITIVE] = 30.0
    """The sweep ends here."""


class Settings(NamedTuple):
    """Static choices."""

    is_normalised: tyro.conf.Fixed[bool] = True
    """Whether each hidden layer is; ``--rows`` chooses."""
    dataset: str = "mnist5k"
    """A name or a file of images, see jaxnets.data."""
    widths: tuple[Annotated[int, Interval(1)], ...] = (100, 100, 100)
    """Units of each hidden layer."""
    num_steps: Annotated[int, Interval(0, 2**31 - 1)] = 250
    """Updates, in the sweep too."""
    batch_size: Annotated[int, Interval(1)] = 50
    """Rows an update."""
    num_rates: Annotated[int, Interval(2)] = 31
    """Of the sweep, on a logarithmic scale."""
    num_seeds: Annotated[int, Interval(1)] = 5
    """Of the sweep."""
    num_classes: tyro.conf.Fixed[int | None] = None
    """As many as the data set has, if None."""


GOALS = (
    Goal("largest_error", at_most=1e-5, seeds=1),
    Goal("ratio_of_stable_rates", at_least=5, seeds=1, note="5.5 where rates are a factor 1.05 apart"),
    Goal("ratio_of_ranges", at_least=5, seeds=1),
)
SMALL = {"widths": (4,), "num_rates": 2, "num_seeds": 1}

metrics = classification


class BatchNorm(nn.Module):
    """``scale (x - mean) / sqrt(var + epsilon) + bias``, by the batch's moments or their moving averages."""

    momentum: Scalar

    @nn.compact
    def __call__(self, x: Float[Array, "n d"], train: bool) -> Float[Array, "n d"]:
        """Normalised by the batch if ``train``, which moves the averages; else by the averages."""
        mean = self.variable("batch_stats", "mean", jnp.zeros, x.shape[1])
        var = self.variable("batch_stats", "var", jnp.ones, x.shape[1])
        scale = self.param("scale", nn.initializers.ones, x.shape[1:])
        bias = self.param("bias", nn.initializers.zeros, x.shape[1:])
        if not train:
            slope = scale / jnp.sqrt(var.value + EPSILON)
            return slope[None] * (x - mean.value[None]) + bias[None]
        if not self.is_initializing():  # else they would not begin at 0 and 1
            for average, moment in ((mean, x.mean(axis=0)), (var, x.var(axis=0))):
                average.value = self.momentum * average.value + (1 - self.momentum) * moment
        return normalise(x, scale, bias)


class Network(nn.Module):
    """Affine, batch norm (or a bias), ReLU; at last affine alone."""

    widths: tuple[int, ...]
    num_outputs: int
    is_normalised: bool
    momentum: Scalar

    @nn.compact
    def __call__(self, x: Float[Array, "n ..."], train: bool) -> Float[Array, "n k"]:
        """The logits."""
        a = flatten(x)
        for width in self.widths:
            z = nn.Dense(width, use_bias=not self.is_normalised, kernel_init=nn.initializers.he_normal())(a)
            a = nn.relu(BatchNorm(self.momentum)(z, train) if self.is_normalised else z)
        return nn.Dense(self.num_outputs)(a)


def data(settings: Settings) -> Dataset:
    """Images in [0, 1]; a tenth of the rows that are not for testing are for validation."""
    return load(settings.dataset, valid_fraction=0.1)


def learner(hparams: Hparams, settings: Settings) -> Learner:
    """Plain gradient descent."""
    network = Network(settings.widths, settings.num_classes, settings.is_normalised, hparams.momentum)
    return gradient(network, losses.softmax_cross_entropy, optax.sgd(hparams.learning_rate))


def variants() -> dict[str, tuple[Hparams, Settings]]:
    """With and without."""
    return {
        "with_batch_norm": (Hparams(), Settings()),
        "without": (Hparams(), Settings(is_normalised=False)),
    }


def rates(hparams: Hparams, settings: Settings) -> Float[np.ndarray, " r"]:
    """From the lowest to the highest, in equal ratios.

    Raises:
        InputError: the lowest is not below the highest.
    """
    if not hparams.lowest_rate < hparams.highest_rate:
        raise InputError(
            f"lowest rate {hparams.lowest_rate:g}: it must lie below the highest, {hparams.highest_rate:g}"
        )
    return np.geomspace(hparams.lowest_rate, hparams.highest_rate, settings.num_rates)


@functools.lru_cache(maxsize=2)
def sweep(hparams: Hparams, settings: Settings) -> dict[str, Float[np.ndarray, "s r"]]:
    """Of each seed and rate: training loss over the untrained network's, and validation accuracy.

    Both are of the network in evaluation mode; where a run diverged they are infinite and 0.
    """
    dataset = data(settings)

    def trained(key: jax.Array, rate: jax.Array, dataset: Dataset) -> Metrics:
        one = learner(hparams._replace(learning_rate=rate), settings)
        start, end = (
            train.run(key, one, dataset.train, num_steps=num_steps, batch_size=settings.batch_size)
            for num_steps in (0, settings.num_steps)
        )
        first, last = (_loss(one, run.state, dataset.train) for run in (start, end))
        share = accuracy(one.predict(end.state, dataset.valid.inputs), dataset.valid.targets)
        is_ok = end.status.code == status.OK
        return {
            "loss": jnp.where(is_ok, last / first, jnp.inf),
            "valid_accuracy": jnp.where(is_ok, share, 0.0),
        }

    grid = jax.vmap(jax.vmap(trained, (None, 0, None)), (0, None, None))
    keys = jax.random.split(jax.random.key(0), settings.num_seeds)
    return jax.device_get(jax.jit(grid)(keys, rates(hparams, settings), dataset))


def _loss(learner: Learner, state: State, rows: Batch) -> Float[Array, ""]:
    return losses.softmax_cross_entropy(train.predict(learner, state, rows.inputs), rows.targets)


def checks(results: list[Result], dataset: Dataset) -> dict[str, float]:
    """Largest relative differences from flax's layer and its gradient; what rates are stable."""
    ours = _numbers(BatchNorm(0.9), lambda train: {"train": train})
    flax = _numbers(
        nn.BatchNorm(momentum=0.9, epsilon=EPSILON), lambda train: {"use_running_average": not train}
    )
    errors = {
        f"error_of_{name}": max(jax.tree.leaves(jax.tree.map(_difference, ours[name], flax[name])))
        for name in ours
    }
    return errors | {"largest_error": max(errors.values())} | stable_rates(*results)


def stable_rates(with_it: Result, without: Result) -> dict[str, float]:
    """Medians over the seeds: ratios of the largest stable rates, these, and over the lowest stable ones."""
    found = {}
    for name, is_stable in STABLE.items():
        (_, high), (_, other) = (_ends(row, is_stable) for row in (with_it, without))
        found[name] = high / other
    for row in (with_it, without):
        low, high = _ends(row, STABLE["ratio_of_stable_rates"])
        found[f"largest_stable_rate_{row.name}"] = high
        found[f"range_of_stable_rates_{row.name}"] = high / low
    medians = {name: float(np.median(values)) for name, values in found.items()}
    wide, narrow = (medians[f"range_of_stable_rates_{row.name}"] for row in (with_it, without))
    return medians | {"ratio_of_ranges": wide / narrow}


def _ends(result: Result, is_stable: Callable) -> tuple[Float[np.ndarray, " s"], Float[np.ndarray, " s"]]:
    """Lowest and largest stable rate of each seed; NaN where there is none."""
    stable = is_stable(sweep(result.hparams, result.settings))
    grid = rates(result.hparams, result.settings)
    low, high = stable.argmax(axis=1), len(grid) - 1 - stable[:, ::-1].argmax(axis=1)
    return tuple(np.where(stable.any(axis=1), grid[place], np.nan) for place in (low, high))


def _numbers(layer: nn.Module, mode: Callable[[bool], dict[str, bool]]) -> dict[str, PyTree]:
    """What a batch norm layer makes of the same random rows, parameters and averages."""
    x, slope = 3 * jax.random.normal(jax.random.key(0), (2, 60, 20)) + 1
    params = {"scale": jnp.linspace(0.5, 2, 20), "bias": jnp.linspace(-1, 1, 20)}
    averages = {"mean": jnp.linspace(-1, 2, 20), "var": jnp.linspace(1, 3, 20)}

    def apply(params: Params, x: Array, train: bool) -> tuple[Array, PyTree]:
        variables = {"params": params, "batch_stats": averages}
        return layer.apply(variables, x, **mode(train), mutable=["batch_stats"])

    def product(params: Params, x: Array) -> tuple[Array, dict]:
        y, moved = apply(params, x, True)
        return jnp.sum(slope * y), {"outputs": y, "averages": moved, "evaluation": apply(params, x, False)[0]}

    gradient, others = jax.jit(jax.grad(product, argnums=(0, 1), has_aux=True))(params, x)
    return others | {"gradient": gradient}


def _difference(found: Array, expected: Array) -> float:
    return float(jnp.abs(found - expected).max() / jnp.abs(expected).max())


def figures(results: list[Result], dataset: Dataset) -> dict[str, Figure]:
    """What is left of the loss, against the rate."""
    left = {row.name: np.minimum(sweep(row.hparams, row.settings)["loss"], MOST) for row in results}
    grid = {row.name: rates(row.hparams, row.settings) for row in results}
    title = f"{dataset.name}: after {results[0].settings.num_steps} steps ({MOST:g}: more, or diverged)"
    labels = {"x_label": "learning rate", "y_label": "training loss, in parts of the untrained"}
    return {"rates": plot.curves(grid, left, **labels, title=title, log_x=True, log_y=True, goal=HALF)}
