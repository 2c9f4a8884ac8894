"""Ratings from factors: the most probable ones, all of them by Gibbs sampling, and by the no-U-turn sampler.

Source: Salakhutdinov & Mnih 2007, Probabilistic matrix factorization; 2008, Bayesian probabilistic matrix
factorization using Markov chain Monte Carlo; LKJ priors from Lewandowski, Kurowicka & Joe 2009.
Command: python -m experiments matrix_factorisation --dataset ml-100k.inter
Expected: on MovieLens 100k (90,000 ratings to train, 10,000 to test, one split), mean ± std over 5 seeds on
2 CPU cores, 2026-11-22: test RMSE of pmf 0.893 ± 0.000 (all seeds chose 16 of the penalties), of bpmf 0.883
± 0.000, whose 90 % intervals hold 0.901 ± 0.001 of the test ratings; 8 and 5 seconds a fit. By default on
made ratings with noise of 0.3: pmf 0.373 ± 0.004 (penalty 1), bpmf 0.339 ± 0.004; nuts on a small matrix:
largest R-hat 1.005 ± 0.003, no divergence, a minute a fit and as much to compile.

Ratings are split at random, 90 to 10. ``pmf`` chooses its penalty by a tenth of the training ratings, which
trials do without, and learns from all of them at the best. ``bpmf`` keeps the last 100 of 200 sweeps. Its
intervals hold 90 % of the predictive distribution, noise included, the same share left out on either side;
a rating is covered if it lies between the ends, which are not rounded to stars. ``nuts`` sees 12 x 10 cells
of rank 2, or of other data the ratings among the 15 busiest users and 12 items; R-hat is that of all
predictions and of the noise, since factors are known up to a rotation only. A Gibbs sweep was measured 5 to
9 times as fast as NumPy's loop over users and items, by the load of the machine: `checks` tells the
milliseconds of a sweep, of its products of blocks of 16 ratings, and of its roots and solves. Files are
those of MovieLens (``user, item, rating, time``, tabs between), with or without a header; without a file,
ratings are made from three factors.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import tyro

from experiments._contract import Goal
from experiments._timing import least_seconds
from jaxnets import plot
from jaxnets.check import POSITIVE, InputError, Interval
from jaxnets.data import Dataset, load, split, synthetic
from jaxnets.data.ratings import busiest, read
from jaxnets.learner import Learner
from jaxnets.metrics import root_mean_squared_error
from jaxnets.models.bpmf import BPMFState, bpmf, prior_of, sweep
from jaxnets.models.matrix_factorisation import Factors, PMFState, Ratings, conditional, pmf
from jaxnets.models.nuts_factorisation import Chains, nuts_factorisation, split_r_hat
from jaxnets.models.predictive import cumulative, interval
from jaxnets.models.rating_blocks import gram
from jaxnets.types import Array, Batch, Float, Key, Metrics, Scalar, State

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from experiments._run import Result

SUFFIXES, SMALL_MATRIX = (".inter", ".data"), "small_matrix"
TARGET_ACCEPT = 0.98
"""Of ``nuts``: at 0.9 two of five seeds had one divergence among 4,000 draws."""


class Hparams(NamedTuple):
    """None: ``pmf`` chooses its penalty, and the samplers draw theirs."""


class Settings(NamedTuple):
    """Static choices."""

    model: tyro.conf.Fixed[Literal["pmf", "bpmf", "nuts"]] = "pmf"
    """Which learner; ``--rows`` chooses among them."""
    dataset: str = "low_rank_ratings"
    """A MovieLens file, ``small_matrix``, or a name of jaxnets.data with (user, item) inputs."""
    rank: Annotated[int, Interval(2, 1000)] = 10
    """Factors of a user, and of an item."""
    num_samples: Annotated[int, Interval(1)] = 100
    """Draws to keep; of ``nuts`` in each of four chains, after as many to adapt."""
    num_steps: Annotated[int, Interval(0)] = 30
    """Sweeps over users and items; ``nuts`` runs whole in one."""
    penalties: tuple[Annotated[float, POSITIVE], ...] = (0.25, 1.0, 4.0, 16.0, 64.0)
    """From which ``pmf`` chooses: variance of the noise over variance of the factors."""
    num_users: Annotated[int | None, Interval(1)] = None
    """Keep the users with most ratings; all if None."""
    num_items: Annotated[int | None, Interval(1)] = None
    """Keep the items with most ratings; all if None."""


class Chosen(NamedTuple):
    """Ratings held out, a trial a penalty without them, and the factors of all ratings at the best one."""

    held_out: Batch
    trials: PMFState
    final: PMFState
    l2: Scalar


def data(settings: Settings) -> Dataset:
    """A random tenth of the ratings to test."""
    return _read_and_split(settings.dataset, settings.num_users, settings.num_items)


@functools.lru_cache(maxsize=4)
def _read_and_split(name: str, num_users: int | None, num_items: int | None) -> Dataset:
    if name == SMALL_MATRIX:
        sizes = {"num_examples": 96, "num_users": 12, "num_items": 10, "rank": 2}
        rows = jax.tree.map(np.asarray, synthetic.low_rank_ratings(jax.random.key(0), **sizes))
    else:
        rows = read(Path(name)) if Path(name).suffix in SUFFIXES else load(name, test_fraction=0.0).train
    pairs = rows.inputs
    if not isinstance(pairs, np.ndarray) or pairs.dtype.kind != "i" or pairs.shape[1:] != (2,):
        raise InputError(f"data set {name!r}: inputs that are pairs (user, item) are needed")
    user, item = map(busiest, pairs.T, (num_users, num_items))
    kept = (user >= 0) & (item >= 0)
    few = Batch(np.stack([user, item], axis=1)[kept], np.asarray(rows.targets, np.float32)[kept])
    return split(Dataset(few, name=Path(name).name), test_fraction=0.1)


def learner(hparams: Hparams, settings: Settings) -> Learner:
    """The learner named in the settings, for as many users and items as the data have."""
    num_users, num_items = _sizes(data(settings))
    sizes = {"num_users": num_users, "num_items": num_items, "rank": settings.rank}
    if settings.model == "pmf":
        return choosing(lambda l2: pmf(**sizes, l2=l2), jnp.asarray(settings.penalties))
    if settings.model == "bpmf":
        return bpmf(**sizes, num_samples=settings.num_samples)
    counts = {"num_warmup": settings.num_samples, "num_samples": settings.num_samples}
    return nuts_factorisation(**sizes, **counts, target_accept=TARGET_ACCEPT)


def choosing(learner_at: Callable[[Scalar], Learner], penalties: Float[Array, " p"]) -> Learner:
    """The penalty with the least error on a tenth of the training ratings, which the trials do not see.

    A step is one of each trial, and one with all ratings at the penalty that is best so far.
    """
    any_learner = learner_at(penalties[0])

    def init(key: Key, data: Batch) -> Chosen:
        order_key, factors_key = jax.random.split(key)
        num_rows = len(data.targets)
        order = jax.random.permutation(order_key, num_rows)
        held_out, seen = (
            jax.tree.map(lambda leaf, part=part: jnp.asarray(leaf)[part], data)
            for part in jnp.split(order, [max(1, num_rows // 10)])
        )
        trials = jax.vmap(lambda l2: learner_at(l2).init(factors_key, seen))(penalties)
        return Chosen(held_out, trials, any_learner.init(factors_key, data), penalties[0])

    def step(key: Key, state: Chosen, batch: Batch) -> tuple[Chosen, Metrics]:
        def try_at(l2: Scalar, trial: PMFState) -> tuple[PMFState, Scalar]:
            trial, _ = learner_at(l2).step(key, trial, batch)
            guesses = any_learner.predict(trial, state.held_out.inputs)
            return trial, root_mean_squared_error(guesses, state.held_out.targets)

        trials, errors = jax.vmap(try_at)(penalties, state.trials)
        l2 = penalties[errors.argmin()]
        final, metrics = learner_at(l2).step(key, state.final, batch)
        return Chosen(state.held_out, trials, final, l2), metrics

    return Learner(init, step, lambda state, pairs: any_learner.predict(state.final, pairs))


def _sizes(dataset: Dataset) -> tuple[int, int]:
    largest = np.concatenate([rows.inputs for rows in dataset.splits.values()]).max(axis=0)
    return int(largest[0]) + 1, int(largest[1]) + 1


def evaluate(learner: Learner, state: State, dataset: Dataset) -> Metrics:
    """Error on the test ratings; the penalty chosen; coverage and width of 90 % intervals; R-hat."""
    pairs, ratings = dataset.test
    numbers = {"test_rmse": root_mean_squared_error(jax.jit(learner.predict)(state, pairs), ratings)}
    if isinstance(state, Chosen):
        numbers["l2"] = state.l2
    if isinstance(state, BPMFState | Chains):
        low, high = jax.jit(functools.partial(interval, coverage=0.9))(state.predictive(pairs))
        numbers["coverage"] = np.mean((low <= ratings) & (ratings <= high))
        numbers["interval_width"] = np.mean(high - low)
    if isinstance(state, Chains):
        cells = np.indices(_sizes(dataset)).reshape(2, -1).T
        draws = jnp.concatenate([state.predictions(cells), state.noise[..., None]], axis=-1)
        numbers["largest_r_hat"] = split_r_hat(draws).max()
        numbers["divergences"] = state.diverging.sum()
    return numbers


def variants() -> dict[str, tuple[Hparams, Settings]]:
    """The mode, the posterior, and the posterior of a small matrix under priors that are not conjugate."""
    small = Settings("nuts", SMALL_MATRIX, 2, num_samples=1000, num_steps=1, num_users=15, num_items=12)
    return {
        "pmf": (Hparams(), Settings()),
        "bpmf": (Hparams(), Settings("bpmf", num_steps=200)),
        "nuts": (Hparams(), small),
    }


MOVIELENS = {"dataset": "ml-100k.inter"}
SMALL = {"rank": 2, "num_samples": 3}
GOALS = (
    Goal("test_rmse", at_most=0.935, row="pmf", settings=MOVIELENS),
    Goal("test_rmse", at_most=0.895, row="bpmf", settings=MOVIELENS),
    Goal("coverage", at_least=0.88, at_most=0.92, row="bpmf", settings=MOVIELENS),
    Goal(
        "gibbs_speedup",
        at_least=10,
        settings=MOVIELENS,
        seeds=1,
        note="5 to 9 by the load; of 16 ms on a busy machine 6 are products of blocks, 2 roots and solves",
    ),
    Goal("largest_r_hat", at_most=1.01, row="nuts"),
    Goal("divergences", at_most=0, row="nuts"),
)


def checks(results: list[Result], dataset: Dataset) -> dict[str, float]:
    """How many times faster a Gibbs sweep is than a loop over users and items in NumPy, both warm.

    And what a sweep's time is spent on: products of blocks, and roots and solves, each a program by itself.
    """
    result = next(result for result in results if result.name == "bpmf")
    state, rows = result.runs[0].state, data(result.settings).train
    prior = prior_of(result.settings.rank)
    compiled = jax.jit(functools.partial(sweep, prior=prior, num_ratings=len(rows.targets)))
    ours = functools.partial(compiled, jax.random.key(0), state.ratings, state.draw.factors)
    loop = _numpy_sweep(np.random.default_rng(0), rows, state.draw.factors)
    loops, sweeps = least_seconds(loop, ours, rounds=10)
    sums, solves = least_seconds(*_parts(state), rounds=10)
    parts = {"a_sweep": sweeps, "products_of_blocks": sums, "roots_and_solves": solves}
    return {"gibbs_speedup": float(loops / sweeps)} | {
        f"milliseconds_of_{name}": 1e3 * float(seconds) for name, seconds in parts.items()
    }


def _parts(state: BPMFState) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """A sweep's sums over the blocks, and its draws from given sums and normal numbers; of both sides."""
    factors, ratings = state.draw.factors, state.ratings
    rank = factors.users.shape[1]

    @jax.jit
    def products(factors: Factors, ratings: Ratings) -> tuple[Array, Array]:
        by_user = gram(factors.items, ratings.by_user, num_owners=len(factors.users))
        return by_user, gram(factors.users, ratings.by_item, num_owners=len(factors.items))

    @jax.jit
    def draws(sums: tuple[Array, Array], normal: Factors) -> list[Array]:
        mean, precision = jnp.zeros(rank), jnp.eye(rank)
        sides = zip(sums, normal, strict=True)
        return [conditional(sums, mean, precision, normal=one)[0] for sums, one in sides]

    return partial(products, factors, ratings), partial(draws, products(factors, ratings), factors)


