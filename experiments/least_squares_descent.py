"""Least squares by gradient descent: five rules for the size of a step, and a rate that is too large.

Source: a question about a regression by gradient descent whose rate of 0.05 blew up, with the coefficients
4.344435, 4.387702, 0.450958; Barzilai & Borwein 1988.
Command: python -m experiments least_squares_descent
Expected: Barzilai and Borwein's steps in float64, the worst of 5 starts on 2 CPU cores, 2026-11-22: error
3.8e-8 in 24 steps (long) and 2.9e-8 in 34 (short), a fit in less than a second. In float32 (5 seeds), to a
gradient of 1e-3: bb_long 9.3e-4 ± 1.6e-3 in 20 steps, bb_short 6.7e-4 ± 1.2e-3 in 14. After 200 steps: exact
0.977 ± 0.589, backtracking 1.549 ± 0.447, constant_smaller (a rate of 0.03) 1.609 ± 0.464. The constant
rate 0.05 diverges after 7 or 8 steps: the largest stable one is 0.032.

The question's rows are not public, so these are made: 1,000 rows of an intercept and two whole numbers from 0
to 10, and targets with the question's coefficients and a noise from which its part in the columns is taken
away, so that the coefficients are the exact solution. The largest curvature is 63, the smallest 0.148.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import tyro

from experiments._contract import Goal
from jaxnets import models, plot, status, step_sizes, train
from jaxnets.check import NON_NEGATIVE, POSITIVE, Interval
from jaxnets.data import Dataset
from jaxnets.learner import Learner
from jaxnets.models.least_squares import curvatures
from jaxnets.types import Array, Batch, Float, Metrics, State

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from experiments._run import Result

SOLUTION = np.array([4.344435, 4.387702, 0.450958])
RULES = {
    "constant": lambda h: step_sizes.constant(h.learning_rate),
    "constant_smaller": lambda h: step_sizes.constant(0.6 * h.learning_rate),
    "backtracking": lambda h: step_sizes.backtracking(step_sizes.constant(1.0)),
    "exact": lambda h: step_sizes.exact,
    "bb_long": lambda h: step_sizes.safeguarded(step_sizes.barzilai_borwein_long),
    "bb_short": lambda h: step_sizes.safeguarded(step_sizes.barzilai_borwein_short),
}


class Hparams(NamedTuple):
    """Traced scalars."""

    learning_rate: Annotated[float, POSITIVE] = 0.05
    """Of the rule ``constant``; ``constant_smaller`` takes three fifths of it."""
    tolerance: Annotated[float, NON_NEGATIVE] = 1e-3
    """Norm of the gradient at which a run ends."""


class Settings(NamedTuple):
    """Static choices."""

    rule: tyro.conf.Fixed[
        Literal["constant", "constant_smaller", "backtracking", "exact", "bb_long", "bb_short"]
    ] = "bb_long"
    """For the size of a step; ``--rows`` chooses among them."""
    num_examples: Annotated[int, Interval(4)] = 1000
    """Rows."""
    num_steps: Annotated[int, Interval(0, 2**31 - 1)] = 200
    """Steps at most."""
    evaluate_every: Annotated[int, Interval(1)] = 1
    """Steps between the points of the picture."""


def data(settings: Settings) -> Dataset:
    """Rows whose least-squares solution is ``SOLUTION``, exactly but for rounding."""
    generator = np.random.default_rng(0)
    columns = generator.integers(0, 11, (settings.num_examples, 2))
    inputs = np.column_stack([np.ones(settings.num_examples), columns])
    noise = generator.normal(size=settings.num_examples)
    noise -= inputs @ np.linalg.lstsq(inputs, noise)[0]
    names = ("intercept", "x1", "x2")
    return Dataset(Batch(inputs, inputs @ SOLUTION + noise), name="regression", feature_names=names)


def learner(hparams: Hparams, settings: Settings) -> Learner:
    """Gradient descent by the rule named in the settings."""
    rule = RULES[settings.rule](hparams)
    return models.least_squares(step_size=rule, tolerance=hparams.tolerance)


def evaluate(learner: Learner, state: State, dataset: Dataset) -> Metrics:
    """The largest error of a coefficient, the steps it took, and the rate above which a constant diverges."""
    return {
        "error": np.abs(np.asarray(state.coefficients) - SOLUTION).max(),
        "steps": state.steps,
        "largest_stable_rate": _largest_stable_rate(dataset),
    }


def _largest_stable_rate(dataset: Dataset) -> Float[Array, ""]:
    return 2 / curvatures(dataset.train.inputs)[-1]


def variants() -> dict[str, tuple[Hparams, Settings]]:
    """The rate that diverges, a smaller one that is stable, and four rules that need none."""
    return {name: (Hparams(), Settings(name)) for name in RULES}


FINDINGS = {"constant": ("step-too-large",)}
GOALS = (
    *(Goal(f"{length}_error", at_most=1e-6) for length in ("long", "short")),
    *(Goal(f"{length}_steps", at_most=200) for length in ("long", "short")),
    Goal("constant_diverges", at_least=1.0),
    Goal("largest_stable_rate", at_most=Hparams().learning_rate, seeds=1),
)


def checks(results: list[Result], dataset: Dataset) -> dict[str, float]:
    """Both formulas of Barzilai and Borwein in float64, the worst of five starts; the constant rate's end.

    ``constant_diverges`` is 1 if the rate diverges with every seed, and ``largest_stable_rate`` says why.
    """
    (constant,) = (row for row in results if row.settings.rule == "constant")
    found = {
        "constant_diverges": all(ending.startswith("diverged") for ending in constant.statuses),
        "largest_stable_rate": _largest_stable_rate(dataset),
    }
    # In float32 the rounding of the coefficients alone can be a gradient of 1.3e-5, far above the tolerance.
    for length in ("long", "short"):
        with jax.enable_x64(True):
            run = _five_starts(RULES[f"bb_{length}"](Hparams()), dataset.train)
            error = np.abs(np.asarray(run.state.coefficients) - SOLUTION).max()
        converged = (run.status.code == status.CONVERGED).all()
        found |= {f"{length}_error": error, f"{length}_steps": run.status.step.max() if converged else np.inf}
    return {name: float(value) for name, value in found.items()}


def _five_starts(rule: step_sizes.StepSize, rows: Batch) -> train.Run:
    model, rows = models.least_squares(step_size=rule, tolerance=1e-8), jax.tree.map(jnp.asarray, rows)
    return jax.jit(jax.vmap(lambda key: train.run(key, model, rows, num_steps=200)))(
        jax.random.split(jax.random.key(0), 5)
    )


def figures(results: list[Result], dataset: Dataset) -> dict[str, Figure]:
    """The gradient's norm, step by step, and the sizes of the first steps of one seed."""
    steps = max((result.steps for result in results), key=len)
    names = [_with_ending(result) for result in results]
    norms, all_sizes = ([row.histories(name) for row in results] for name in ("gradient_norm", "size"))
    sizes = [seeds[0][:40] for seeds in all_sizes]
    figure = plot.curves(
        steps, dict(zip(names, norms, strict=True)), x_label="step", y_label="norm of the gradient",
        log_x=True, log_y=True, count_ended=False,
    )  # fmt: skip
    figure.axes[0].set_ylim(bottom=1e-5)
    title = f"a constant is stable below {_largest_stable_rate(dataset):.3f}"
    return {
        "gradient_norm": figure,
        "sizes": plot.curves(
            steps[:40], dict(zip(names, sizes, strict=True)), x_label="step", y_label="size of the step",
            title=title, log_y=True, count_ended=False,
        ),
    }  # fmt: skip


def _with_ending(result: Result) -> str:
    """The row's name, and of how many seeds the steps ended before the last, and how."""
    endings = Counter(ending.partition(" ")[0] for ending in result.statuses)
    shares = [
        ending if count == len(result.runs) else f"{count} of {len(result.runs)} {ending}"
        for ending, count in endings.items()
        if ending != "ok"
    ]
    return f"{result.name} ({', '.join(shares)})" if shares else result.name
