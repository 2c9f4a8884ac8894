"""AdaGrad, RMSProp, AdaDelta, Adam and the rate 1/n where they differ: rare rows and uneven curvature.

Source: the papers named in jaxnets/optimizers; the rate 1/n by coordinate or by row of an embedding.
Command: python -m experiments learning_rate_rules
Expected: mean squared error of the table after 10,000 steps (sparse) and 1,000 (scaled), mean ± std over
5 seeds on 2 CPU cores, 2026-11-22: sparse inverse_count 0.352 ± 0.002, inverse_count_rows 0.385 ± 0.001,
adagrad 0.426 ± 0.002, sgd 0.436 ± 0.003, adadelta 0.523 ± 0.003, rmsprop 0.558 ± 0.002, adam 0.568 ±
0.002, adam_only_seen 0.576 ± 0.002; scaled sgd 0.011 ± 0.005, all others below 1e-10. Each rule is optax's,
and the rate 1/n the running mean, to 1e-6. One to two minutes, most of them compiling.

Each example is a row ``i`` of a table with noisy values ``x`` and weights ``a``, and costs
``1/2 sum_j a_j (w_ij - x_j)^2``. Two problems are two choices of rows and weights:

- ``sparse``: rows as frequent as words (1/rank), half of the coordinates not observed (``a = 0``), one
  example a step, one pass. The best estimate is the mean of what was observed, which the rate 1/n gives.
- ``scaled``: one row, curvatures ``a`` from 0.01 to 100, no noise: one rate cannot suit all coordinates.

The error is the mean squared distance from the true table, in which every row counts the same.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments._contract import Goal
from jaxnets import models, optimizers, plot, train
from jaxnets.check import NON_NEGATIVE, Interval, choice
from jaxnets.data import Dataset
from jaxnets.learner import Learner
from jaxnets.types import Array, Batch, Float, Int, Metrics, PyTree

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from experiments._run import Result


class Hparams(NamedTuple):
    """Traced scalars."""

    learning_rate: Annotated[float, NON_NEGATIVE] = 1.0
    """Of each rule, with whatever the rule divides it by."""


class Settings(NamedTuple):
    """Static choices."""

    rule: str = "inverse_count"
    """One of RULES."""
    problem: str = "sparse"
    """``sparse`` or ``scaled``."""
    num_steps: Annotated[int, Interval(0, 2**31 - 1)] = 10_000
    """Updates, one example each."""
    batch_size: Annotated[int | None, Interval(1)] = 1
    """Examples an update."""


def data(settings: Settings) -> Dataset:
    """Examples of the problem; the true table to validate and to test."""
    choice("problem", settings.problem, PROBLEMS)
    return _draw(settings.problem)


@functools.cache
def _draw(problem: str) -> Dataset:
    random = np.random.default_rng(0)
    table = random.normal(size=PROBLEMS[problem])
    ids, weights, noise = DRAWS[problem](random)
    values = table[ids] + noise * random.normal(size=weights.shape)
    train = Batch(ids, {"values": np.float32(values), "weights": np.float32(weights)})
    truth = Batch(np.arange(len(table)), {"values": np.float32(table), "weights": np.ones_like(table)})
    return Dataset(train, truth, truth, name=problem)


def _sparse(random: np.random.Generator) -> tuple[Array, Array, float]:
    chance = 1 / np.arange(1.0, 1001.0)
    ids = random.choice(1000, size=10_000, p=chance / chance.sum())
    return ids, random.integers(0, 2, (10_000, 8)), 0.5


def _scaled(random: np.random.Generator) -> tuple[Array, Array, float]:
    return np.zeros(1, int), np.logspace(-2, 2, 9)[None], 0.0


PROBLEMS = {"sparse": (1000, 8), "scaled": (1, 9)}
"""Rows and columns of the table."""
DRAWS = {"sparse": _sparse, "scaled": _scaled}
"""Row and weights of each example, and the noise's standard deviation."""


def learner(hparams: Hparams, settings: Settings) -> Learner:
    """The table, learned by the rule named in the settings."""
    choice("rule", settings.rule, RULES)
    return _table(RULES[settings.rule](hparams.learning_rate), PROBLEMS[settings.problem])


def _table(optimizer: optax.GradientTransformation, shape: tuple[int, int]) -> Learner:
    def init(key: jax.Array) -> jax.Array:
        return 0.1 * jax.random.normal(key, shape)

    return models.by_hand(init, _value_and_grad, optimizer, lambda w, ids: w[ids])


def _value_and_grad(
    w: Float[Array, "r d"], ids: Int[Array, " n"], targets: PyTree
) -> tuple[jax.Array, jax.Array]:
    """``1/2 sum_j a_j (w_ij - x_j)^2``, the mean over the examples; the gradient is 0 off their rows."""
    gap = (w[ids] - targets["values"]) / len(ids)
    slope = targets["weights"] * gap
    return 0.5 * len(ids) * jnp.sum(slope * gap), jnp.zeros_like(w).at[ids].add(slope)


