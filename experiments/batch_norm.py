"""Batch normalisation with its backward pass by hand: many times larger rates train the same network.

Source: Ioffe and Szegedy, Batch normalization, 2015: averages that move from mean 0 and variance 1, the
batch's own moments in training, the averages in evaluation.
Command: python -m experiments batch_norm
Expected: the largest stable rate is 4.0 with and 0.40 without (median over 5 seeds, steps of a factor 1.58
between rates), ten times larger; errors of the layer against flax below 3e-7; at rate 0.1 test accuracy on
mnist5k 0.933 ± 0.007 with and 0.913 ± 0.004 without, 5 seeds, 2 CPU cores, 2026-11-22, one minute.

All rates and seeds of a form are one compiled program: `vmap` over whole runs. A rate counts as stable for
a seed if the network trained with it reads `LEVEL` of the test rows.
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
from jaxnets import backprop, losses, plot, status, train
from jaxnets.check import FRACTION, POSITIVE, Interval
from jaxnets.data import Dataset, load
from jaxnets.layers import flatten
from jaxnets.learner import Learner, gradient
from jaxnets.metrics import accuracy
from jaxnets.types import Array, Float, Int, Metrics, Params, PyTree, Scalar

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from experiments._run import Result

LEVEL = 0.9
"""Share of the test rows that a stable run reads."""
EPSILON = 1e-5
normalise = backprop.differentiable(partial(backprop.batch_norm, epsilon=EPSILON))
"""``(x, scale, bias) -> y``, with the gradient derived by hand."""


class Hparams(NamedTuple):
    """Traced scalars."""

    learning_rate: Annotated[float, POSITIVE] = 0.1
    """Of gradient descent, in the table; the sweep has its own."""
    momentum: Annotated[float, FRACTION] = 0.9
    """How much of the moving averages stays at each step."""
    lowest_rate: Annotated[float, POSITIVE] = 0.1
    """The sweep begins here."""
    highest_rate: Annotated[float, POSITIVE] = 10.0
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
    num_rates: Annotated[int, Interval(2)] = 11
    """Of the sweep, on a logarithmic scale."""
    num_seeds: Annotated[int, Interval(1)] = 5
    """Of the sweep."""
    num_classes: tyro.conf.Fixed[int | None] = None
    """As many as the data set has, if None."""


GOALS = (
    Goal("largest_error", at_most=1e-5, seeds=1),
    Goal("ratio_of_stable_rates", at_least=5, seeds=1),
)
SMALL = {"widths": (4,), "num_rates": 2, "num_seeds": 1}


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


@functools.lru_cache(maxsize=1)
def _load(name: str) -> Dataset:
    return load(name)


def data(settings: Settings) -> Dataset:
    """Images in [0, 1]."""
    return _load(settings.dataset)


def learner(hparams: Hparams, settings: Settings) -> Learner:
    """Plain gradient descent."""
    network = Network(settings.widths, settings.num_classes, settings.is_normalised, hparams.momentum)
    return gradient(network, losses.softmax_cross_entropy, optax.sgd(hparams.learning_rate))


def metrics(logits: Float[Array, "n k"], labels: Int[Array, " n"]) -> Metrics:
    """Share of rows whose largest score is their label's."""
    return {"accuracy": accuracy(logits, labels)}


def variants() -> dict[str, tuple[Hparams, Settings]]:
    """With and without."""
    return {
        "with_batch_norm": (Hparams(), Settings()),
        "without": (Hparams(), Settings(is_normalised=False)),
    }


def rates(hparams: Hparams, settings: Settings) -> Float[np.ndarray, " r"]:
    """From the lowest to the highest, in equal ratios."""
    return np.geomspace(hparams.lowest_rate, hparams.highest_rate, settings.num_rates)


@functools.lru_cache(maxsize=2)
def sweep(hparams: Hparams, settings: Settings) -> Float[np.ndarray, "s r"]:
    """Test accuracy of each seed and rate; 0 where a run diverged."""
    dataset = data(settings)

    def reached(key: jax.Array, rate: jax.Array, dataset: Dataset) -> jax.Array:
        one = learner(hparams._replace(learning_rate=rate), settings)
        run = train.run(key, one, dataset, num_steps=settings.num_steps, batch_size=settings.batch_size)
        share = accuracy(one.predict(run.state, dataset.test.inputs), dataset.test.targets)
        return jnp.where(run.status.code == status.OK, share, 0.0)

    grid = jax.vmap(jax.vmap(reached, (None, 0, None)), (0, None, None))
    keys = jax.random.split(jax.random.key(0), settings.num_seeds)
    return np.asarray(jax.jit(grid)(keys, rates(hparams, settings), dataset))


def checks(results: list[Result], dataset: Dataset) -> dict[str, float]:
    """Largest relative differences from flax's layer and its gradient; largest stable rates of both rows."""
    ours = _numbers(BatchNorm(0.9), lambda train: {"train": train})
    flax = _numbers(
        nn.BatchNorm(momentum=0.9, epsilon=EPSILON), lambda train: {"use_running_average": not train}
    )
    errors = {
        f"error_of_{name}": max(jax.tree.leaves(jax.tree.map(_difference, ours[name], flax[name])))
        for name in ours
    }
    with_it, without = (_largest_stable_rate(result) for result in results)
    return errors | {
        "largest_error": max(errors.values()),
        "largest_stable_rate_with": float(np.median(with_it)),
        "largest_stable_rate_without": float(np.median(without)),
        "ratio_of_stable_rates": float(np.median(with_it / without)),
    }


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


def _largest_stable_rate(result: Result) -> Float[np.ndarray, " s"]:
    """Of each seed; the lowest rate where none is stable."""
    stable = sweep(result.hparams, result.settings) >= LEVEL
    grid = rates(result.hparams, result.settings)
    return np.array([grid[np.flatnonzero(row).max(initial=0)] for row in stable])


def figures(results: list[Result], dataset: Dataset) -> dict[str, Figure]:
    """Accuracy against the rate."""
    reached = {result.name: sweep(result.hparams, result.settings) for result in results}
    grid = {result.name: rates(result.hparams, result.settings) for result in results}
    title = f"{dataset.name}: after {results[0].settings.num_steps} steps"
    labels = {"x_label": "learning rate", "y_label": "test accuracy (0 where the run diverged)"}
    return {"rates": plot.curves(grid, reached, **labels, title=title, log_x=True, goal=LEVEL)}
