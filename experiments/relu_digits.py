"""Two ReLU layers and a softmax over each row, beside the same softmax over the wrong axis.

Source: a network in NumPy, 784-300-75-10, whose softmax ran over the batch instead of row by row.
Command: python -m experiments relu_digits --dataset mnist
Expected: test accuracy on mnist (54,000 rows to train), mean ± std on 2 CPU cores, 2026-11-22: row_by_row
0.9829 ± 0.0012 over 5 seeds; over_the_batch 0.984 ± 0.001 over 3 seeds for all test rows in one batch, but
0.098 ± 0.000 for each row by itself; half a minute a fit.

Over the batch (axis 0) the "probabilities" of a class sum to 1 over the rows: the digits compete for each
class, not the classes for a digit. In large mixed batches that trains, and even tests, as well as the right
one, so the accuracy hides the fault. A digit alone has probability 1 of every class.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro

from experiments._contract import Goal
from experiments._data import load
from jaxnets import models, plot, schedules
from jaxnets.check import POSITIVE, Interval
from jaxnets.data import Dataset
from jaxnets.learner import Learner, gradient
from jaxnets.metrics import accuracy, classification
from jaxnets.types import Array, Float, Int, Metrics, State

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from experiments._run import Result


class Hparams(NamedTuple):
    """The rate, the same for both rows."""

    learning_rate: Annotated[float, POSITIVE] = 2e-3
    """Adam's peak, after a warm-up of a tenth of the steps."""


class Settings(NamedTuple):
    """Static choices."""

    axis: tyro.conf.Fixed[int] = 1
    """Over which the softmax is taken: 1, the classes of a row; 0, the rows of a batch."""
    dataset: str = "mnist5k"
    """A name or a file of images, see jaxnets.data."""
    num_epochs: Annotated[int, Interval(1)] = 8
    """Passes over the training rows."""
    num_steps: Annotated[int | None, Interval(0, 2**31 - 1)] = None
    """Updates; by default those of the epochs."""
    batch_size: Annotated[int, Interval(1)] = 100
    """Rows an update."""
    widths: tuple[Annotated[int, Interval(1, 2**20)], ...] = (300, 75)
    """Units of the ReLU layers."""
    num_classes: tyro.conf.Fixed[int | None] = None
    """As many as the data set has, if None."""


GOALS = (Goal("test_accuracy", at_least=0.975, row="row_by_row", settings={"dataset": "mnist"}),)
FINDINGS = {"over_the_batch": ("batch-dependence",)}
SMALL = {"widths": (8, 6)}

metrics = classification


def data(settings: Settings) -> Dataset:
    """Images in [0, 1]; a tenth of the rows that are not for testing are for validation."""
    return load(settings.dataset, valid_fraction=0.1)


def learner(hparams: Hparams, settings: Settings) -> Learner:
    """784-300-75-10: ReLU units, softmax over an axis; it predicts probabilities."""
    num_steps = max(1, settings.num_steps)
    rate = schedules.warmup_cosine(hparams.learning_rate, num_warmup=num_steps // 10, num_steps=num_steps)

    def surprise(logits: Float[Array, "n k"], labels: Int[Array, " n"]) -> Float[Array, ""]:
        log_probabilities = jax.nn.log_softmax(logits, axis=settings.axis)
        return -jnp.mean(jnp.take_along_axis(log_probabilities, labels[:, None], axis=1))

    network = gradient(models.MLP(settings.widths, settings.num_classes), surprise, optax.adam(rate))
    return network._replace(
        predict=lambda state, inputs: jax.nn.softmax(network.predict(state, inputs), axis=settings.axis)
    )


def evaluate(learner: Learner, state: State, dataset: Dataset) -> Metrics:
    """Test accuracy of all rows in one batch, and of each row by itself, as a user asks."""
    inputs, labels = dataset.test
    alone = jax.lax.map(lambda row: learner.predict(state, row[None])[0], jnp.asarray(inputs))
    return {
        "test_accuracy": accuracy(learner.predict(state, inputs), labels),
        "test_accuracy_alone": accuracy(alone, labels),
    }


def variants() -> dict[str, tuple[Hparams, Settings]]:
    """The right axis, and the wrong one."""
    return {"row_by_row": (Hparams(), Settings()), "over_the_batch": (Hparams(), Settings(axis=0))}


def figures(results: list[Result], dataset: Dataset) -> dict[str, Figure]:
    """What each network makes of a batch of one digit only: probabilities of the classes."""
    inputs, labels = dataset.test
    digit = labels[0]
    batch = inputs[labels == digit][:10]
    return {
        result.name: plot.heatmap(
            np.round(result.learner.predict(result.runs[0].state, batch), 3),
            x=range(dataset.num_classes), y=range(len(batch)), x_label="class", y_label="row",
            label="probability", title=f"{result.name.replace('_', ' ')}: a batch of the digit {digit}",
        )
        for result in results
    }  # fmt: skip
