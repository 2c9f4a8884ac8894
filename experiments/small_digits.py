"""How long to train: one hidden layer of 20 units after 1 to 30 epochs.

Source: the courses' smallest network for the digits, 784-20-10, trained for 1 to 30 epochs.
Command: python -m experiments small_digits --dataset mnist
Expected: test accuracy on mnist (50,000 rows to train) on 2 CPU cores, 2026-11-22: 0.9497 ± 0.0017 after 30
epochs over 5 seeds; with 2 seeds 0.914 after 1 epoch, 0.934 after 3, 0.948 after 10, and after 30 0.980 on
the training rows; a second an epoch.

The rate is constant and the seeds are the same, so each row is the beginning of the next, continued. A sixth
of the training rows is kept out and looked at on the way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple

import flax.linen as nn
import numpy as np
import optax
import tyro

from experiments._contract import Goal
from experiments._data import load
from jaxnets import losses, models, plot, train
from jaxnets.check import POSITIVE, Interval
from jaxnets.data import Dataset
from jaxnets.learner import Learner, gradient
from jaxnets.metrics import accuracy, classification, confusion_matrix
from jaxnets.sweep.trial import steps_per_epoch
from jaxnets.types import Metrics, State

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from experiments._run import Result


class Hparams(NamedTuple):
    """The one number to choose."""

    learning_rate: Annotated[float, POSITIVE] = 2e-3
    """Adam's, the same throughout."""


class Settings(NamedTuple):
    """How long, on what, and how small a network."""

    dataset: str = "mnist5k"
    """Any set of small images."""
    num_epochs: tyro.conf.Fixed[int] = 30
    """How often each training row is seen; ``--rows`` chooses."""
    num_steps: tyro.conf.Fixed[int | None] = None
    """Those of the epochs."""
    batch_size: Annotated[int, Interval(1)] = 50
    """Rows an update."""
    num_hidden: Annotated[int, Interval(1)] = 20
    """Hidden units."""
    num_classes: tyro.conf.Fixed[int | None] = None
    """As many as the data set has, if None."""


GOALS = (Goal("test_accuracy", at_least=0.93, row="30_epochs", settings={"dataset": "mnist"}),)

metrics = classification


def data(settings: Settings) -> Dataset:
    """Images in [0, 1]; a sixth of the rows that are not for testing are for validation."""
    return load(settings.dataset, valid_fraction=1 / 6)


def learner(hparams: Hparams, settings: Settings) -> Learner:
    """784-20-10: sigmoid units, softmax."""
    network = models.MLP((settings.num_hidden,), settings.num_classes, activation=nn.sigmoid)
    return gradient(network, losses.softmax_cross_entropy, optax.adam(hparams.learning_rate))


def evaluate(learner: Learner, state: State, dataset: Dataset) -> Metrics:
    """Accuracy on the rows that were learned from, and on those never seen."""
    found = {name: train.predict(learner, state, rows.inputs) for name, rows in dataset.splits.items()}
    return {f"{name}_accuracy": accuracy(found[name], rows.targets) for name, rows in dataset.splits.items()}


def variants() -> dict[str, tuple[Hparams, Settings]]:
    """Longer and longer."""
    lengths = {1: "1_epoch", 3: "3_epochs", 10: "10_epochs", 30: "30_epochs"}
    return {name: (Hparams(), Settings(num_epochs=epochs)) for epochs, name in lengths.items()}


def figures(results: list[Result], dataset: Dataset) -> dict[str, Figure]:
    """Accuracy over the epochs, and what is taken for what in the end."""
    longest = max(results, key=lambda result: result.settings.num_epochs)
    epoch = steps_per_epoch(dataset, longest.settings.batch_size)
    seeds = min(len(result.runs) for result in results)
    ends = {
        f"{name} rows": np.stack([result.metrics[f"{name}_accuracy"][:seeds] for result in results], axis=1)
        for name in ("train", "test")
    }
    way = {"validation rows, on the way": longest.histories("valid_accuracy")}
    lengths = np.array([result.settings.num_epochs for result in results])
    x = dict.fromkeys(way, longest.steps / epoch) | dict.fromkeys(ends, lengths)
    scores = train.predict(longest.learner, longest.runs[0].state, dataset.test.inputs)
    return {
        "epochs": plot.curves(
            x, way | ends, x_label="epochs", y_label="accuracy", log_x=True,
            title=f"{dataset.name}: {longest.settings.num_hidden} hidden units",
        ),
        "confusion": plot.confusion_matrix(
            confusion_matrix(scores, dataset.test.targets), dataset.class_labels, title="test rows",
        ),
    }  # fmt: skip
