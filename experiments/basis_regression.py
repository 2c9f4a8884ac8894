"""Curves from linear models: polynomial, Gaussian and sigmoid basis functions, the penalty chosen by LOO.

Source: Bishop, Pattern Recognition and Machine Learning, chapter 3; the Boston house prices (Harrison and
Rubinfeld 1978), from all 13 features and from one, LSTAT (share of poorer people in the suburb).
Command: python -m experiments basis_regression
Expected: root mean squared error of the price on 101 test suburbs in 1,000 dollars (one split, 1 seed:
nothing else is random, 2 CPU cores, 2026-11-22): linear 4.57, polynomial 3.49, gaussian 3.17, sigmoid 3.11;
from LSTAT alone 6.33, 5.34, 5.15, 5.15. In 64 bits the coefficients are scikit-learn's to 1e-8 of their
length, and the leave-one-out error is brute force's to 2e-10 at five of the 60 penalties, both ends among
them; predictions in 32 bits to 2e-6. One minute.

Each row fits 60 penalties in one vmap over one decomposition, with the error of leaving one row out in
closed form, and predicts with the best. The one input is the column with the largest correlation with the
target; ``--rows "gaussian, one input" --feature RM`` takes another, ``--dataset diabetes`` other data.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from sklearn.linear_model import Ridge

from experiments._contract import Goal
from experiments._data import load
from jaxnets import models, plot
from jaxnets.check import POSITIVE, InputError, Interval, choice, is_traced
from jaxnets.data import Dataset, scale
from jaxnets.data.transform import map_inputs
from jaxnets.learner import Learner
from jaxnets.metrics import r2, root_mean_squared_error
from jaxnets.models import basis
from jaxnets.types import Array, Batch, Float, Metrics, State

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from experiments._run import Result


class Hparams(NamedTuple):
    """Traced scalars."""

    low: Annotated[float, POSITIVE] = 1e-5
    """Lowest penalty."""
    high: Annotated[float, POSITIVE] = 1e3
    """Highest penalty."""
    width: Annotated[float, POSITIVE] = 1.0
    """Of the bumps and the steps, in distances between centres."""


class Settings(NamedTuple):
    """Static choices."""

    basis: tyro.conf.Fixed[str] = "polynomial"
    """linear, polynomial, gaussian or sigmoid."""
    is_one_input: tyro.conf.Fixed[bool] = False
    """Whether one column is used, or all."""
    feature: str = ""
    """Which column that is; by default the one with the largest correlation with the target."""
    num_functions: Annotated[int, Interval(2, 100)] = 10
    """Basis functions a column."""
    num_alphas: Annotated[int, Interval(1, 10_000)] = 60
    """Penalties of the path."""
    dataset: str = "boston"
    """A name or a file with numbers as targets."""
    num_train: Annotated[int | None, Interval(4)] = None
    """Training rows to keep; all if None."""
    num_steps: tyro.conf.Fixed[int] = 1
    """The solution."""


def data(settings: Settings) -> Dataset:
    """Columns of the training rows in [0, 1], where the centres lie too."""
    dataset = load(settings.dataset, num_examples=settings.num_train)
    if dataset.num_classes or np.ndim(dataset.train.inputs) != 2:
        raise InputError(f"data set {settings.dataset!r}: rows of numbers with a number as target are needed")
    names = dataset.feature_names or tuple(f"column {i + 1}" for i in range(dataset.train.inputs.shape[1]))
    dataset = scale(dataset).replace(feature_names=names)
    feature = settings.feature or names[most_correlated(dataset.train)]
    choice("feature", feature, names)
    if not settings.is_one_input:
        return dataset
    column = names.index(feature)
    return map_inputs(dataset, lambda x: x[:, [column]]).replace(feature_names=(feature,))


def most_correlated(rows: Batch) -> int:
    """The column whose correlation with the targets is farthest from 0; one that does not vary has none."""
    x, y = (np.asarray(part, np.float64) for part in rows)
    x = x - x.mean(0, keepdims=True)
    lengths = np.linalg.norm(x, axis=0)
    return int(np.argmax(np.abs((y - y.mean()) @ x) / np.where(lengths > 0, lengths, np.inf)))


def learner(hparams: Hparams, settings: Settings) -> Learner:
    """The ridge path in the features of the basis.

    Raises:
        InputError: the lowest penalty is not below the highest, or the powers of a row grow out of bounds.
    """
    low, high = hparams.low, hparams.high
    if not is_traced(low, high) and not float(low) < float(high):
        raise InputError(f"lowest penalty {low:g}: it must lie below the highest, {high:g}")
    if settings.basis == "polynomial":
        _check_powers(settings)
    alphas = jnp.geomspace(hparams.low, hparams.high, settings.num_alphas)
    return models.ridge_path(basis=features(hparams, settings), alphas=alphas)


def _check_powers(settings: Settings) -> None:
    """Rows to test on may lie far from those to train on, and powers carry them farther."""
    farthest = max(float(np.abs(rows.inputs).max()) for rows in data(settings).splits.values())
    highest = int(np.log(FARTHEST) / np.log(farthest)) if farthest > 1 else settings.num_functions
    if settings.num_functions > highest:
        raise InputError(
            f"num_functions = {settings.num_functions}: a row lies at {farthest:.3g}, where the training "
            f"rows are in [0, 1], allowed are powers up to {highest}"
        )


def features(hparams: Hparams, settings: Settings) -> Callable[[Float[Array, "n d"]], Float[Array, "n p"]]:
    """The basis functions that the settings name."""
    centres = jnp.linspace(0, 1, settings.num_functions)
    width = hparams.width / (settings.num_functions - 1)
    known = {
        "linear": lambda x: x,
        "polynomial": functools.partial(basis.polynomial, degree=settings.num_functions),
        "gaussian": functools.partial(basis.gaussian, centres=centres, width=width),
        "sigmoid": functools.partial(basis.sigmoid, centres=centres, width=width / 2),
    }
    choice("basis", settings.basis, known)
    return known[settings.basis]


def evaluate(learner: Learner, state: State, dataset: Dataset) -> Metrics:
    """Errors in the unit of the target, and the penalty that was chosen."""
    guesses, targets = learner.predict(state, dataset.test.inputs), dataset.test.targets
    return {
        "test_rmse": root_mean_squared_error(guesses, targets),
        "test_r2": r2(guesses, targets),
        "leave_one_out_rmse": jnp.sqrt(state.leave_one_out[state.chosen]),
        "alpha": state.alphas[state.chosen],
    }


def variants() -> dict[str, tuple[Hparams, Settings]]:
    """Each basis on all columns, and on one."""
    names = ("linear", "polynomial", "gaussian", "sigmoid")
    rows = {name: Settings(basis=name) for name in names}
    rows |= {f"{name}, one input": Settings(basis=name, is_one_input=True) for name in names}
    return {name: (Hparams(), settings) for name, settings in rows.items()}


FARTHEST = 1e12
"""As large as a power of a column may become; errors are squared, in 32 bits."""
TARGETS = {"boston": "price in 1,000 dollars", "diabetes": "progression of the disease"}
"""What the numbers to guess are, of the data sets that come with packages."""
GOALS = (
    Goal("scikit_learn_difference", at_most=1e-5, seeds=1),
    Goal("leave_one_out_difference", at_most=1e-5, seeds=1),
)
SMALL = {"num_functions": 3, "num_alphas": 4, "num_train": 30}


def checks(results: list[Result], dataset: Dataset) -> dict[str, float]:
    """Largest relative differences, over rows and penalties, from what obviously is right, in 64 bits.

    Brute force leaves rows out at the penalty that was chosen and at ``NUM_CHECKED`` more, from end to end.
    """
    found = [_differences(result) for result in results]
    return {name: max(one[name] for one in found) for name in found[0]}


def _differences(result: Result) -> dict[str, float]:
    rows = jax.tree.map(np.float64, data(result.settings).train)
    with jax.enable_x64(True):
        exact = learner(result.hparams, result.settings)
        path = jax.tree.map(np.asarray, jax.jit(exact.step)(jax.random.key(0), (), rows)[0])
        x = np.asarray(features(result.hparams, result.settings)(rows.inputs))
    places = np.append(np.linspace(0, len(path.alphas) - 1, NUM_CHECKED, dtype=int), path.chosen)
    brute = leave_each_out(x, rows.targets, path.alphas[places])
    every = np.tile(rows.targets[:, None], len(path.alphas))
    peer = Ridge(alpha=path.alphas).fit(x, every)  # a penalty for each column of targets
    state = result.runs[0].state
    guesses = result.learner.predict(state, np.float32(rows.inputs))
    return {
        "scikit_learn_difference": max(map(_relative, path.coefficients, peer.coef_)),
        "leave_one_out_difference": max(map(_relative, path.leave_one_out[places], brute)),
        "difference_in_32_bits": _relative(guesses, peer.predict(x)[:, state.chosen]),
    }


NUM_CHECKED = 4


def leave_each_out(
    x: Float[np.ndarray, "n p"], y: Float[np.ndarray, " n"], alphas: Float[np.ndarray, " a"]
) -> Float[np.ndarray, " a"]:
    """Mean squared error of each row in a fit of the others, made anew by the normal equations."""
    errors = []
    for out in range(len(y)):
        others, targets = np.delete(x, out, axis=0), np.delete(y, out)
        origin, offset = others.mean(0), targets.mean()
        others = others - origin[None]
        systems = others.T @ others + alphas[:, None, None] * np.eye(x.shape[1])
        w = np.linalg.solve(systems, (others.T @ (targets - offset))[None, :, None])[:, :, 0]
        errors.append(y[out] - offset - w @ (x[out] - origin))
    return np.mean(np.square(errors), axis=0)


def _relative(found: Array, expected: Array) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def figures(results: list[Result], dataset: Dataset) -> dict[str, Figure]:
    """Curves over one input, errors over penalties, and the path of the coefficients."""
    states = {result.name: result.runs[0].state for result in results}
    target = TARGETS.get(dataset.name, "target")
    pictures = {
        "leave_one_out": plot.curves(
            {name: state.alphas for name, state in states.items()},
            {name: jnp.sqrt(state.leave_one_out) for name, state in states.items()},
            x_label="penalty alpha", y_label=f"leave-one-out RMSE, {target}", log_x=True,
            log_y=True, title="Error of the row left out",
        )
    }  # fmt: skip
    for result in results:
        if result.settings.basis == "linear" and not result.settings.is_one_input:
            pictures["ridge_path"] = _path(states[result.name], data(result.settings))
    curves = {result.name: _curve(result) for result in results if result.settings.is_one_input}
    if curves:
        one = data(next(result.settings for result in results if result.settings.is_one_input))
        pictures["one_input"] = plot.fit(
            one.train.inputs[:, 0], one.train.targets, curves, title="One input",
            x_label=f"{one.feature_names[0]}, scaled to [0, 1]", y_label=target,
        )  # fmt: skip
    return pictures


def _curve(result: Result) -> Callable[[Array], Array]:
    return lambda x: result.learner.predict(result.runs[0].state, x[:, None])


def _path(state: State, dataset: Dataset) -> Figure:
    chosen = float(state.alphas[state.chosen])
    return plot.path(
        state.alphas, state.coefficients, dataset.feature_names, chosen=chosen, title="Ridge path, linear"
    )
