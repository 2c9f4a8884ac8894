"""Backpropagation is the chain rule with a memory: the same formulas cost exponentially more without.

Source: Goodfellow, Bengio, Courville, Deep Learning, 6.5.3: the chain rule as a recursion, and the table
that makes it dynamic programming.
Command: python -m experiments backprop_as_memory
Expected: with each layer of two units the naive form's multiplications grow 2.02-fold or more, those of the
memoised form by 16, of jax's by 16; gradients equal to 8e-16; test accuracy of all three 0.898 ± 0.002 over 5
seeds on 2 CPU cores, 2026-11-22, 30 seconds. Compiled, the naive form of 5 layers has 1.07 times the
products of the memoised one.

The network is a chain of layers ``a <- tanh(w a)`` of two units. Multiplications are counted in the traced
program, before the compiler sees it, in one way for all three.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro

from experiments._contract import Goal
from experiments._data import load
from jaxnets import models, plot
from jaxnets.check import POSITIVE, Interval
from jaxnets.data import Dataset
from jaxnets.learner import Learner
from jaxnets.metrics import accuracy, mean_squared_error
from jaxnets.types import Array, Float, Int, Key, Metrics

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from experiments._run import Result

Weights = Float[Array, "l d d"]


class Hparams(NamedTuple):
    """Traced scalars."""

    learning_rate: Annotated[float, POSITIVE] = 0.3
    """Of gradient descent on all rows."""
    spread: Annotated[float, POSITIVE] = 0.3
    """Standard deviation of the first weights, around the identity."""


class Settings(NamedTuple):
    """Static choices."""

    method: tyro.conf.Fixed[Literal["naive", "memoised", "jax"]] = "memoised"
    """How the gradient is computed; ``--rows`` chooses."""
    dataset: tyro.conf.Fixed[str] = "two_gaussians"
    """Points in the plane, of two classes."""
    depth: Annotated[int, Interval(1, 8)] = 5
    """Layers of the chain that is trained."""
    most_layers: Annotated[int, Interval(3, 12)] = 8
    """Layers of the longest chain whose multiplications are counted."""
    num_steps: Annotated[int, Interval(0, 2**31 - 1)] = 100
    """Updates."""


GOALS = (
    Goal("naive_growth_a_layer", at_least=2.0, seeds=1),
    Goal("memoised_bend", at_most=0.0, seeds=1),
    Goal("jax_bend", at_most=0.0, seeds=1),
    Goal("difference_of_gradients", at_most=1e-12, seeds=1),
    Goal("difference_of_test_errors", at_most=1e-4, seeds=1),
)
SMALL = {"depth": 2, "most_layers": 3}


def data(settings: Settings) -> Dataset:
    """Two clouds, three standard deviations apart."""
    return load(settings.dataset)


def forward(w: Weights, x: Float[Array, " d"]) -> list[Float[Array, " d"]]:
    """``a^0 = x`` and each layer's activations ``a^l = tanh(w^l a^(l-1))``, for one row."""
    a = [x]
    for layer in w:
        a.append(jnp.tanh(layer @ a[-1]))
    return a


def chain_rule(
    w: Weights, x: Float[Array, " d"], target: Float[Array, " d"], *, remember: Callable
) -> tuple[Float[Array, ""], Weights]:
    """``L = 1/2 |a^L - t|^2`` and ``dL/dw`` for one row, by recursion; ``z`` is the tanh's argument.

    ::

        dL/dw_ij^l = dL/dz_i^l a_j^(l-1)      dL/dz_i^l = (1 - a_i^l a_i^l) sum_k w_ki^(l+1) dL/dz_k^(l+1)

    Without a memory each of the ``d^(L-l)`` paths from a unit to the loss is walked by itself.

    Args:
        remember: ``functools.cache``, or what leaves a function as it is.
    """
    a, depth, units = forward(w, x), len(w), range(len(x))

    @remember
    def dz(layer: int, i: int) -> Array:
        if layer == depth:
            da = a[depth][i] - target[i]
        else:
            da = sum(w[layer, k, i] * dz(layer + 1, k) for k in units)  # w[0] is the first layer's
        return da * (1 - a[layer][i] * a[layer][i])

    dw = [[[dz(layer, i) * a[layer - 1][j] for j in units] for i in units] for layer in range(1, depth + 1)]
    return 0.5 * jnp.sum(jnp.square(a[depth] - target)), jnp.array(dw)


def autodiff(
    w: Weights, x: Float[Array, " d"], target: Float[Array, " d"]
) -> tuple[Float[Array, ""], Weights]:
    """The same by jax."""
    return jax.value_and_grad(lambda w: 0.5 * jnp.sum(jnp.square(forward(w, x)[-1] - target)))(w)


METHODS = {
    "naive": partial(chain_rule, remember=lambda function: function),
    "memoised": partial(chain_rule, remember=functools.cache),
    "jax": autodiff,
}