def metrics(rows: Float[Array, "n d"], targets: PyTree) -> Metrics:
    """Mean squared distance from the table."""
    return {"error": jnp.mean(jnp.square(rows - targets["values"]))}


RULES: dict[str, Callable[[float], optax.GradientTransformation]] = {
    "sgd": optax.sgd,
    "inverse_count": optimizers.inverse_count,
    "inverse_count_rows": lambda rate: optimizers.inverse_count(rate, seen=optimizers.rows),
    "adagrad": optimizers.adagrad,
    "rmsprop": optimizers.rmsprop,
    "adadelta": optimizers.adadelta,
    "adam": optimizers.adam,
    "adam_only_seen": lambda rate: optimizers.only_seen(optimizers.adam(rate), seen=optimizers.coordinates),
}
PEERS = {
    "adagrad": optax.adagrad,
    "rmsprop": optax.rmsprop,
    "adadelta": functools.partial(optax.adadelta, rho=0.95),
    "adam": optax.adam,
}
RATES = {
    "sparse": {
        "sgd": 1.0, "inverse_count": 1.0, "inverse_count_rows": 1.0, "adagrad": 1.0, "rmsprop": 0.1,
        "adadelta": 100.0, "adam": 0.01, "adam_only_seen": 0.1,
    },
    "scaled": {"sgd": 0.01, "adagrad": 0.3, "rmsprop": 0.01, "adadelta": 1.0, "adam": 0.03},
}  # fmt: skip
"""The best of 1, 0.3, 0.1, ... for each rule; the steps of AdaDelta begin at 1e-3 whatever the gradient."""


def variants() -> dict[str, tuple[Hparams, Settings]]:
    """Each rule on the problems that concern it."""
    sizes = {"sparse": {}, "scaled": {"num_steps": 1000, "batch_size": None}}
    return {
        f"{problem}_{rule}": (Hparams(rate), Settings(rule, problem, **sizes[problem]))
        for problem, rates in RATES.items()
        for rule, rate in rates.items()
    }


def checks(results: list[Result], dataset: Dataset) -> dict[str, float]:
    """How far all coordinates are from those of optax's rules, and from the means of what was observed.

    Those never observed are where they began, so the same for all rules.
    """
    rows = {result.name: result for result in results}
    counted = rows["sparse_inverse_count"]
    sparse = data(counted.settings).train
    ids, (values, weights) = sparse.inputs, (sparse.targets[name] for name in ("values", "weights"))
    counts, totals = (np.zeros(PROBLEMS["sparse"]) for _ in range(2))
    np.add.at(counts, ids, weights)
    np.add.at(totals, ids, weights * values)
    seen, found = counts > 0, np.asarray(counted.runs[0].state.params)
    unseen = [np.asarray(rows[f"sparse_{rule}"].runs[0].state.params)[~seen] for rule in RATES["sparse"]]
    return {
        "from_optax": max(_from_optax(row) for row in results if row.settings.rule in PEERS),
        "from_running_mean": float(np.abs(found - totals / np.maximum(counts, 1))[seen].max()),
        "unseen_moved": float(np.ptp(unseen, axis=0).max()),
        "not_finite": float(sum(np.isnan(row.runs[0].state.params).sum() for row in results)),
    }


def _from_optax(row: Result) -> float:
    """The largest distance of the first seed's table from that of optax's rule."""
    settings = row.settings
    peer = _table(PEERS[settings.rule](row.hparams.learning_rate), PROBLEMS[settings.problem])
    sizes = {"num_steps": int(row.runs[0].step), "batch_size": settings.batch_size}
    fit = jax.jit(lambda key, rows: train.run(key, peer, rows, **sizes).state.params)
    return float(jnp.abs(fit(jax.random.key(0), data(settings)) - row.runs[0].state.params).max())


GOALS = (
    Goal("from_optax", at_most=1e-6, seeds=1),
    Goal("from_running_mean", at_most=1e-5, seeds=1),
    Goal("unseen_moved", at_most=0.0, seeds=1),
    Goal("not_finite", at_most=0.0, seeds=1),
)


def figures(results: list[Result], dataset: Dataset) -> dict[str, Figure]:
    """The error on the way, one picture a problem; what is below 1e-14 is rounding."""
    titles = {"sparse": "rare rows, half of the values unobserved", "scaled": "curvatures from 0.01 to 100"}
    pictures = {}
    for problem in {result.settings.problem for result in results}:
        rows = [result for result in results if result.settings.problem == problem]
        errors = {
            row.settings.rule.replace("_", " "): [
                np.maximum(run.history["valid_error"], 1e-14) for run in row.runs
            ]
            for row in rows
        }
        pictures[problem] = plot.curves(
            rows[0].runs[0].history["step"], errors,
            x_label="step", y_label="mean squared error of the table", title=titles[problem], log_y=True,
        )  # fmt: skip
    return pictures
