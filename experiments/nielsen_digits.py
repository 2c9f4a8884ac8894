"""Sigmoid units and quadratic cost: backpropagation over the batch as matrices, or example by example.

Source: Nielsen, Neural Networks and Deep Learning, chapter 1 (0.9542 on MNIST, at best, in 30 epochs); the
matrices are a problem posed in its chapter 2.
Command: python -m experiments nielsen_digits --dataset mnist --rows matrices
Expected: test accuracy on mnist 0.951 ± 0.001 over 5 seeds on 2 CPU cores, 2026-11-22, 15 seconds a fit; on
mnist5k 0.878 ± 0.031 for both forms. On batches of 10, backpropagation by matrices was 9.0 to 10.2 times as
fast as the loop in NumPy (six runs; 7.1 to 7.7 with the update of the weights, which costs both forms the
same), and 2.0 to 2.8 times with both compiled.

`checks` measures the forms' speed side by side on the same batches, warm, each pair in one engine.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro

from experiments._contract import Goal
from experiments._data import load
from experiments._timing import least_seconds
from jaxnets import models, plot, train
from jaxnets.backprop import affine, sigmoid, squared_error
from jaxnets.check import POSITIVE, Interval
from jaxnets.data import Dataset
from jaxnets.layers import flatten
from jaxnets.learner import Learner
from jaxnets.metrics import classification, confusion_matrix
from jaxnets.sweep.trial import steps_per_epoch
from jaxnets.types import Array, Float, Int, Key

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from experiments._run import Result

Params = tuple[tuple[Float[Array, "d k"], Float[Array, " k"]], ...]
"""Weights and biases of each layer."""

RATE = 3.0
"""The book's."""


class Hparams(NamedTuple):
    """Traced scalars."""

    learning_rate: Annotated[float, POSITIVE] = RATE
    """Of the cost's mean over the batch."""


class Settings(NamedTuple):
    """Static choices."""

    form: tyro.conf.Fixed[Literal["matrices", "one_at_a_time"]] = "matrices"
    """How the gradient is computed; ``--rows`` chooses."""
    dataset: str = "mnist5k"
    """A name or a file of images, see jaxnets.data."""
    widths: tuple[Annotated[int, Interval(1)], ...] = (30,)
    """Units of each hidden layer."""
    num_epochs: Annotated[int, Interval(1)] = 30
    """Passes over the training rows."""
    num_steps: Annotated[int | None, Interval(0, 2**31 - 1)] = None
    """Updates; by default those of the epochs."""
    batch_size: Annotated[int, Interval(1)] = 10
    """Rows an update."""
    num_classes: tyro.conf.Fixed[int | None] = None
    """As many as the data set has, if None."""


GOALS = (
    Goal("test_accuracy", at_least=0.95, row="matrices", settings={"dataset": "mnist"}),
    Goal("largest_difference", at_most=1e-10, seeds=1),
    Goal(
        "speed_over_loop",
        at_least=10,
        seeds=1,
        note="a batch of ten that costs no more than one example would give 10; 9.0 to 10.2 from run to run, "
        "7.1 to 7.7 with the update of the weights",
    ),
)


def data(settings: Settings) -> Dataset:
    """Images in [0, 1]."""
    return load(settings.dataset)


def as_matrices(
    params: Params, x: Float[Array, "n ..."], labels: Int[Array, " n"]
) -> tuple[Float[Array, ""], Params]:
    """``C = 1/(2n) sum |a - t|^2`` and its gradient, all rows at once: two products a layer back."""
    a, way = flatten(x), []
    for w, b in params:
        z, into_affine = affine(a, w, b)
        a, into_sigmoid = sigmoid(z)
        way.append((into_affine, into_sigmoid))
    half = a.shape[1] / 2  # the mean over all outputs becomes half the sum over those of a row
    error, into_error = squared_error(a, jax.nn.one_hot(labels, a.shape[1], dtype=a.dtype))

    (da,) = into_error(half)
    gradient = []
    for into_affine, into_sigmoid in reversed(way):
        (dz,) = into_sigmoid(da)
        da, dw, db = into_affine(dz)
        gradient.append((dw, db))
    return half * error, tuple(reversed(gradient))


def book(
    params: Params, x: Float[Array, "*n d"], targets: Float[Array, "*n k"], *, exp: Callable = jnp.exp
) -> tuple[Float[Array, ""], Params]:
    """The book's formulas, of one example or the sum over rows, in jax or (``exp=np.exp``) in NumPy.

    ``delta = (a - t) a (1 - a)``, then ``delta <- (w delta) a (1 - a)``.
    """
    activations = [x]
    for w, b in params:
        activations.append(1 / (1 + exp(-(activations[-1] @ w + b))))
    a = activations.pop()
    cost, delta, gradient = 0.5 * ((a - targets) ** 2).sum(), (a - targets) * a * (1 - a), []
    for layer in reversed(range(len(params))):
        a = activations.pop()
        one = (a[:, None] * delta[None], delta) if a.ndim == 1 else (a.T @ delta, delta.sum(axis=0))
        gradient.append(one)
        delta = (delta @ params[layer][0].T) * a * (1 - a) if layer else None  # the inputs need none
    return cost, tuple(reversed(gradient))


