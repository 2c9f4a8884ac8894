"""Exclusive or: what no line separates, two hidden units do, if they start small.

Source: the question why a 2-2-1 network does not learn XOR, with 2 and with 3 inputs, 4,123 noisy rows, a
rate and a momentum; Minsky & Papert 1969; Rumelhart, Hinton & Williams 1986.
Command: python -m experiments xor --seeds 20
Expected: share of seeds with every row right, in 4,000 steps, mean ± std over 20 seeds on 2 CPU cores,
2026-11-22: tanh_2_2_1 1.000 ± 0.000 (also of 40 seeds), tanh_3_4_1, large_rate and sigmoid_2_2_1 1.000 ±
0.000, large_start 0.550 ± 0.497, no_momentum 0.300 ± 0.458, small_batches 0.050 ± 0.218, perceptron 0.000 ±
0.000, with a test accuracy of 0.558 ± 0.124; 4 seconds a fit.

The inputs are -1 and 1 with normal noise of 0.1; the third input, where there is one, is uniform noise and
says nothing. From weights near 0 both hidden units first turn to the same diagonal, which is a plateau of the
loss, and then part to either side of it. From larger weights many settle on two lines that cut off one corner
only: three of four corners are right, and the loss is flat there too. Without momentum, or with the noise of
small batches, the first plateau takes longer than there is time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro

from experiments._contract import Goal
from jaxnets import losses, models, plot, train
from jaxnets.check import FRACTION, NON_NEGATIVE, POSITIVE, Interval
from jaxnets.data import Dataset, synthetic
from jaxnets.learner import Learner, gradient
from jaxnets.metrics import accuracy
from jaxnets.types import Batch, Key, Metrics, State

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from experiments._run import Result


class Hparams(NamedTuple):
    """Traced scalars."""

    learning_rate: Annotated[float, POSITIVE] = 0.2
    """Constant; the row ``large_rate`` takes 15 times as much."""
    momentum: Annotated[float, FRACTION] = 0.9
    """Share of the last update that is made again; 0 in the row ``no_momentum``, whatever is given."""
    spread: Annotated[float, NON_NEGATIVE] = 0.01
    """Standard deviation of the weights at the start; the row ``large_start`` takes 100 times as much."""


class Settings(NamedTuple):
    """Static choices."""

    activation: tyro.conf.Fixed[Literal["none", "tanh", "sigmoid"]] = "tanh"
    """Of the hidden units; none: a perceptron. ``--rows`` chooses."""
    change: tyro.conf.Fixed[Literal["none", "no_momentum", "large_rate", "large_start"]] = "none"
    """Of the hyperparameters, one of CHANGES; ``--rows`` chooses."""
    num_inputs: tyro.conf.Fixed[int] = 2
    """The third one is noise; ``--rows`` chooses."""
    num_hidden: tyro.conf.Fixed[int] = 2
    """Hidden units; ``--rows`` chooses."""
    num_examples: Annotated[int, Interval(1)] = 4123
    """Rows to train on, and as many others to test on."""
    num_steps: Annotated[int, Interval(0, 2**31 - 1)] = 4000
    """Updates."""
    batch_size: tyro.conf.Fixed[int | None] = None
    """Rows an update, all if None; ``--rows`` chooses."""
    evaluate_every: Annotated[int, Interval(1)] = 50
    """Updates between the points of the picture."""


ACTIVATIONS = {"tanh": jnp.tanh, "sigmoid": nn.sigmoid}
CHANGES: dict[str, Callable[[Hparams], Hparams]] = {
    "none": lambda h: h,
    "no_momentum": lambda h: h._replace(momentum=0.0),
    "large_rate": lambda h: h._replace(learning_rate=15 * h.learning_rate),
    "large_start": lambda h: h._replace(spread=100 * h.spread),
}
"""Made to the options given, so that a row keeps what its name promises."""
SMALL = {"num_examples": 64, "evaluate_every": 1}
GOALS = (
    Goal("solved", at_least=1.0, row="tanh_2_2_1", seeds=20),
    Goal("solved", at_least=1.0, row="tanh_3_4_1", seeds=20),
    Goal("test_accuracy", at_most=0.8, row="perceptron"),
)


def data(settings: Settings) -> Dataset:
    """Two draws of the same rows."""
    train_key, test_key = jax.random.split(jax.random.key(0))
    return Dataset(_rows(train_key, settings), test=_rows(test_key, settings), name="xor", num_classes=2)


def _rows(key: Key, settings: Settings) -> Batch:
    key, noise_key = jax.random.split(key)
    inputs, labels = synthetic.xor(key, num_examples=settings.num_examples, noise=0.05)
    noise = jax.random.uniform(noise_key, (len(labels), settings.num_inputs - 2), minval=-1.0)
    return jax.tree.map(np.asarray, Batch(jnp.concatenate([2 * inputs - 1, noise], axis=1), labels))


def learner(hparams: Hparams, settings: Settings) -> Learner:
    """One hidden layer and one output, positive for class 1."""
    if settings.activation == "none":
        return models.perceptron(num_classes=2)
    hparams = CHANGES[settings.change](hparams)
    network = models.MLP(
        (settings.num_hidden,),
        num_outputs=1,
        activation=ACTIVATIONS[settings.activation],
        kernel_init=nn.initializers.normal(hparams.spread),
    )
    descent = optax.sgd(hparams.learning_rate, hparams.momentum)
    one_output = gradient(network, lambda z, y: losses.sigmoid_cross_entropy(z[:, 0], y), descent)
    return one_output._replace(
        predict=lambda state, x: one_output.predict(state, x) * jnp.array([[-1.0, 1.0]])
    )


def evaluate(learner: Learner, state: State, dataset: Dataset) -> Metrics:
    """Accuracy on fresh rows, and whether all of them and all of the training rows are right."""
    found = {
        name: accuracy(train.predict(learner, state, rows.inputs), rows.targets)
        for name, rows in dataset.splits.items()
    }
    return {"test_accuracy": found["test"], "solved": float(min(found.values()) == 1)}


def variants() -> dict[str, tuple[Hparams, Settings]]:
    """What fails, what succeeds, and what is made of it by the rate, the momentum and the start."""
    return {
        "perceptron": (Hparams(), Settings("none", batch_size=32)),
        "tanh_2_2_1": (Hparams(), Settings()),
        "tanh_3_4_1": (Hparams(), Settings(num_inputs=3, num_hidden=4)),
        "no_momentum": (Hparams(), Settings(change="no_momentum")),
        "large_rate": (Hparams(), Settings(change="large_rate")),
        "small_batches": (Hparams(), Settings(batch_size=32)),
        "large_start": (Hparams(), Settings(change="large_start")),
        "sigmoid_2_2_1": (Hparams(spread=0.1), Settings("sigmoid")),
    }


def figures(results: list[Result], dataset: Dataset) -> dict[str, Figure]:
    """The loss of the slowest seed of each network, with its plateaus, and the plane as the worst sees it."""
    networks = [result for result in results if result.settings.activation != "none"]
    pictures = {
        f"regions_{result.name}": _regions(result) for result in results if result.settings.num_inputs == 2
    }
    if networks:
        series = {result.name: result.histories("loss")[_slowest(result)] for result in networks}
        steps = max((result.steps for result in networks), key=len)
        pictures["plateaus"] = plot.curves(
            steps, series, x_label="step", y_label="cross-entropy", title="the slowest seed of each network"
        )
    return pictures


def _worst(result: Result) -> int:
    return int(np.argmin(result.metrics["test_accuracy"]))


def _slowest(result: Result) -> int:
    """The seed whose loss is above 0.1 for longest."""
    return int(np.argmax([np.flatnonzero(loss > 0.1).max(initial=-1) for loss in result.histories("loss")]))


def _regions(result: Result) -> Figure:
    worst = _worst(result)
    rows, title = (
        data(result.settings).test,
        f"{result.name}: {result.metrics['test_accuracy'][worst]:.1%} right",
    )
    state = result.runs[worst].state
    return plot.decision_regions(lambda x: result.learner.predict(state, x), *rows, title=title)
