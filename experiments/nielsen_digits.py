"""Sigmoid units and quadratic cost: backpropagation over the batch as matrices, or example by example.

Source: Nielsen, Neural Networks and Deep Learning, chapter 1 (0.9542 on MNIST, at best, in 30 epochs); the
matrices are a problem posed in its chapter 2.
Command: python -m experiments nielsen_digits --dataset mnist --rows matrices
Expected: test accuracy on mnist 0.951 ± 0.001 over 5 seeds on 2 CPU cores, 2026-11-22, 50 seconds a fit on a
busy machine; on mnist5k 0.878 ± 0.031 for both forms. On batches of 10 matrices were 9.7 and 25 times faster
than the loop, both in NumPy, and 3.7 and 4.6 times with both compiled (two runs, busy).

`checks` measures the forms' speed side by side on the same batches, warm, each pair in one engine.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro

from experiments._contract import Goal
from jaxnets import models, plot, train
from jaxnets.backprop import affine, sigmoid, squared_error
from jaxnets.check import POSITIVE, Interval
from jaxnets.data import Dataset, load
from jaxnets.layers import flatten
from jaxnets.learner import Learner
from jaxnets.metrics import accuracy, confusion_matrix
from jaxnets.types import Array, Float, Int, Key, Metrics

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

    form: tyro.conf.Fixed[str] = "matrices"
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
        note="both forms in NumPy, where the ratio depends on the machine and its load",
    ),
)


@functools.lru_cache(maxsize=1)
def _load(name: str) -> Dataset:
    return load(name)


def data(settings: Settings) -> Dataset:
    """Images in [0, 1]."""
    return _load(settings.dataset)


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


def metrics(scores: Float[Array, "n k"], labels: Int[Array, " n"]) -> Metrics:
    """Share of rows whose largest activation is their label's."""
    return {"accuracy": accuracy(scores, labels)}


def variants() -> dict[str, tuple[Hparams, Settings]]:
    """Both forms: the same network, step by step."""
    return {form: (Hparams(), Settings(form=form)) for form in FORMS}


def checks(results: list[Result], dataset: Dataset) -> dict[str, float]:
    """Largest relative difference of the forms' gradients (double precision); how much faster matrices are.

    Speeds are over the loop in the same engine: ``speed_over_loop`` in NumPy, as the book has it,
    ``compiled_speed_over_loop`` with both forms compiled.
    """
    params, batch_size = results[0].runs[0].state.params, results[0].settings.batch_size
    x, labels = np.asarray(flatten(dataset.train.inputs)), np.asarray(dataset.train.targets)
    with jax.enable_x64(True):
        wide = jax.tree.map(lambda leaf: jnp.asarray(leaf, float), params)
        found = [jax.jit(form)(wide, jnp.asarray(x[:20], float), labels[:20]) for form in FORMS.values()]
        gaps = jax.tree.map(lambda a, b: float(jnp.abs(a - b).max() / jnp.abs(b).max()), *found)
    num_steps = min(100, len(x) // batch_size)
    cut = slice(num_steps * batch_size)
    batches = x[cut].reshape(num_steps, batch_size, -1), labels[cut].reshape(num_steps, batch_size)
    targets = np.eye(results[0].settings.num_classes, dtype=x.dtype)[batches[1]]
    compiled = {name: _seconds(_compiled(form), params, batches) for name, form in FORMS.items()}
    plain = {
        name: _seconds(partial(_in_numpy, form=name), jax.tree.map(np.asarray, params), (batches[0], targets))
        for name in FORMS
    }
    return {
        "largest_difference": max(jax.tree.leaves(gaps)),
        "speed_over_loop": plain["one_at_a_time"] / plain["matrices"],
        "compiled_speed_over_loop": compiled["one_at_a_time"] / compiled["matrices"],
    }


def _compiled(form: Callable) -> Callable[[Params, tuple], Params]:
    """An epoch of gradient descent in one program."""

    def step(params: Params, batch: tuple) -> tuple[Params, None]:
        _, gradient = form(params, *batch)
        return jax.tree.map(lambda leaf, slope: leaf - RATE * slope, params, gradient), None

    return jax.jit(lambda params, batches: jax.lax.scan(step, params, batches)[0])


def _in_numpy(params: Params, batches: tuple, *, form: str) -> Params:
    """The same in NumPy: the loop adds up what the matrices sum in one product."""
    for rows, targets in zip(*batches, strict=True):
        parts = [(rows, targets)] if form == "matrices" else zip(rows, targets, strict=True)
        gradients = (book(params, *part, exp=np.exp)[1] for part in parts)
        total = functools.reduce(_added, gradients)
        rate = RATE / len(rows)
        params = tuple((w - rate * dw, b - rate * db) for (w, b), (dw, db) in zip(params, total, strict=True))
    return params


def _added(total: Params, one: Params) -> Params:
    return tuple((w + dw, b + db) for (w, b), (dw, db) in zip(total, one, strict=True))


def _seconds(epoch: Callable[[Params, tuple], Params], params: Params, batches: tuple) -> float:
    """The least of twenty times, after a first one: other work on the machine only adds."""
    jax.block_until_ready(epoch(params, batches))
    times = []
    for _ in range(20):
        begun = time.perf_counter()
        jax.block_until_ready(epoch(params, batches))
        times.append(time.perf_counter() - begun)
    return min(times)


def figures(results: list[Result], dataset: Dataset) -> dict[str, Figure]:
    """The cost on the way, and what is taken for what in the end."""
    first = results[0]
    epochs = first.steps * first.settings.batch_size / first.num_rows
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
