"""Two layers whose gradient is written by hand: affine, ReLU, affine, softmax, with an L2 penalty.

Source: Stanford's CS231n, assignment 1, the two-layer network: batches drawn with replacement, the rate
decayed after each epoch, loss and both accuracies watched.
Command: python -m experiments two_layer_net --dataset mnist
Expected: test accuracy on mnist (54,000 rows to train) 0.979 ± 0.001 over 5 seeds on 2 CPU cores, 2026-11-22,
23 seconds a fit on a busy machine; on mnist5k 0.931 ± 0.003. The largest error of a leaf is 2.1e-17.

The gradient is compared with autodiff's, leaf by leaf, in double precision. Images of any size and colour
will do (`--dataset cifar10`, which was not run for these figures: its file was not at hand): the network
sees them as rows of numbers.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro

from experiments._contract import Goal
from experiments._data import load
from jaxnets import losses, models, plot, schedules
from jaxnets.backprop import affine, relu, softmax_cross_entropy
from jaxnets.check import NON_NEGATIVE, POSITIVE, Interval
from jaxnets.data import Dataset
from jaxnets.layers import flatten
from jaxnets.learner import Learner
from jaxnets.metrics import classification
from jaxnets.sweep.trial import steps_per_epoch
from jaxnets.types import Array, Batch, Float, Int, Key, Metrics, Scalar, State

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from experiments._run import Result


class Hparams(NamedTuple):
    """Traced scalars."""

    learning_rate: Annotated[float, POSITIVE] = 0.5
    """In the first epoch."""
    decay: Annotated[float, POSITIVE] = 0.95
    """Of the rate, after each epoch."""
    l2: Annotated[float, NON_NEGATIVE] = 1e-4
    """Penalty 0.5 l2 |w|^2 of both matrices."""
    spread: Annotated[float, POSITIVE] = 0.01
    """Standard deviation of the first weights."""


class Settings(NamedTuple):
    """Static choices."""

    dataset: str = "mnist5k"
    """A name or a file of images or numbers, see jaxnets.data."""
    num_hidden: Annotated[int, Interval(1)] = 100
    """Hidden units."""
    num_epochs: Annotated[int, Interval(1)] = 20
    """As many steps as so many passes have batches."""
    num_steps: Annotated[int | None, Interval(0, 2**31 - 1)] = None
    """Updates; by default those of the epochs."""
    batch_size: Annotated[int, Interval(1)] = 100
    """Rows an update, drawn with replacement."""
    sampling: tyro.conf.Fixed[Literal["epoch", "replacement", "sequential"]] = "replacement"
    """How the rows are drawn."""
    num_classes: tyro.conf.Fixed[int | None] = None
    """As many as the data set has, if None."""


GOALS = (
    Goal("test_accuracy", at_least=0.97, row="two_layer_net", settings={"dataset": "mnist"}),
    Goal("largest_error_of_a_leaf", at_most=1e-6, seeds=1),
)


class Net(NamedTuple):
    """The parameters, and their gradients."""

    w1: Float[Array, "d h"]
    b1: Float[Array, " h"]
    w2: Float[Array, "h k"]
    b2: Float[Array, " k"]


metrics = classification


def data(settings: Settings) -> Dataset:
    """Inputs as they are; a tenth of the rows for training is looked at on the way."""
    return load(settings.dataset, valid_fraction=0.1)


def value_and_grad(
    params: Net, x: Float[Array, "n ..."], labels: Int[Array, " n"], *, l2: Scalar
) -> tuple[Float[Array, ""], Net]:
    """``L = cross-entropy + l2/2 (|w1|^2 + |w2|^2)``, and ``dL`` by each parameter: down, and up again."""
    w1, b1, w2, b2 = params
    z, into_first = affine(flatten(x), w1, b1)
    a, into_relu = relu(z)
    logits, into_second = affine(a, w2, b2)
    loss, into_loss = softmax_cross_entropy(logits, labels)

    (dlogits,) = into_loss(1.0)
    da, dw2, db2 = into_second(dlogits)
    (dz,) = into_relu(da)
    _, dw1, db1 = into_first(dz)
    penalty = 0.5 * l2 * (jnp.sum(w1**2) + jnp.sum(w2**2))
    return loss + penalty, Net(dw1 + l2 * w1, db1, dw2 + l2 * w2, db2)


def predict(params: Net, x: Float[Array, "n ..."]) -> Float[Array, "n k"]:
    """The logits."""
    a, _ = relu(affine(flatten(x), params.w1, params.b1)[0])
    return affine(a, params.w2, params.b2)[0]


def learner(hparams: Hparams, settings: Settings) -> Learner:
    """Gradient descent on the gradient by hand; each step tells the accuracy on its rows, too."""
    dataset = data(settings)
    num_features = int(np.prod(dataset.train.inputs.shape[1:]))
    epoch = steps_per_epoch(dataset, settings.batch_size)
    rate = schedules.step_decay(hparams.learning_rate, factor=hparams.decay, every=epoch)

    def init(key: Key) -> Net:
        first, second = jax.random.split(key)
        w1 = hparams.spread * jax.random.normal(first, (num_features, settings.num_hidden))
        w2 = hparams.spread * jax.random.normal(second, (settings.num_hidden, settings.num_classes))
        return Net(w1, jnp.zeros(settings.num_hidden), w2, jnp.zeros(settings.num_classes))

    net = models.by_hand(init, partial(value_and_grad, l2=hparams.l2), optax.sgd(rate), predict)

    def watched(key: Key, state: State, batch: Batch) -> tuple[State, Metrics]:
        new, seen = net.step(key, state, batch)
        return new, seen | metrics(net.predict(state, batch.inputs), batch.targets)

    return net._replace(step=watched)


def checks(results: list[Result], dataset: Dataset) -> dict[str, float]:
    """Largest difference from autodiff of the plain formula, in double precision, in each leaf."""

    def plain(params: Net) -> Float[Array, ""]:
        w1, b1, w2, b2 = params
        logits = jax.nn.relu(flatten(x) @ w1 + b1[None]) @ w2 + b2[None]
        penalty = 0.5 * l2 * (jnp.sum(w1**2) + jnp.sum(w2**2))
        return losses.softmax_cross_entropy(logits, labels) + penalty

    l2 = 0.1
    rows = dataset.train.inputs[:50], dataset.train.targets[:50]
    with jax.enable_x64(True):
        x, labels = (jnp.asarray(part, dtype) for part, dtype in zip(rows, (float, int), strict=True))
        params = jax.tree.map(lambda leaf: jnp.asarray(leaf, float), results[0].runs[0].state.params)
        _, by_hand = jax.jit(value_and_grad)(params, x, labels, l2=l2)
        autodiff = jax.jit(jax.grad(plain))(params)
        errors = jax.tree.map(lambda a, b: float(jnp.abs(a - b).max()), by_hand, autodiff)
    return {f"error_of_{name}": error for name, error in errors._asdict().items()} | {
        "largest_error_of_a_leaf": max(errors)
    }


def figures(results: list[Result], dataset: Dataset) -> dict[str, Figure]:
    """Loss and accuracies on the way; what the first layer looks for."""
    (result,) = results
    epochs = result.steps / steps_per_epoch(dataset, result.settings.batch_size)
    names = {"training batches": "accuracy", "validation rows": "valid_accuracy"}
    seen = {label: result.histories(name) for label, name in names.items()}
    loss = {"loss and penalty": result.histories("loss")}
    title = f"{dataset.name}: {result.settings.num_hidden} hidden units"
    pictures = {
        "accuracy": plot.curves(epochs, seen, x_label="epochs", y_label="accuracy", title=title),
        "loss": plot.curves(epochs, loss, x_label="epochs", y_label="loss", title=title, log_y=True),
    }
    if dataset.train.inputs.ndim == 4:
        w1 = np.asarray(result.runs[0].state.params.w1).T[:40]
        images = w1.reshape(-1, *dataset.train.inputs.shape[1:])
        images = 0.5 + 0.5 * images / np.abs(images).max(axis=(1, 2, 3), keepdims=True)
        labels = [f"unit {number}" for number in range(len(images))]
        meaning = "dark: positive" if images.shape[3] == 1 else "red, green, blue; grey: 0"
        title = f"what the units look for ({meaning})"
        pictures["weights"] = plot.image_grid(images, labels, title=title)
    return pictures
