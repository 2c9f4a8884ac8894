"""Two sigmoid layers, one digit at a time: how the weights begin, and what biases are worth.

Source: a network from scratch in NumPy, 784-128-64-10, updated after every example; the scales are those of
Glorot & Bengio 2010 and He, Zhang, Ren & Sun 2015.
Command: python -m experiments deep_sigmoid_digits --dataset mnist
Expected: test accuracy on mnist, mean ± std over 5 seeds on 2 CPU cores, 2026-11-22: xavier 0.9803 ± 0.0007,
he 0.9800 ± 0.0014; with 1 seed, both 0.980 without biases, too, small 0.974, without biases 0.975; half a
minute a fit. On mnist5k, 5 epochs of 4,000 rows, with 1 seed: xavier 0.928, he 0.930, small 0.408, without
biases 0.100.

Xavier gives the weights into a layer the variance 2 / (fan in + fan out), He 2 / fan in. ``small`` has a
hundredth of Xavier's deviation: all units of a layer say nearly the same, and until they part, within
some 20,000 updates, nothing but the frequencies of the classes is learned; without biases not even those.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple

import flax.linen as nn
import numpy as np
import optax
import tyro

from experiments._contract import Goal
from experiments._data import load
from jaxnets import losses, models, plot, schedules
from jaxnets.check import POSITIVE, Interval, choice
from jaxnets.data import Dataset
from jaxnets.learner import Learner, gradient
from jaxnets.metrics import classification

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from experiments._run import Result


class Hparams(NamedTuple):
    """Traced scalars."""

    learning_rate: Annotated[float, POSITIVE] = 0.1
    """Of plain gradient descent, at the start; it falls to 0 in a line."""


class Settings(NamedTuple):
    """Static choices."""

    initialisation: tyro.conf.Fixed[str] = "xavier"
    """Of the weights: xavier, he or small; biases begin at 0."""
    use_bias: tyro.conf.Fixed[bool] = True
    """Whether the layers have biases."""
    dataset: str = "mnist5k"
    """A name or a file of images, see jaxnets.data."""
    num_epochs: Annotated[int, Interval(1)] = 5
    """Passes over the training rows."""
    num_steps: Annotated[int | None, Interval(0, 2**31 - 1)] = None
    """Updates, one an example; by default those of the epochs."""
    batch_size: tyro.conf.Fixed[int] = 1
    """Rows an update."""
    widths: tuple[Annotated[int, Interval(1, 2**20)], ...] = (128, 64)
    """Hidden units."""
    num_classes: tyro.conf.Fixed[int | None] = None
    """As many as the data set has, if None."""


GOALS = tuple(
    Goal("test_accuracy", at_least=0.97, row=row, settings={"dataset": "mnist"}) for row in ("xavier", "he")
)
FINDINGS = dict.fromkeys(("small", "small_without_bias"), ("vanishing-gradient",))

INITIALISATIONS = {
    "xavier": nn.initializers.glorot_normal(),
    "he": nn.initializers.he_normal(),
    "small": nn.initializers.variance_scaling(1e-4, "fan_avg", "normal"),
}
"""``(key, shape, dtype) -> W``."""

metrics = classification


def data(settings: Settings) -> Dataset:
    """Images as they are, in [0, 1]."""
    return load(settings.dataset)


def learner(hparams: Hparams, settings: Settings) -> Learner:
    """784-128-64-10: sigmoid units, softmax."""
    choice("initialisation", settings.initialisation, INITIALISATIONS)
    network = models.MLP(
        settings.widths, settings.num_classes, nn.sigmoid, INITIALISATIONS[settings.initialisation],
        use_bias=settings.use_bias,
    )  # fmt: skip
    rate = schedules.polynomial_decay(hparams.learning_rate, num_steps=max(1, settings.num_steps))
    return gradient(network, losses.softmax_cross_entropy, optax.sgd(rate))


def variants() -> dict[str, tuple[Hparams, Settings]]:
    """Each initialisation with biases and without."""
    return {
        name if use_bias else f"{name}_without_bias": (Hparams(), Settings(name, use_bias))
        for name in INITIALISATIONS
        for use_bias in (True, False)
    }


def figures(results: list[Result], dataset: Dataset) -> dict[str, Figure]:
    """The loss of the digits as they come, before each is learned from, and the accuracy in the end."""
    loss = {result.name: result.histories("loss") for result in results}
    steps = {result.name: result.steps for result in results}
    accuracies = [result.metrics["test_accuracy"] for result in results]
    return {
        "loss": plot.curves(
            {name: step / results[0].num_rows for name, step in steps.items()},
            loss, x_label="epochs", y_label="loss", log_y=True, title=dataset.name,
        ),
        "accuracies": plot.bars(
            [result.name.replace("_", " ") for result in results],
            np.array([values.mean() for values in accuracies]),
            np.array([values.std() for values in accuracies]),
            label="test accuracy", title=dataset.name,
        ),
    }  # fmt: skip
