"""The line between two classes, from the weights and the bias of a logistic regression.

Source: the question how to draw the line that a logistic regression with an L1 or L2 penalty has found, from
``coef_`` and ``intercept_``: it is ``w1 x1 + w2 x2 + b = 0``.
Command: python -m experiments separating_line
Expected: on 2 CPU cores, 2026-11-22, 1 seed (it is deterministic): degrees from the line that made the labels
0.19 (l2), 0.89 (l1), 0.06 (both), 1.05 (weak), 26.57 (strong_l1: one weight is 0). Over 50 random lines 0.58
on average and 1.80 at most with the L2 penalty, 0.47 and 1.49 with L1, 0.65 and 1.94 with both. Coefficients
differ from scikit-learn's by 2.8e-5 of the largest at most. A fit takes less than a second.

Class 1 has the probability ``sigmoid(20 (n . x + c))``, so rows near the line are on either side.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Annotated, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import tyro

from experiments._contract import Goal
from jaxnets import models, plot, train
from jaxnets.check import POSITIVE, Interval
from jaxnets.data import Dataset
from jaxnets.learner import Learner
from jaxnets.metrics import accuracy
from jaxnets.plane import Line, degrees_between, line, line_between
from jaxnets.types import Array, Batch, Float, Key, Metrics, State

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from experiments._run import Result

TRUTH = line(np.array([1.0, 2.0]), np.array(-0.4))
STEEPNESS = 20.0
NUM_LINES = 50
PENALTIES = ("l2", "l1", "both")
SMALL = {"num_examples": 50}


class Hparams(NamedTuple):
    """Traced scalars."""

    l2: tyro.conf.Fixed[float] = 1.0
    """0.5 strength l2 |w|^2 is added to the summed loss; ``--rows`` chooses."""
    l1: tyro.conf.Fixed[float] = 0.0
    """strength l1 |w|_1 is added to it; ``--rows`` chooses."""
    strength: Annotated[float, POSITIVE] = 1.0
    """Of the penalties of all rows, which so keep their ratios."""


class Settings(NamedTuple):
    """Static choices."""

    num_examples: Annotated[int, Interval(10)] = 2000
    """Rows to train on, and as many to test on."""
    num_steps: Annotated[int, Interval(1, 2**31 - 1)] = 500
    """Updates at most."""


GOALS = (
    *(Goal("degrees", at_most=2.0, row=row, seeds=1) for row in PENALTIES),
    *(Goal(f"mean_degrees_by_{name}", at_most=2.0, seeds=1) for name in PENALTIES),
    Goal("difference_from_scikit_learn", at_most=1e-3, seeds=1),
)


def draw(key: Key, truth: Line, *, num_examples: int) -> Batch:
    """Points of the square [-1, 1]^2, class 1 with a probability that grows across the line."""
    point_key, label_key = jax.random.split(key)
    points = jax.random.uniform(point_key, (num_examples, 2), minval=-1.0)
    log_odds = STEEPNESS * (points @ jnp.asarray(truth.normal, points.dtype) + truth.offset)
    return Batch(points, jax.random.bernoulli(label_key, jax.nn.sigmoid(log_odds)).astype(jnp.int32))


def data(settings: Settings) -> Dataset:
    """Two draws around one line."""
    keys = jax.random.split(jax.random.key(0))
    rows = [jax.tree.map(np.asarray, draw(key, TRUTH, num_examples=settings.num_examples)) for key in keys]
    return Dataset(rows[0], test=rows[1], name="line", num_classes=2)


def learner(hparams: Hparams, settings: Settings) -> Learner:
    """The binary model: one weight a feature, and a bias that is not penalised."""
    l2, l1 = (hparams.strength * part for part in (hparams.l2, hparams.l1))
    return models.logistic_regression(num_classes=2, l2=l2, l1=l1, loss=models.one_vs_rest_cross_entropy)


def evaluate(learner: Learner, state: State, dataset: Dataset) -> Metrics:
    """The angle to the line that made the labels, the difference of their distances to 0, and accuracy.

    Where no weight is left, there is no line: the angle and the difference are NaN.
    """
    found = line_between(state.coefficients, state.intercept)
    scores = learner.predict(state, dataset.test.inputs)
    return {
        "degrees": degrees_between(found, TRUTH),
        "offset_error": jnp.abs(found.offset - TRUTH.offset),
        "weights_left": jnp.sum(state.coefficients[:, 1] != state.coefficients[:, 0]),
        "test_accuracy": accuracy(scores, dataset.test.targets),
    }


def variants() -> dict[str, tuple[Hparams, Settings]]:
    """Hardly a penalty, either, both, and an L1 so strong that one weight is 0."""
    penalties = {
        "weak": (1e-3, 0.0),
        "l2": (1.0, 0.0),
        "l1": (0.0, 1.0),
        "both": (1.0, 1.0),
        "strong_l1": (0.0, 250.0),
    }
    return {name: (Hparams(*strengths), Settings()) for name, strengths in penalties.items()}


def checks(results: list[Result], dataset: Dataset) -> dict[str, float]:
    """50 lines instead of one, by each penalty, and scikit-learn's numbers for the same rows."""
    keys = jax.random.split(jax.random.key(1), NUM_LINES)
    strength = jnp.full(3, results[0].hparams.strength)
    penalties = Hparams(jnp.array([1.0, 0.0, 1.0]), jnp.array([0.0, 1.0, 1.0]), strength)
    angle = functools.partial(_angle, settings=results[0].settings)
    angles = jax.jit(jax.vmap(jax.vmap(angle, (0, None)), (None, 0)))(keys, penalties)
    differences = [_difference(result, dataset.train) for result in results]
    found = {"difference_from_scikit_learn": max(differences)}
    for name, some in zip(PENALTIES, angles, strict=True):
        found |= {f"mean_degrees_by_{name}": float(some.mean()), f"most_degrees_by_{name}": float(some.max())}
    return found


