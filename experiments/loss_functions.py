"""Cross-entropy against squared error, on the same network of 256-256 units.

Source: the courses' comparison of losses for the digits; Hui & Belkin 2021, Evaluation of neural
architectures trained with square loss vs cross-entropy in classification tasks.
Command: python -m experiments loss_functions --dataset mnist
Expected: test accuracy on mnist (54,000 rows to train), mean ± std over 5 seeds on 2 CPU cores, 2026-11-22:
cross_entropy 0.9812 ± 0.0006, squared_error 0.9826 ± 0.0008; brier 0.980 with 1 seed; 15 seconds a fit.

Squared error is taken of the outputs as they are (``squared_error``), and of their softmax (``brier``, after
Brier 1950), where a confident mistake has hardly a gradient.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple

import jax
import optax
import tyro

from experiments._contract import Goal
from experiments._data import load
from jaxnets import losses, models, plot, schedules
from jaxnets.check import POSITIVE, Interval, choice
from jaxnets.data import Dataset
from jaxnets.learner import Learner, gradient
from jaxnets.metrics import classification
from jaxnets.types import Array, Float, Int, Scalar

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from experiments._run import Result


class Hparams(NamedTuple):
    """The rate, the same for all losses."""

    learning_rate: Annotated[float, POSITIVE] = 1e-3
    """Adam's, at the start; it falls to 0 along a cosine."""


class Settings(NamedTuple):
    """The loss, and what does not differ between the rows."""

    loss: tyro.conf.Fixed[str] = "cross_entropy"
    """cross_entropy, squared_error or brier."""
    dataset: str = "mnist5k"
    """A name or a file of images, see jaxnets.data."""
    num_steps: Annotated[int, Interval(1, 2**31 - 1)] = 3240
    """Updates; of batches of 100, these are six passes over the training rows of mnist."""
    batch_size: Annotated[int, Interval(1)] = 100
    """Images an update."""
    widths: tuple[Annotated[int, Interval(1, 2**20)], ...] = (256, 256)
    """Units of the hidden layers."""
    num_classes: tyro.conf.Fixed[int | None] = None
    """As many as the data set has, if None."""


def squared_error(outputs: Float[Array, "n k"], labels: Int[Array, " n"]) -> Scalar:
    """Mean over rows and classes of ``(o - onehot(label))^2``."""
    return losses.squared_error(outputs, jax.nn.one_hot(labels, outputs.shape[1]))


LOSSES = {
    "cross_entropy": losses.softmax_cross_entropy,
    "squared_error": squared_error,
    "brier": lambda logits, labels: squared_error(jax.nn.softmax(logits), labels),
}
"""``(outputs, labels) -> loss``."""

GOALS = tuple(
    Goal("test_accuracy", at_least=0.97, row=row, settings={"dataset": "mnist"})
    for row in ("cross_entropy", "squared_error")
)
SMALL = {"widths": (8, 8)}

metrics = classification


def data(settings: Settings) -> Dataset:
    """Images in [0, 1]; a tenth of the rows that are not for testing are for validation."""
    return load(settings.dataset, valid_fraction=0.1)


def learner(hparams: Hparams, settings: Settings) -> Learner:
    """784-256-256-10 with ReLU units; nothing but the loss differs."""
    choice("loss", settings.loss, LOSSES)
    rate = schedules.cosine_decay(hparams.learning_rate, num_steps=settings.num_steps)
    network = models.MLP(widths=settings.widths, num_outputs=settings.num_classes)
    return gradient(network, LOSSES[settings.loss], optax.adam(rate))


def variants() -> dict[str, tuple[Hparams, Settings]]:
    """A row for each loss."""
    return {loss: (Hparams(), Settings(loss)) for loss in LOSSES}


def figures(results: list[Result], dataset: Dataset) -> dict[str, Figure]:
    """Validation accuracy over the steps, each loss with a band over the seeds."""
    steps = {result.name: result.steps for result in results}
    accuracies = {result.name: result.histories("valid_accuracy") for result in results}
    look = {"x_label": "step", "y_label": "validation accuracy", "title": dataset.name}
    return {"accuracy": plot.curves(steps, accuracies, **look)}
