"""Halving: the better points go on, on curves that are those of the uncut sweep."""

import dataclasses
import json
from functools import partial
from typing import NamedTuple

import numpy as np
import pytest
import test_sweep as base

from jaxnets import sweep
from jaxnets.check import InputError
from jaxnets.sweep import part as parts
from jaxnets.sweep.halving import Rung, brackets_of, rungs_of
from jaxnets.sweep.part import with_lanes
from jaxnets.sweep.store import Store

RATES = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1e30, 1.0, 3.0]


@pytest.fixture(scope="module")
def planned():
    grid = sweep.Grid(learning_rate=RATES, num_steps=[90], evaluate_every=[10])
    return sweep.plan(base.TRIAL, grid, seeds=2, lanes=4)


@pytest.fixture(scope="module")
def whole(planned):
    return sweep.run(planned)


@pytest.fixture(scope="module")
def halved(planned):
    return sweep.halve(planned, "loss")


@pytest.mark.parametrize(
    ("num", "steps", "options", "rungs"),
    [
        (9, 900, {}, [(100, 3), (300, 1), (900, 1)]),
        (8, 80, {"factor": 2}, [(10, 4), (20, 2), (40, 1), (80, 1)]),
        (27, 90, {"least_steps": 30}, [(30, 9), (90, 9)]),
        (1, 50, {}, [(50, 1)]),
        (1000, 20, {}, [(1, 12), (2, 4), (6, 1), (20, 1)]),
        (9, 1, {}, [(1, 1)]),
    ],
)
def test_rungs_share_the_steps_alike(num, steps, options, rungs):
    assert rungs_of(num, steps, **options) == [Rung(*rung) for rung in rungs]


@pytest.mark.parametrize("num_steps", [1, 5, 27, 90])
@pytest.mark.parametrize("factor", [2, 3])
def test_no_two_brackets_have_the_same_rungs(num_steps, factor):
    for num in range(1, 40):
        brackets = brackets_of(num, num_steps, factor=factor)
        assert sorted(point for points, _ in brackets for point in points) == [*range(num)]
        firsts = [rungs[0].step for _, rungs in brackets]
        assert firsts == sorted(set(firsts))
        for _, rungs in brackets:
            steps = [rung.step for rung in rungs]
            assert steps == sorted(set(steps))


def test_the_better_points_go_on(halved, whole):
    """By the uncut sweep's losses at the rungs, after 10 and 30 of 90 steps; a third each time."""
    losses = whole.history["loss"].reshape(9, 2, -1).mean(axis=1)
    losses[6] = np.inf
    first = np.argsort(losses[:, 0])[:3]
    best = first[np.argmin(losses[first, 2])]
    steps = np.full(9, 10)
    steps[first], steps[best] = 30, 90
    kept = np.arange(9) != 6
    np.testing.assert_array_equal(
        halved.columns["step"].reshape(9, 2)[kept], np.stack([steps, steps], 1)[kept]
    )
    expected = np.full((9, 2), "stopped", object)
    expected[6], expected[best] = "diverged", "ok"
    assert halved.columns["status"].tolist() == expected.ravel().tolist()
    found = halved.best("loss")
    assert found.point["learning_rate"] == RATES[best]
    assert found.left_out == 8


def test_curves_are_those_of_the_uncut_runs(halved, whole):
    for name, values in halved.history.items():
        made = ~np.isnan(values)
        np.testing.assert_array_equal(values[made], whole.history[name][made])
        assert made.sum() in (
            2 * (6 * 1 + 2 * 3 + 9),
            2 * (5 * 1 + 2 * 3 + 9),
        )  # without the one that diverged
    kept = halved.columns["status"] == "ok"
    np.testing.assert_array_equal(halved.columns["test_accuracy"][kept], whole.columns["test_accuracy"][kept])
    assert np.isnan(halved.columns["test_accuracy"][~kept]).all()


def test_a_stopped_halving_is_resumed_bit_for_bit(planned, halved, tmp_path):
    def stop(ended, arrays):
        if ended:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep.halve(planned, "loss", out=tmp_path / "out", report=stop)
    assert base.same(sweep.halve(planned, "loss", out=tmp_path / "out", resume=True), halved)
    with pytest.raises(InputError, match=r'halving.metric was "loss", is "valid_accuracy"'):
        sweep.halve(planned, "valid_accuracy", out=tmp_path / "out", resume=True)
    with pytest.raises(InputError, match=r"another sweep: halving\.brackets was .*, is "):  # three, not one
        sweep.hyperband(planned, "loss", least_steps=10, out=tmp_path / "out", resume=True)


def test_what_cannot_be_halved_is_refused(planned):
    with pytest.raises(InputError, match="unknown metric 'los'"):
        sweep.halve(planned, "los")
    with pytest.raises(InputError, match="factor = 1"):
        sweep.halve(planned, "loss", factor=1)
    traced = planned.trial._replace(hparams=NamedTuple("Hparams", [("num_steps", int)])(90))
    for one, message in [
        (dataclasses.replace(planned, parts=planned.parts * 2), "2 static combinations, allowed is one"),
        (dataclasses.replace(planned, trial=traced), "num_steps is a field of the hparams"),
    ]:
        for way in (sweep.halve, sweep.hyperband, partial(sweep.evolve, every=20)):
            with pytest.raises(InputError, match=message):
                way(one, "loss")