def _angle(key: Key, penalties: Hparams, *, settings: Settings) -> Float[Array, ""]:
    """Of the line found with these penalties, for a random line and its rows."""
    line_key, rows_key, run_key = jax.random.split(key, 3)
    normal = jax.random.normal(line_key, (3,))
    truth = line(normal[:2], jnp.tanh(normal[2]) * jnp.linalg.norm(normal[:2]) / 2)
    rows = draw(rows_key, truth, num_examples=settings.num_examples)
    state = train.run(run_key, learner(penalties, settings), rows, num_steps=settings.num_steps).state
    return degrees_between(line_between(state.coefficients, state.intercept), truth)


def _difference(result: Result, rows: Batch) -> float:
    """Largest difference from scikit-learn's numbers, as a share of the largest of them."""
    expected, state = _by_scikit_learn(result.hparams, rows), result.runs[0].state
    found = np.append(state.coefficients[:, 1], state.intercept[1])
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def _by_scikit_learn(hparams: Hparams, rows: Batch) -> Float[np.ndarray, " d1"]:
    """Its weights and intercept; where all weights are 0, the intercept that fits the classes' shares."""
    from sklearn.linear_model import LogisticRegression

    share = hparams.l1 / (hparams.l2 + hparams.l1)
    strength = hparams.strength * (hparams.l2 + hparams.l1)
    peer = LogisticRegression(
        C=1 / strength, l1_ratio=share, solver="saga", tol=1e-10, max_iter=100_000, random_state=0
    ).fit(rows.inputs.astype(np.float64), rows.targets)
    ones = np.mean(rows.targets)
    # SAGA watches the weights alone: it stops at once, before its intercept, where none comes to be.
    intercept = peer.intercept_ if peer.coef_.any() else np.log(ones / (1 - ones))
    return np.append(peer.coef_[0], intercept)


def figures(results: list[Result], dataset: Dataset) -> dict[str, Figure]:
    """All lines over the test rows."""
    states = {result.name: result.runs[0].state for result in results}
    found = [line_between(state.coefficients, state.intercept) for state in states.values()]
    lines = [TRUTH, *found]
    rows = jax.tree.map(lambda leaf: leaf[:500], dataset.test)
    return {
        "lines": plot.lines_in_plane(
            *rows, np.stack([one.normal for one in lines], axis=1), np.array([one.offset for one in lines]),
            names=["that made the labels", *states], title="logistic regression: w . x + b = 0",
        )
    }  # fmt: skip
