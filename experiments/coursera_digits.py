"""A 400-25-10 network learns 5,000 digits of 20x20 by L-BFGS on the whole, or by gradient descent.

Source: Ng, Machine Learning (Coursera), exercise 4: sigmoid units, ten binary cross-entropies, lambda = 1,
"about 95.3 %" of the training digits after 50 iterations of fmincg.
Command: python -m experiments coursera_digits
Expected: accuracy on the 5,000 training digits, mean ± std over 5 seeds on 2 CPU cores, 2026-11-22: lbfgs
0.965 ± 0.003 after 50 steps, descent 0.734 ± 0.008 after 50 and 0.932 ± 0.002 after 500; seconds a fit.

The cost is the course's, ``1/n sum_i sum_k -[t log h + (1 - t) log(1 - h)] + lambda / 2n sum w^2``, biases
not penalised. There is no test set, as in the course: the figure says how well the optimizer does, not
the network. The images are mnist5k's, made smaller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro

from experiments._contract import Goal
from experiments._data import load
from jaxnets import losses, models, plot
from jaxnets.check import NON_NEGATIVE, POSITIVE, InputError, Interval, choice
from jaxnets.data import Dataset
from jaxnets.learner import Learner, gradient
from jaxnets.metrics import accuracy
from jaxnets.types import Array, Batch, Float, Key, Metrics, State

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from experiments._run import Result

SIDE = 20


class Hparams(NamedTuple):
    """Traced scalars."""

    l2: Annotated[float, NON_NEGATIVE] = 1.0
    """The course's lambda."""
    learning_rate: Annotated[float, POSITIVE] = 1.0
    """Of gradient descent; L-BFGS finds its own."""


class Settings(NamedTuple):
    """Static choices."""

    optimizer: tyro.conf.Fixed[str] = "lbfgs"
    """Which; ``--rows`` chooses among them."""
    num_steps: tyro.conf.Fixed[int] = 50
    """Updates, each from all rows; ``--rows`` chooses."""
    evaluate_every: Annotated[int, Interval(1)] = 1
    """Steps between entries of the history."""
    num_hidden: Annotated[int, Interval(1)] = 25
    """Hidden units."""
    num_examples: Annotated[int, Interval(1)] = 5000
    """Rows, all to learn from."""
    dataset: str = "mnist5k"
    """A name or a file of images, see jaxnets.data."""
    num_classes: tyro.conf.Fixed[int | None] = None
    """As many as the data set has, if None."""


GOALS = (Goal("train_accuracy", at_least=0.95, row="lbfgs"),)
SMALL = {"num_examples": 200}

OPTIMIZERS = {
    "lbfgs": lambda hparams: optax.lbfgs(),
    "descent": lambda hparams: optax.sgd(hparams.learning_rate),
}
"""Full-batch methods."""


def data(settings: Settings) -> Dataset:
    """Images of 20x20, all for training.

    Raises:
        InputError: the rows are no images.
    """
    whole = load(settings.dataset, test_fraction=0.0, num_examples=settings.num_examples)
    images = whole.train.inputs
    if images.ndim != 4:
        raise InputError(
            f"data set {whole.name!r}: rows of shape {images.shape[1:]}, allowed are images [h, w, c]"
        )
    small = jax.image.resize(images, (len(images), SIDE, SIDE, images.shape[3]), "linear")
    return whole.replace(train=Batch(np.asarray(small), whole.train.targets), test=None)


def course_init(key: Key, shape: tuple[int, ...], dtype: jnp.dtype = jnp.float32) -> Float[Array, ...]:
    """Uniform in +-0.12, biases too: the course's epsilon for 400 + 25 units, sqrt(6 / 425)."""
    return jax.random.uniform(key, shape, dtype, -0.12, 0.12)


def learner(hparams: Hparams, settings: Settings) -> Learner:
    """400-25-10, sigmoid units throughout."""
    choice("optimizer", settings.optimizer, OPTIMIZERS)
    network = models.MLP((settings.num_hidden,), settings.num_classes, nn.sigmoid, course_init, course_init)
    return gradient(
        network, models.one_vs_rest_cross_entropy, OPTIMIZERS[settings.optimizer](hparams),
        penalty=lambda params: hparams.l2 / settings.num_examples * losses.l2_penalty(params),
    )  # fmt: skip


def evaluate(learner: Learner, state: State, dataset: Dataset) -> Metrics:
    """Share of the training rows whose largest output is their label's."""
    return {"train_accuracy": accuracy(learner.predict(state, dataset.train.inputs), dataset.train.targets)}


def variants() -> dict[str, tuple[Hparams, Settings]]:
    """As many steps for both, and ten times as many for gradient descent."""
    return {
        "lbfgs": (Hparams(), Settings()),
        "descent": (Hparams(), Settings(optimizer="descent")),
        "descent_500": (Hparams(), Settings(optimizer="descent", num_steps=500)),
    }


def figures(results: list[Result], dataset: Dataset) -> dict[str, Figure]:
    """Cost over the steps, and what each hidden unit looks at."""
    steps = {result.name: result.steps for result in results}
    costs = {result.name: result.histories("loss") for result in results}
    kernel = np.asarray(results[0].runs[0].state.params["Dense_0"]["kernel"])
    units = (0.5 + 0.5 * kernel / np.abs(kernel).max(0, keepdims=True)).T.reshape(-1, SIDE, SIDE, 1)
    title = f"{results[0].name}: weights into the hidden units, 0 in grey"
    return {
        "cost": plot.curves(
            steps, costs, x_label="step", y_label="cost", log_x=True, log_y=True, title=dataset.name
        ),
        "hidden_units": plot.image_grid(units, [""] * len(units), title=title, columns=5),
    }
