"""A sweep's lanes are judged by their histories, and the region that diverges is named."""

import numpy as np
import pytest

from jaxnets.check import InputError
from jaxnets.diagnose import diagnose_lanes
from jaxnets.sweep import SweepResult

TIME = np.linspace(0, 1, 20)
SHAPES = {
    "": np.exp(-8 * TIME),
    "plateau": np.full(20, 2.3),
    "rising": np.exp(3 * TIME),
    "stopped-too-early": 1 - 0.5 * TIME,
    "oscillating": np.exp(-3 * TIME) + 0.2 * np.arange(20) % 2 * (TIME > 0.4),
}


def result_of(losses, *, status=None, names=("rate",), **columns):
    losses = np.array(losses)
    status = np.array(status or ["ok"] * len(losses))
    columns = {"rate": np.arange(len(losses)) + 1.0, "step": np.full(len(losses), 19)} | columns
    steps = np.tile(np.arange(losses.shape[1]), (len(losses), 1))
    return SweepResult(columns | {"status": status}, names, {"loss": losses}, steps, [])


@pytest.mark.parametrize("size", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("verdict", SHAPES)
def test_a_lane_is_judged_by_the_shape_of_its_loss(verdict, size):
    found = diagnose_lanes(result_of([size * SHAPES[verdict]] * 2))
    assert found.verdicts.tolist() == [verdict] * 2
    rules = [finding.rule for finding in found.report.findings]
    assert rules == ([verdict] if verdict else [])
    assert found.report.exit_code == (verdict in ("plateau", "rising", "oscillating"))


def test_a_validation_loss_that_rises_again_is_overfitting():
    result = result_of([SHAPES[""]] * 2)
    result.history["valid_loss"] = np.array([SHAPES[""], 1 - TIME + np.maximum(TIME - 0.4, 0) * 2])
    assert diagnose_lanes(result).verdicts.tolist() == ["", "overfitting"]


def test_a_loss_that_begins_at_infinity_and_names_that_are_words_are_judged():
    falling = np.where(np.arange(20) < 1, np.inf, SHAPES[""])
    kinds = np.array(["adam", "sgd"])
    assert diagnose_lanes(result_of([falling] * 2, names=("kind",), kind=kinds)).verdicts.tolist() == [""] * 2
    found = diagnose_lanes(
        result_of([SHAPES[""], DIVERGED], status=["ok", "diverged"], names=("kind",), kind=kinds)
    )
    assert [one.message for one in found.report.findings] == ["1 of 2 cells did not stay finite"]


def test_a_region_may_be_one_of_two_names_together():
    """Rates over the rows of a batch; neither alone tells which cells diverge."""
    rate, batch = (one.ravel() for one in np.meshgrid([0.1, 0.2, 0.4], [1, 2, 4]))
    wrong = rate / batch > 0.15
    result = result_of(
        [DIVERGED if one else SHAPES[""] for one in wrong], names=("rate", "batch"), rate=rate, batch=batch,
        status=["diverged" if one else "ok" for one in wrong],
    )  # fmt: skip
    region = diagnose_lanes(result).report.findings[0]
    assert region.message.startswith("every rate / batch >= 0.2 diverges before step 21: the largest stable")


def test_what_was_stopped_or_is_short_is_not_judged():
    found = diagnose_lanes(result_of([SHAPES["plateau"]], status=["stopped"]))
    assert found.verdicts.tolist() == [""]
    assert diagnose_lanes(result_of([[1.0, 1.0, 1.0]])).verdicts.tolist() == [""]


DIVERGED = np.where(np.arange(20) < 5, 1.0, np.nan)


def test_the_region_that_diverges_is_named_with_the_largest_stable_value():
    losses = [SHAPES[""], SHAPES[""], DIVERGED, DIVERGED]
    result = result_of(losses, status=["ok", "ok", "diverged", "diverged"], step=np.array([19, 19, 30, 48]))
    (region, count) = diagnose_lanes(result).report.findings
    assert region.message == "every rate >= 3 diverges before step 50: the largest stable one tried is 2"
    assert region.evidence == {"rate": 3.0, "stable": 2.0, "cells": 2, "steps": 50}
    assert count.message == "2 of 4 cells did not stay finite"


def test_a_region_may_lie_below_and_mixed_values_have_none():
    losses = [DIVERGED, SHAPES[""], SHAPES[""], SHAPES[""]]
    below = diagnose_lanes(result_of(losses, status=["diverged", "ok", "ok", "ok"]))
    assert "every rate <= 1 diverges" in below.report.findings[0].message
    losses[:2] = losses[1::-1]
    mixed = diagnose_lanes(result_of(losses, status=["ok", "diverged", "ok", "ok"]))
    assert [finding.message for finding in mixed.report.findings] == ["1 of 4 cells did not stay finite"]


def test_what_is_no_result_is_refused():
    with pytest.raises(InputError, match=r"allowed is what sweep\.run gives"):
        diagnose_lanes(3)
