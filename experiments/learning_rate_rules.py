"""AdaGrad, RMSProp, AdaDelta, Adam and the rate 1/n where they differ: rare rows and uneven curvature.

Source: the papers named in jaxnets/optimizers; the rate 1/n by coordinate or by row of an embedding.
Command: python -m experiments learning_rate_rules
Expected: mean squared error of the table after 10,000 steps (sparse) and 1,000 (scaled), mean ± std over
5 seeds on 2 CPU cores, 2026-11-22: sparse inverse_count 0.352 ± 0.002, inverse_count_rows 0.385 ± 0.001,
adagrad 0.426 ± 0.002, sgd 0.436 ± 0.003, adadelta 0.523 ± 0.003, adam 0.544 ± 0.004, rmsprop 0.558 ±
0.002, adam_only_seen 0.576 ± 0.002; scaled sgd 0.011 ± 0.005, all others below 1e-10. Each rule is optax's,
to 1e-6; the rate 1/n is the running mean to 1e-14 in float64, where rows come twice in a batch, too. Adam
moves numbers that are not in the batch by 0.06, no other rule does. One to two minutes, mostly compiling.

Each example is a row ``i`` of a table with noisy values ``x`` and weights ``a``, and costs
``1/2 sum_j a_j (w_ij - x_j)^2``. Two problems are two choices of rows and weights:

- ``sparse``: rows as frequent as words (1/rank), half of the coordinates not observed (``a = 0``), one
  example a step, one pass. The best estimate is the mean of what was observed, which the rate 1/n gives.
- ``scaled``: one row, curvatures ``a`` from 0.01 to 100, no noise: one rate cannot suit all coordinates.

The error is the mean squared distance from the true table, in which every row counts the same. The rates
were chosen by it, so each rule is shown at its best: on the sparse problem the best of 0.003, 0.01, 0.03, and
so on to 300, and better than its neighbours among them on two other draws of the problem, too (`--draw 1`,
`--draw 2`, with 1 seed); on the scaled one the best for sgd, and for the others one of those that end below
1e-10.
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
from jaxnets import optimizers, plot, train
from jaxnets.check import NON_NEGATIVE, Interval, choice
from jaxnets.data import Dataset
from jaxnets.learner import GradientState, Learner
from jaxnets.types import Array, Batch, Float, Int, Key, Metrics, PyTree

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from experiments._run import Result


class Hparams(NamedTuple):
    """Traced scalars."""

    learning_rate: Annotated[float, NON_NEGATIVE] = 1.0
    """Of each rule, with whatever the rule divides it by."""


class Settings(NamedTuple):
    """Static choices."""

    rule: tyro.conf.Fixed[str] = "inverse_count"
    """One of RULES; ``--rows`` chooses."""
    problem: tyro.conf.Fixed[Literal["sparse", "scaled"]] = "sparse"
    """``sparse`` or ``scaled``; ``--rows`` chooses."""
    num_steps: Annotated[int, Interval(0, 2**31 - 1)] = 10_000
    """Updates."""
    batch_size: Annotated[int | None, Interval(1)] = 1
    """Examples an update."""
    draw: Annotated[int, Interval(0, 2**32 - 1)] = 0
    """Which draw of the problem: the seed of its table and of its examples."""


def data(settings: Settings) -> Dataset:
    """Examples of the problem; the true table to validate and to test."""
    choice("problem", settings.problem, PROBLEMS)
    return _draw(settings.problem, settings.draw)


@functools.lru_cache(maxsize=2)
def _draw(problem: str, seed: int) -> Dataset:
    random = np.random.default_rng(seed)
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
    seen = optimizers.rows if settings.rule == "inverse_count_rows" else optimizers.coordinates
    return _table(RULES[settings.rule](hparams.learning_rate), PROBLEMS[settings.problem], seen)


def _table(optimizer: optax.GradientTransformation, shape: tuple[int, int], seen: Callable) -> Learner:
    """A table of normal numbers; the optimizer is told how often each number, or row, is in the batch."""
    optimizer = optax.with_extra_args_support(optimizer)

    def init(key: Key, data: Batch) -> GradientState:
        w = 0.1 * jax.random.normal(key, shape)
        return GradientState(w, {}, optimizer.init(w))

    def step(key: Key, state: GradientState, batch: Batch) -> tuple[GradientState, Metrics]:
        ids, targets = batch
        value, grads = _value_and_grad(state.params, ids, targets)
        times = seen(targets["weights"]).astype(int)
        present = jnp.zeros((shape[0], times.shape[1]), int).at[ids].add(times)
        updates, memory = optimizer.update(grads, state.optimizer, state.params, present=present)
        return GradientState(optax.apply_updates(state.params, updates), {}, memory), {"loss": value}

    return Learner(init, step, lambda state, ids: state.params[ids])


def _value_and_grad(
    w: Float[Array, "r d"], ids: Int[Array, " n"], targets: PyTree
) -> tuple[jax.Array, jax.Array]:
    """``1/2 sum_j a_j (w_ij - x_j)^2``, summed over the examples; the gradient is 0 off their rows."""
    gap = w[ids] - targets["values"]
    slope = targets["weights"] * gap
    return 0.5 * jnp.sum(slope * gap), jnp.zeros_like(w).at[ids].add(slope)


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
        "adadelta": 100.0, "adam": 0.03, "adam_only_seen": 0.1,
    },
    "scaled": {"sgd": 0.01, "adagrad": 0.3, "rmsprop": 0.01, "adadelta": 1.0, "adam": 0.03},
}  # fmt: skip
"""How they were found says the docstring; the steps of AdaDelta begin at 1e-3 whatever the gradient."""


def variants() -> dict[str, tuple[Hparams, Settings]]:
    """Each rule on the problems that concern it."""
    sizes = {"sparse": {}, "scaled": {"num_steps": 1000, "batch_size": None}}
    return {
        f"{problem}_{rule}": (Hparams(rate), Settings(rule, problem, **sizes[problem]))
        for problem, rates in RATES.items()
        for rule, rate in rates.items()
    }


def checks(results: list[Result], dataset: Dataset) -> dict[str, float]:
    """Distances from optax's rules and from the running means, and what moves though it is not in the batch.

    The running means are those of float64, one pass by one example an update and one by ten, in which a row
    may come more than once.
    """
    sparse = [row for row in results if row.settings.problem == "sparse"]
    moved = {row.settings.rule: _absent_moved(row) for row in sparse}
    ends = [run.state.params for result in results for run in result.runs]
    with jax.enable_x64(True):
        from_mean = max(map(_from_running_mean, (1, 10)))
    return {
        "from_optax": max(_from_optax(row) for row in results if row.settings.rule in PEERS),
        "from_running_mean": from_mean,
        "absent_moved_by_adam": moved.pop("adam", np.nan),
        "absent_moved_by_others": max(moved.values(), default=np.nan),
        "not_finite": float(sum((~np.isfinite(end)).sum() for end in ends)),
    }


def _absent_moved(row: Result) -> float:
    """The farthest that one more update, on the first example alone, moves what that does not hold."""
    first = jax.tree.map(lambda leaf: leaf[:1], data(row.settings).train)
    state = row.runs[0].state
    after, _ = row.learner.step(jax.random.key(0), state, first)
    moved = np.abs(np.asarray(after.params) - np.asarray(state.params))
    moved[first.inputs[:, None], np.flatnonzero(first.targets["weights"])[None]] = 0
    return float(moved.max())


def _from_running_mean(batch_size: int) -> float:
    """The largest distance of a table learned with the rate 1/n from the means of what was observed."""
    settings = Settings(batch_size=batch_size)
    sparse = jax.tree.map(_widened, data(settings).train)
    ids, (values, weights) = sparse.inputs, (sparse.targets[name] for name in ("values", "weights"))
    counts, totals = (np.zeros(PROBLEMS["sparse"]) for _ in range(2))
    np.add.at(counts, ids, weights)
    np.add.at(totals, ids, weights * values)
    sizes = {"num_steps": len(ids) // batch_size, "batch_size": batch_size}
    model = learner(Hparams(), settings)
    fit = jax.jit(lambda key, rows: train.run(key, model, rows, **sizes).state.params)
    found = np.asarray(fit(jax.random.key(0), sparse))
    return float(np.abs(found - totals / np.maximum(counts, 1))[counts > 0].max())


def _widened(leaf: Array) -> Array:
    return leaf.astype(np.float64) if leaf.dtype == np.float32 else leaf


def _from_optax(row: Result) -> float:
    """The largest distance of the first seed's table from that of optax's rule."""
    settings = row.settings
    rule = PEERS[settings.rule](row.hparams.learning_rate)
    peer = _table(rule, PROBLEMS[settings.problem], optimizers.coordinates)
    sizes = {"num_steps": int(row.runs[0].step), "batch_size": settings.batch_size}
    fit = jax.jit(lambda key, rows: train.run(key, peer, rows, **sizes).state.params)
    return float(jnp.abs(fit(jax.random.key(0), data(settings)) - row.runs[0].state.params).max())


GOALS = (
    Goal("from_optax", at_most=1e-6, seeds=1),
    Goal("from_running_mean", at_most=1e-12, seeds=1),
    Goal("absent_moved_by_adam", at_least=1e-4, seeds=1),
    Goal("absent_moved_by_others", at_most=0.0, seeds=1),
    Goal("not_finite", at_most=0.0, seeds=1),
)


def figures(results: list[Result], dataset: Dataset) -> dict[str, Figure]:
    """The error on the way, one picture a problem; what is below 1e-14 is rounding."""
    titles = {"sparse": "rare rows, half of the values unobserved", "scaled": "curvatures from 0.01 to 100"}
    pictures = {}
    for problem, *steps in dict.fromkeys((row.settings.problem, *row.steps.tolist()) for row in results):
        rows = [row for row in results if (row.settings.problem, *row.steps.tolist()) == (problem, *steps)]
        errors = {
            row.name.replace("_", " "): [np.maximum(seed, 1e-14) for seed in row.histories("valid_error")]
            for row in rows
        }
        pictures[f"{problem}_{max(steps, default=0)}_steps"] = plot.curves(
            np.array(steps), errors,
            x_label="step", y_label="mean squared error of the table", title=titles[problem], log_y=True,
        )  # fmt: skip
    return pictures