def _numpy_sweep(
    generator: np.random.Generator, ratings: Batch, factors: Factors
) -> Callable[[], list[Array]]:
    """Draws every user's factors from their conditional, one after the other, and then every item's."""
    sides = [np.array(part) for part in factors]
    values = ratings.targets - ratings.targets.mean()
    rank, rated = sides[0].shape[1], []
    for side, factors_of in enumerate(sides):
        rows = [np.flatnonzero(ratings.inputs[:, side] == owner) for owner in range(len(factors_of))]
        rated.append([(ratings.inputs[some, 1 - side], values[some]) for some in rows])

    def draw(other: Array, value: Array, factors: Array) -> Array:
        seen = factors[other]
        root = np.linalg.cholesky(np.eye(rank) + 2 * seen.T @ seen)
        centred = np.linalg.solve(root, 2 * seen.T @ value)
        return np.linalg.solve(root.T, centred + generator.standard_normal(rank))

    def sweep() -> list[Array]:
        for side in (0, 1):
            sides[side] = np.stack([draw(other, value, sides[1 - side]) for other, value in rated[side]])
        return sides

    return sweep


def figures(results: list[Result], dataset: Dataset) -> dict[str, Figure]:
    """Errors, and whether intervals of all widths hold as many test ratings as they should."""
    levels, held, errors = np.linspace(0.05, 0.95, 19), {}, {}
    for result in results:
        pairs, ratings = data(result.settings).test
        state, name = result.runs[0].state, f"{result.name} on {data(result.settings).name}"
        errors[name] = result.metrics["test_rmse"]
        if isinstance(state, BPMFState | Chains):
            away = np.abs(2 * np.asarray(cumulative(state.predictive(pairs), ratings)) - 1)
            held[name] = (away[None] <= levels[:, None]).mean(axis=1)
    with np.errstate(invalid="ignore"):  # an error may be infinite, and then has no deviation
        means, stds = (np.array([f(values) for values in errors.values()]) for f in (np.mean, np.std))
    bars = plot.bars(list(errors), means, stds, label="test RMSE", lowest_is_best=True)
    pictures = {"errors": bars}
    if held:
        pictures["coverage"] = plot.curves(
            levels, held | {"as it should be": levels}, x_label="probability of the interval",
            y_label="share of test ratings in it", title="Predictive intervals",
        )  # fmt: skip
    return pictures