def test_brackets_share_points_and_steps():
    """Every point stands in one bracket; each takes about as many steps; the last one stops nobody."""
    brackets = brackets_of(1000, 810, factor=3, least_steps=10)
    assert sorted(point for points, _ in brackets for point in points) == [*range(1000)]
    works = []
    for points, rungs in brackets:
        starts, alive = [0, *(rung.step for rung in rungs)], [len(points), *(rung.num_kept for rung in rungs)]
        works.append(sum(num * (rung.step - start) for num, rung, start in zip(alive, rungs, starts)))
    assert max(works) <= 1.5 * min(works)
    assert [rungs[0].step for _, rungs in brackets] == [10, 30, 90, 270, 810]


def test_brackets_have_points_from_all_over_the_grid():
    """Else the one that waits longest would have the last values of the first name alone."""
    for points, _ in brackets_of(1000, 810, least_steps=10):
        assert {point // 200 for point in points} == {0, 1, 2, 3, 4}


def test_hyperband_keeps_the_best_of_every_bracket(planned, whole):
    banded = sweep.hyperband(planned, "loss", least_steps=10)
    for points, rungs in brackets_of(9, 90, least_steps=10):
        ended = banded.columns["step"].reshape(9, 2)[points, 0]
        assert (ended == 90).sum() == min(rungs[-1].num_kept, len(points) - (6 in points))
    kept = banded.columns["status"] == "ok"
    for name, values in whole.history.items():
        np.testing.assert_array_equal(banded.history[name][kept], values[kept])


def test_few_go_on_in_a_narrower_program(tmp_path):
    """The plan has programs of 1 and 6 lanes, and times by which the narrow one is faster for one point."""
    grid = sweep.Grid(learning_rate=sweep.log(0.01, 1, 6), num_steps=[36], evaluate_every=[6])
    plan = sweep.plan(base.TRIAL, grid, lanes=6)
    (part,) = plan.parts
    narrow = with_lanes(plan.trial, part, 1, memory=None).candidates[0]
    both = (part.candidates[0]._replace(seconds=1.2), narrow._replace(seconds=0.5))
    plan = dataclasses.replace(plan, parts=(part._replace(candidates=both),))
    halved = sweep.halve(plan, "loss", factor=2, out=tmp_path / "out")
    whole = sweep.run(plan)
    last = halved.columns["step"] == 36
    assert last.sum() == 1
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["halving"]["brackets"][0]["shares"] == [[[6, 6]], [[6, 3]], [[1, 1]]]
    np.testing.assert_allclose(halved.history["loss"][last], whole.history["loss"][last], rtol=1e-5)
    with pytest.raises(InputError, match=r"halving\.brackets"):
        sweep.halve(plan, "loss", factor=2, keep_lanes=True, out=tmp_path / "out", resume=True)
    again = dataclasses.replace(plan, parts=(part,))  # the narrow one is compiled where it is needed
    assert base.same(sweep.halve(again, "loss", factor=2, out=tmp_path / "out", resume=True), halved)


def test_lanes_that_a_folder_asks_for_and_no_memory_holds_are_refused_before_compiling(planned, monkeypatch):
    (part,) = planned.parts
    monkeypatch.setattr("jaxnets.sweep.part._compiled", lambda *given: pytest.fail("compiled"))
    with pytest.raises(InputError, match=r"lanes = 65536 take .*, there are"):
        with_lanes(planned.trial, part, 2**16, memory=2 * part.program.num_bytes)


def test_a_program_that_does_not_fit_the_memory_is_not_run(planned, monkeypatch):
    (part,) = planned.parts
    monkeypatch.setattr("jaxnets.sweep.part.measured", lambda *given: pytest.fail("run"))
    limit = part.program.num_bytes - 1
    compiled = partial(parts._compiled, planned.trial, part, part.program.devices, limit, part.program.lanes)
    with pytest.raises(InputError, match=r"lanes = .* take"):
        compiled()
    wider = compiled(part.candidates[0])
    assert wider.seconds == np.inf
    assert wider.program.num_bytes > limit


def test_a_hostile_but_whole_chunk_is_made_anew(planned, halved, tmp_path):
    sweep.halve(planned, "loss", out=tmp_path / "out")
    store = Store(tmp_path / "out", json.loads((tmp_path / "out" / "manifest.json").read_text()), resume=True)
    with store:
        arrays = store.finished(0)
        store.finish(0, arrays | {"run/0": arrays["run/0"][:, :1]})
    found = sweep.halve(planned, "loss", out=tmp_path / "out", resume=True)
    assert found.damaged == ["chunk 0: not the arrays of its cells"]
    assert base.same(found, halved)
