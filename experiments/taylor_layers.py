"""Taylor's coefficients against learned ones: three and ten terms of a sine, five of a hyperbolic tangent.

Source: Griewank & Walther, Evaluating Derivatives, chapter 13; Chebyshev's theory of best approximation.
Command: python -m experiments taylor_layers
Expected: largest error on [-pi, pi], mean ± std over 5 seeds on 2 CPU cores, 2026-11-22 (nothing is random):
three terms of sin 0.524 ± 0.000 with Taylor's coefficients, 0.0071 ± 0.0000 with learned ones (74 times
less), 0.0069 ± 0.0000 when the maximum itself is minimised; ten terms 3.9e-07 with closed coefficients,
5.1e-07 by Taylor mode; five terms of tanh 522 and 0.0090 ± 0.0000. Half a minute, most of it compiling.

A Taylor series is exact at its centre and worst at the ends of the interval. Coefficients that minimise the
squared error over Chebyshev nodes spread the error evenly, those that minimise a high power of it do so
almost perfectly: the maximal error of three terms falls seventy-five times. Where the series does not
converge (tanh beyond pi / 2) the learned one still does its best.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro

from experiments._contract import Goal
from jaxnets import losses, plot, train
from jaxnets.check import POSITIVE, Interval, choice
from jaxnets.data import Dataset
from jaxnets.layers import taylor
from jaxnets.learner import Learner, gradient
from jaxnets.types import Array, Batch, Float, Metrics, Scalar

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from experiments._run import Result


class Hparams(NamedTuple):
    """Traced scalars."""

    power: Annotated[float, POSITIVE] = 24.0
    """Of the error, in the loss that approaches the maximum."""


class Settings(NamedTuple):
    """Static choices."""

    function: tyro.conf.Fixed[Literal["sin", "tanh"]] = "sin"
    """One of FUNCTIONS; ``--rows`` chooses."""
    method: tyro.conf.Fixed[str] = "learned"
    """One of METHODS; ``--rows`` chooses."""
    num_terms: tyro.conf.Fixed[int] = 3
    """Odd powers from the first: three make degree 5; ``--rows`` chooses."""
    num_steps: Annotated[int, Interval(0, 2**31 - 1)] = 1
    """Of L-BFGS, where coefficients are learned."""
    num_nodes: Annotated[int, Interval(2)] = 200
    """Training points."""


FUNCTIONS: dict[str, Callable] = {"sin": jnp.sin, "tanh": jnp.tanh}
"""Odd ones, on [-pi, pi]."""


def data(settings: Settings) -> Dataset:
    """Chebyshev nodes ``pi cos((k + 1/2) pi / n)`` to learn from, a fine even grid for the test."""
    choice("function", settings.function, FUNCTIONS)
    nodes = np.pi * np.cos((np.arange(settings.num_nodes) + 0.5) * np.pi / settings.num_nodes)
    grid = np.linspace(-np.pi, np.pi, 10_001)
    exact = getattr(np, settings.function)
    fit, test = (Batch(np.float32(x), np.float32(exact(np.float32(x).astype(float)))) for x in (nodes, grid))
    return Dataset(fit, test=test, name=settings.function)


def learner(hparams: Hparams, settings: Settings) -> Learner:
    """A series of the function, by the method named in the settings."""
    choice("method", settings.method, METHODS)
    return METHODS[settings.method](hparams, settings)


def _series(settings: Settings) -> taylor.SeriesLayer:
    return taylor.SeriesLayer(SERIES[settings.function](settings.num_terms), scale=float(np.pi))


def _odd_series(f: Callable, num_terms: int) -> taylor.PowerSeries:
    whole = taylor.taylor_series(f, num_terms=2 * num_terms)
    return taylor.PowerSeries(whole.coefficients[1::2], first=1, stride=2)


def _largest(power: Scalar) -> Callable[[Array, Array], jax.Array]:
    """The ``power``-norm of the errors, which approaches the largest of them."""

    def loss(outputs: Float[Array, " n"], targets: Float[Array, " n"]) -> jax.Array:
        errors = jnp.abs(outputs - targets)
        most = jax.lax.stop_gradient(errors.max())  # else high powers would vanish
        return most * jnp.mean((errors / most) ** power) ** (1 / power)

    return loss


SERIES: dict[str, Callable[[int], taylor.PowerSeries]] = {
    "sin": taylor.sine_series,
    "tanh": functools.partial(_odd_series, jnp.tanh),
}
METHODS: dict[str, Callable[[Hparams, Settings], Learner]] = {
    "coefficients": lambda h, s: gradient(_series(s), losses.squared_error, optax.set_to_zero()),
    "taylor_mode": lambda h, s: gradient(
        taylor.TaylorLayer(FUNCTIONS[s.function], 2 * s.num_terms),  # the even ones are 0
        losses.squared_error,
        optax.set_to_zero(),
    ),
    "learned": lambda h, s: gradient(_series(s), losses.squared_error, optax.lbfgs()),
    "minimax": lambda h, s: gradient(_series(s), _largest(h.power), optax.lbfgs()),
}


def metrics(outputs: Float[Array, " n"], exact: Float[Array, " n"]) -> Metrics:
    """The reconstruction loss and the largest error."""
    largest = jnp.abs(outputs - exact).max()
    return {"squared_error": losses.squared_error(outputs, exact), "largest_error": largest}


def variants() -> dict[str, tuple[Hparams, Settings]]:
    """Three terms and ten of the sine, five of the hyperbolic tangent."""
    rows = {
        "sin_3_coefficients": Settings(method="coefficients"),
        "sin_3_learned": Settings(num_steps=60),
        "sin_3_minimax": Settings(method="minimax", num_steps=60),
        "sin_10_coefficients": Settings(method="coefficients", num_terms=10),
        "sin_10_taylor_mode": Settings(method="taylor_mode", num_terms=10),
        "tanh_5_coefficients": Settings("tanh", "coefficients", num_terms=5),
        "tanh_5_learned": Settings("tanh", num_terms=5, num_steps=60),
    }
    return {name: (Hparams(), settings) for name, settings in rows.items()}


def checks(results: list[Result], dataset: Dataset) -> dict[str, float]:
    """By how much learning three terms lowers the largest error."""
    largest = {result.name: result.metrics["test_largest_error"].mean() for result in results}
    return {"gain_of_learning_3": float(largest["sin_3_coefficients"] / largest["sin_3_learned"])}


FINDINGS = {
    "sin_3_coefficients": ("frozen-parameters",),
    "sin_10_coefficients": ("frozen-parameters",),
    "tanh_5_coefficients": ("frozen-parameters", "initial-loss-off"),
    "tanh_5_learned": ("initial-loss-off",),
}
"""Taylor's coefficients are not learned; the series of tanh does not converge on all of the interval."""
GOALS = (
    Goal("test_largest_error", at_most=1e-6, row="sin_10_coefficients", seeds=1),
    Goal("test_largest_error", at_most=1e-6, row="sin_10_taylor_mode", seeds=1),
    Goal("gain_of_learning_3", at_least=10.0),
)


def figures(results: list[Result], dataset: Dataset) -> dict[str, Figure]:
    """The size of the error along the interval: the largest of each 50 neighbouring points."""
    pictures = {}
    for function in dict.fromkeys(result.settings.function for result in results):
        rows = [result for result in results if result.settings.function == function]
        x, exact = data(rows[0].settings).test
        errors = {
            row.name.partition("_")[2].replace("_", " "): _envelope(
                train.predict(row.learner, row.runs[0].state, x) - exact
            )
            for row in rows
        }
        pictures[function] = plot.curves(
            x[25::50],
            errors,
            x_label="x",
            y_label="absolute error",
            title=f"Series of {function}",
            log_y=True,
        )
    return pictures


def _envelope(errors: Float[Array, " n"]) -> Float[np.ndarray, " m"]:
    return np.abs(errors[:-1]).reshape(-1, 50).max(axis=1)
