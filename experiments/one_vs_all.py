"""Ten sigmoid regressions at once, by vmap over the classes of a single one, against softmax.

Source: the courses' "one against all"; Rifkin & Klautau 2004, In defense of one-vs-all classification.
Command: python -m experiments one_vs_all --dataset mnist
Expected: test accuracy on mnist, mean ± std over 5 seeds on 2 CPU cores, 2026-11-22: one_vs_all 0.9179 ±
0.0005, softmax 0.9267 ± 0.0002; largest difference of weights between one_vs_all and ten_columns 9e-8; three
seconds a fit.

``one_vs_all`` takes any binary learner. Here all begin at 0 and see the same rows, so one matrix of ten
columns trained by the sum of the ten losses must end at the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro

from experiments._contract import Goal
from experiments._data import load
from jaxnets import losses, models, plot, schedules, train
from jaxnets.check import NON_NEGATIVE, POSITIVE, Interval, choice
from jaxnets.data import Dataset
from jaxnets.learner import Learner, gradient
from jaxnets.metrics import classification, confusion_matrix
from jaxnets.models.side_by_side import combined
from jaxnets.types import Array, Batch, Float, Int, Key, Metrics, State

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from experiments._run import Result


class Hparams(NamedTuple):
    """Traced scalars."""

    learning_rate: Annotated[float, POSITIVE] = 3e-3
    """Adam's, at the start; it falls to 0 in a line."""
    l2: Annotated[float, NON_NEGATIVE] = 1e-4
    """Penalty 0.5 l2 |w|^2 of each regression."""


class Settings(NamedTuple):
    """Static choices."""

    model: tyro.conf.Fixed[str] = "one_vs_all"
    """Which of the three; ``--rows`` chooses among them."""
    dataset: str = "mnist5k"
    """A name or a file of images, see jaxnets.data."""
    num_epochs: Annotated[int, Interval(1)] = 10
    """Passes over the training rows."""
    num_steps: Annotated[int | None, Interval(0, 2**31 - 1)] = None
    """Updates; by default those of the epochs."""
    batch_size: Annotated[int, Interval(1)] = 100
    """Rows an update."""
    num_classes: tyro.conf.Fixed[int | None] = None
    """As many as the data set has, if None."""


metrics = classification


def data(settings: Settings) -> Dataset:
    """Images as they are, in [0, 1]."""
    return load(settings.dataset)


def learner(hparams: Hparams, settings: Settings) -> Learner:
    """The learner named in the settings."""
    choice("model", settings.model, LEARNERS)
    return LEARNERS[settings.model](hparams, settings)


def one_vs_all(binary: Learner, *, num_classes: int) -> Learner:
    """A copy of ``binary`` for each class, which learns to tell it from the rest; scores ``[n, k]``."""
    classes = jnp.arange(num_classes)

    def is_class(label: Int[Array, ""], batch: Batch) -> Batch:
        return batch._replace(targets=(batch.targets == label).astype(float))

    def init(key: Key, data: Batch) -> State:
        return jax.vmap(lambda label: binary.init(key, is_class(label, data)))(classes)

    def step(key: Key, state: State, batch: Batch) -> tuple[State, Metrics]:
        of_class = jax.vmap(lambda label, machine: binary.step(key, machine, is_class(label, batch)))
        state, found = of_class(classes, state)
        return state, combined(found, by=jnp.sum)

    return Learner(init, step, jax.vmap(binary.predict, in_axes=(0, None), out_axes=1))


def _linear(loss: Callable, num_outputs: int, hparams: Hparams, settings: Settings) -> Learner:
    """A linear model that begins at 0."""
    model = models.MLP(widths=(), num_outputs=num_outputs, kernel_init=nn.initializers.zeros)
    rate = schedules.polynomial_decay(hparams.learning_rate, num_steps=max(1, settings.num_steps))
    return gradient(model, loss, optax.adam(rate), penalty=lambda w: hparams.l2 * losses.l2_penalty(w))


def _sigmoid(hparams: Hparams, settings: Settings) -> Learner:
    """One sigmoid regression, yes or no."""
    one = _linear(lambda z, t: losses.sigmoid_cross_entropy(z[:, 0], t), 1, hparams, settings)
    return one._replace(predict=lambda state, inputs: one.predict(state, inputs)[:, 0])


LEARNERS = {
    "one_vs_all": lambda h, s: one_vs_all(_sigmoid(h, s), num_classes=s.num_classes),
    "ten_columns": lambda h, s: _linear(models.one_vs_rest_cross_entropy, s.num_classes, h, s),
    "softmax": lambda h, s: _linear(losses.softmax_cross_entropy, s.num_classes, h, s),
}
"""The same linear scores, trained in three ways."""

GOALS = (
    Goal("test_accuracy", at_least=0.91, row="one_vs_all", settings={"dataset": "mnist"}),
    Goal("test_accuracy", at_least=0.92, row="softmax", settings={"dataset": "mnist"}),
    Goal("largest_difference_of_weights", at_most=1e-4, seeds=1),
)


def variants() -> dict[str, tuple[Hparams, Settings]]:
    """A row for each."""
    return {name: (Hparams(), Settings(model=name)) for name in LEARNERS}


def checks(results: list[Result], dataset: Dataset) -> dict[str, float]:
    """How far ten regressions by vmap and one of ten columns are apart."""
    weights = {result.name: _weights(result.runs[0].state) for result in results}
    gap = np.abs(weights["one_vs_all"] - weights["ten_columns"])
    return {"largest_difference_of_weights": float(gap.max())}


def _weights(state: State) -> Float[np.ndarray, "k d"]:
    kernel = np.asarray(state.params["Dense_0"]["kernel"])
    return kernel[:, :, 0] if kernel.ndim == 3 else kernel.T


def figures(results: list[Result], dataset: Dataset) -> dict[str, Figure]:
    """What each class looks for in images (0 is grey, positive dark), and what is taken for what."""
    pictures, names = {}, dataset.class_labels
    for result in results if dataset.test.inputs.ndim == 4 else ():
        weights = _weights(result.runs[0].state).reshape(-1, *dataset.test.inputs.shape[1:])
        shades = 0.5 + 0.5 * weights / (np.abs(weights).max() or 1.0)  # all 0 before the first step
        pictures[f"weights_{result.name}"] = plot.image_grid(shades, names, title=result.name, columns=5)
    scores = train.predict(results[0].learner, results[0].runs[0].state, dataset.test.inputs)
    counts = confusion_matrix(scores, dataset.test.targets)
    return pictures | {"confusion": plot.confusion_matrix(counts, names, title=results[0].name)}