def learner(hparams: Hparams, settings: Settings) -> Learner:
    """Gradient descent on the mean over the rows; the targets are -1 and 1, one for each class."""

    def init(key: Key) -> Weights:
        return jnp.eye(2)[None] + hparams.spread * jax.random.normal(key, (settings.depth, 2, 2))

    def value_and_grad(w: Weights, x: Float[Array, "n d"], labels: Int[Array, " n"]) -> tuple[Array, Weights]:
        rows = jax.vmap(METHODS[settings.method], (None, 0, 0))(w, x, signs(labels))
        return jax.tree.map(lambda leaf: leaf.mean(axis=0), rows)

    predict = jax.vmap(lambda w, x: forward(w, x)[-1], (None, 0))
    return models.by_hand(init, value_and_grad, optax.sgd(hparams.learning_rate), predict)


def signs(labels: Int[Array, " n"]) -> Float[Array, "n d"]:
    """1 at the label, -1 elsewhere."""
    return 2 * jax.nn.one_hot(labels, 2) - 1


def metrics(scores: Float[Array, "n k"], labels: Int[Array, " n"]) -> Metrics:
    """Share of rows whose larger output is their label's, and the squared error."""
    return {"accuracy": accuracy(scores, labels), "error": mean_squared_error(scores, signs(labels))}


def variants() -> dict[str, tuple[Hparams, Settings]]:
    """Three ways to the same gradient."""
    return {method: (Hparams(), Settings(method=method)) for method in METHODS}


@functools.cache
def multiplications(method: str, depth: int) -> int:
    """In loss and gradient of one row."""
    return _count(jax.make_jaxpr(METHODS[method])(*_row(depth)).jaxpr)


def _count(jaxpr: jax.extend.core.Jaxpr) -> int:
    total = 0
    for equation in jaxpr.eqns:
        size = equation.outvars[0].aval.size
        if equation.primitive.name in ("mul", "square"):
            total += size
        elif equation.primitive.name == "dot_general":
            (contracted, _), _ = equation.params["dimension_numbers"]
            total += size * int(np.prod([equation.invars[0].aval.shape[axis] for axis in contracted]))
        total += sum(_count(inner.jaxpr) for inner in equation.params.values() if hasattr(inner, "jaxpr"))
    return total


def checks(results: list[Result], dataset: Dataset) -> dict[str, float]:
    """How the counts grow with the depth, whether gradients and results agree, and what is compiled.

    ``..._bend`` is the largest second difference, 0 on a line; the test error is a mean square.
    ``compiled_naive_over_memoised`` compares the products left after compilation: XLA looks for equal
    expressions, which is a memory, too.
    """
    settings = results[0].settings
    counts = {method: _counts(method, settings) for method in METHODS}
    errors = [result.metrics["test_error"].mean() for result in results]
    left = {method: _compiled(method, settings.depth) for method in ("naive", "memoised")}
    return {
        "naive_growth_a_layer": float(np.min(counts["naive"][1:] / counts["naive"][:-1])),
        "memoised_bend": float(np.abs(np.diff(counts["memoised"], 2)).max()),
        "jax_bend": float(np.abs(np.diff(counts["jax"], 2)).max()),
        "difference_of_gradients": _difference_of_gradients(settings.depth),
        "difference_of_test_errors": float(max(errors) - min(errors)),
        "compiled_naive_over_memoised": left["naive"] / left["memoised"],
    }


def _counts(method: str, settings: Settings) -> Int[np.ndarray, " l"]:
    return np.array([multiplications(method, depth) for depth in range(1, settings.most_layers + 1)])


def _compiled(method: str, depth: int) -> int:
    text = jax.jit(METHODS[method]).lower(*_row(depth)).compile().as_text()
    return text.count(" multiply(")


def _row(depth: int) -> tuple[Weights, Float[Array, " d"], Float[Array, " d"]]:
    keys = jax.random.split(jax.random.key(0), 3)
    return tuple(
        jax.random.normal(key, shape) for key, shape in zip(keys, ((depth, 2, 2), (2,), (2,)), strict=True)
    )


def _difference_of_gradients(depth: int) -> float:
    """Largest between the three, in double precision."""
    with jax.enable_x64(True):
        gradients = [jax.jit(method)(*_row(depth))[1] for method in METHODS.values()]
        return float(np.ptp(np.stack(gradients), axis=0).max())


def figures(results: list[Result], dataset: Dataset) -> dict[str, Figure]:
    """Multiplications against the depth."""
    settings = results[0].settings
    counts = {result.name: _counts(result.name, settings) for result in results}
    layers = np.arange(1, settings.most_layers + 1)
    title = "one row through a chain of layers of two units"
    labels = {"x_label": "layers", "y_label": "multiplications for the gradient"}
    return {"multiplications": plot.curves(layers, counts, **labels, title=title, log_y=True)}