def one_at_a_time(
    params: Params, x: Float[Array, "n ..."], labels: Int[Array, " n"]
) -> tuple[Float[Array, ""], Params]:
    """The book's loop, compiled: the gradients of one example after another, added up."""
    rows = flatten(x), jax.nn.one_hot(labels, len(params[-1][1]), dtype=x.dtype)

    def add(total: tuple, row: tuple) -> tuple[tuple, None]:
        return jax.tree.map(jnp.add, total, book(params, *row)), None

    zero = jax.tree.map(jnp.zeros_like, (params[0][1].sum(), params))
    total, _ = jax.lax.scan(add, zero, rows)
    return jax.tree.map(lambda leaf: leaf / len(x), total)


FORMS = {"matrices": as_matrices, "one_at_a_time": one_at_a_time}


def predict(params: Params, x: Float[Array, "n ..."]) -> Float[Array, "n k"]:
    """The last layer's activations."""
    a = flatten(x)
    for w, b in params:
        a, _ = sigmoid(affine(a, w, b)[0])
    return a


def learner(hparams: Hparams, settings: Settings) -> Learner:
    """Gradient descent from weights and biases drawn from the standard normal distribution."""
    num_features = int(np.prod(data(settings).train.inputs.shape[1:]))
    sizes = (num_features, *settings.widths, settings.num_classes)

    def init(key: Key) -> Params:
        keys = jax.random.split(key, (len(sizes) - 1, 2))
        shapes = zip(keys, sizes[:-1], sizes[1:], strict=True)
        normal = jax.random.normal
        return tuple((normal(w_key, (d, k)), normal(b_key, (k,))) for (w_key, b_key), d, k in shapes)

    return models.by_hand(init, FORMS[settings.form], optax.sgd(hparams.learning_rate), predict)


metrics = classification


def variants() -> dict[str, tuple[Hparams, Settings]]:
    """Both forms: the same network, step by step."""
    return {form: (Hparams(), Settings(form=form)) for form in FORMS}


def checks(results: list[Result], dataset: Dataset) -> dict[str, float]:
    """Largest relative difference of the forms' gradients (double precision); how much faster matrices are.

    ``speed_over_loop`` is that of backpropagation in NumPy's double precision, as in the book's program;
    with ``step`` of a whole step, whose update costs both forms the same; ``compiled``, of compiled steps.
    """
    params = jax.device_get(results[0].runs[0].state.params)
    num_rows = min(results[0].settings.batch_size, results[0].num_rows)
    x, labels = np.asarray(flatten(dataset.train.inputs))[:num_rows], dataset.train.targets[:num_rows]
    targets = np.eye(results[0].settings.num_classes)[labels]
    wide = jax.tree.map(lambda leaf: leaf.astype(float), (params, x))
    with jax.enable_x64(True):
        found = [jax.jit(form)(*wide, labels) for form in FORMS.values()]
        gaps = jax.tree.map(lambda a, b: float(jnp.abs(a - b).max() / jnp.abs(b).max()), *found)
    return {
        "largest_difference": max(jax.tree.leaves(gaps)),
        "speed_over_loop": _ratio(_loop, _matrices, *wide, targets),
        "step_speed_over_loop": _ratio(partial(_step, _loop), partial(_step, _matrices), *wide, targets),
        "compiled_speed_over_loop": _ratio(*map(_epoch, (one_at_a_time, as_matrices)), params, x, labels),
    }


def _matrices(params: Params, x: Float[np.ndarray, "n d"], targets: Float[np.ndarray, "n k"]) -> Params:
    return book(params, x, targets, exp=np.exp)[1]


def _loop(params: Params, x: Float[np.ndarray, "n d"], targets: Float[np.ndarray, "n k"]) -> Params:
    """The same sum over the rows, one after another."""
    return functools.reduce(_added, (_matrices(params, *row) for row in zip(x, targets, strict=True)))


def _added(total: Params, one: Params) -> Params:
    return tuple((w + dw, b + db) for (w, b), (dw, db) in zip(total, one, strict=True))


def _step(gradient: Callable, params: Params, x: Array, targets: Array) -> Params:
    slopes, rate = gradient(params, x, targets), RATE / len(x)
    return tuple((w - rate * dw, b - rate * db) for (w, b), (dw, db) in zip(params, slopes, strict=True))


def _epoch(form: Callable) -> Callable[[Params, Array, Array], Params]:
    """Ten steps in one program, where a call costs nothing."""

    @jax.jit
    def epoch(params: Params, x: Array, labels: Array) -> Params:
        def step(_: int, params: Params) -> Params:
            return jax.tree.map(lambda leaf, slope: leaf - RATE * slope, params, form(params, x, labels)[1])

        return jax.lax.fori_loop(0, 10, step, params)

    return epoch


def _ratio(slow: Callable, fast: Callable, *arguments: Any) -> float:
    """How many times faster the second is, warm."""
    slowest, fastest = least_seconds(
        *(partial(work, *arguments) for work in (slow, fast)), rounds=30, repeats=10
    )
    return slowest / fastest


def figures(results: list[Result], dataset: Dataset) -> dict[str, Figure]:
    """The cost on the way, and what is taken for what in the end."""
    first = results[0]
    epochs = first.steps / steps_per_epoch(dataset, first.settings.batch_size)
    costs = {"training rows": first.histories("loss")}
    scores = train.predict(first.learner, first.runs[0].state, dataset.test.inputs)
    confused, names = confusion_matrix(scores, dataset.test.targets), dataset.class_names
    labels = {"x_label": "epochs", "y_label": "quadratic cost"}
    return {
        "cost": plot.curves(epochs, costs, **labels, title=f"{dataset.name}: {first.name}", log_y=True),
        "confusion": plot.confusion_matrix(
            confused,
            names or [str(label) for label in range(len(confused))],
            title=f"{dataset.name}: test rows",
        ),
    }
