"""Who goes on, who is copied and what a study is told, by numbers alone: nothing is compiled."""

import numpy as np
import pytest
import test_sweep as base

from jaxnets import status, sweep
from jaxnets.sweep import SweepResult, answers, halving, population
from jaxnets.sweep.cells import groups
from jaxnets.sweep.held import Held
from jaxnets.sweep.lanes import Layout
from jaxnets.sweep.part import Part
from jaxnets.sweep.plan import Plan
from jaxnets.sweep.results import in_the_end
from jaxnets.sweep.space import Space

GRID = sweep.Grid(learning_rate=[0.1, 0.2, 0.3, 0.4])
PLAN = Plan(base.TRIAL, GRID, (0, 1), (), Layout())
PART = Part(groups(base.TRIAL, GRID, [0, 1])[0], base.Settings(), base.DATA, (), True, 1)


def holding(*runs):
    """Cells between two stops: of each its status and its losses so far."""
    held = Held(PLAN, None)
    held.rows = {
        cell: {"status": np.array([code], np.int8), "entry/loss": np.array([losses], np.float32)}
        for cell, (code, losses) in enumerate(runs)
    }
    return held


@pytest.mark.parametrize(
    ("code", "losses", "value"),
    [
        (status.OK, [3, 2], 2),
        (status.CONVERGED, [3, np.nan, np.nan], 3),
        (status.OK, [3, np.inf], 3),
        (status.OK, [np.nan, np.inf], np.nan),
        (status.DIVERGED, [3, 2], np.nan),
    ],
)
def test_a_cell_is_judged_by_its_last_finite_number_and_not_at_all_if_it_diverged(code, losses, value):
    np.testing.assert_equal(holding((code, losses)).value(0, "loss"), value)


def test_a_metric_that_is_nan_in_the_end_has_no_number():
    """A precision where nothing is predicted positive any more: what it was before is not its result."""
    held = holding((status.OK, [3, 2, 1]))
    held.rows[0]["entry/precision"] = np.array([[1, 1, np.nan]], np.float32)
    np.testing.assert_equal(held.value(0, "precision"), np.nan)
    values, losses = np.array([[1, np.nan, np.nan], [1, 2, 2]]), np.array([[3, 2, np.nan]] * 2)
    np.testing.assert_equal(in_the_end(values, losses), [np.nan, 2])


@pytest.mark.parametrize(
    ("num", "lowest", "points"),
    [(1, True, [2]), (2, True, [2, 3]), (4, True, [0, 2, 3]), (1, False, [0]), (2, False, [0, 3])],
)
def test_the_best_points_go_on_and_never_one_with_a_diverged_seed(num, lowest, points):
    """Of the means 4, none, 1 and 2; the second point has the smallest loss, and a seed that diverged."""
    losses = [5, 3, 0, 0, 1, 1, 2, 2]
    held = holding(
        *((status.DIVERGED if cell == 3 else status.OK, [loss]) for cell, loss in enumerate(losses))
    )
    kept = halving._best(PLAN, PART, np.arange(8), held, "loss", num, lowest)
    assert kept.tolist() == [cell for point in points for cell in (2 * point, 2 * point + 1)]


def parents(losses, num, seed):
    return population._parents(np.random.default_rng(seed), np.array(losses, float), num).tolist()


def test_every_copy_draws_its_parent_from_all_of_the_best():
    found = [parents([5, 1, 4, 2, 3, 6], 2, seed) for seed in range(30)]
    assert {(one[0], one[5]) for one in found} == {(1, 1), (1, 3), (3, 1), (3, 3)}
    assert {tuple(one[1:5]) for one in found} == {(1, 2, 3, 4)}


@pytest.mark.parametrize(
    ("losses", "expected"),
    [([np.nan, np.inf, 2, np.nan], [0, 2, 2, 2]), ([np.nan, np.inf, np.inf, np.nan], [0, 1, 2, 3])],
)
def test_what_has_no_finite_number_is_never_copied(losses, expected):
    for seed in range(10):
        assert parents(losses, 2, seed) == expected


def test_a_failed_point_is_told_with_the_first_step_at_which_a_seed_diverged():
    columns = {
        "status": np.array(["diverged", "ok", "diverged", "diverged", "ok"]),
        "step": np.array([7, 1, 3, 9, 50]), "loss": np.array([1, 1, 1, 1, np.nan]),
    }  # fmt: skip
    result = SweepResult(columns, (), {}, np.zeros((5, 1)), [])
    told = answers._answer(result, "loss", slice(0, 4), np.nan)
    assert told == (None, {"diverged_step": 3})
    assert answers._answer(result, "loss", slice(4, 5), np.nan) == (None, {"without_number": "loss"})
    assert answers._answer(result, "loss", slice(0, 2), 1.0) == (1.0, {"over_seeds": [1.0, 1.0]})


def test_programs_for_a_study_are_planned_for_the_most_steps(monkeypatch):
    """All points have them, so runs of several lengths need no common entries."""
    planned = []

    def plan(trial, points, **layout):
        planned.append([*points])
        return PLAN

    monkeypatch.setattr(answers, "plan", plan)
    lengths = base.NamedTuple("Lengths", [("learning_rate", float), ("num_steps", int)])(0.1, 9)
    trial = base.TRIAL._replace(hparams=lengths)
    axes = {"num_steps": sweep.log(5, 40), "learning_rate": sweep.log(0.01, 1), "num_hidden": [4, 8]}
    answers.Programs(Space(trial, axes), [0], 4, {})
    (points,) = planned
    assert len(points) == 4
    assert {point["num_steps"] for point in points} == {40}
    assert {point["num_hidden"] for point in points} == {4}
