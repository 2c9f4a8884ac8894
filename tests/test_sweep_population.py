"""Populations: the worst take the place of the best; every line of descent can be run again, bit for bit."""

import dataclasses
from typing import Annotated, NamedTuple

import numpy as np
import pytest
import test_sweep as base

from jaxnets import check, sweep
from jaxnets.check import InputError
from jaxnets.sweep import population

RATES = [1e-5, 1e-4, 1e-3, 0.01, 0.1, 0.3, 1e30, 1.0]
OPTIONS = {"every": 20, "names": ["learning_rate", "momentum"]}


@pytest.fixture(scope="module")
def planned():
    grid = sweep.Grid.zip(learning_rate=RATES, momentum=[0.5] * 7 + [0.9])
    return sweep.plan(base.TRIAL, grid * sweep.Grid(num_steps=[80], evaluate_every=[10]), lanes=4)


@pytest.fixture(scope="module")
def evolved(planned):
    return sweep.evolve(planned, "loss", **OPTIONS)


def test_the_worst_go_on_from_the_best(planned, evolved):
    """After 20 steps the two worst are the diverged one and the slowest; they copy one of the two best."""
    losses = sweep.run(planned).history["loss"][:, 1]
    order = np.argsort(np.where(np.isnan(losses), np.inf, losses))
    first, second = evolved.lineage[:2]
    assert first.parents.tolist() == [*range(8)]
    changed = np.flatnonzero(second.parents != np.arange(8))
    assert set(changed) == set(order[-2:].tolist())
    assert set(second.parents[changed]) <= set(order[:2].tolist())
    assert 6 in changed
    for name in OPTIONS["names"]:
        before, after = (getattr(one.hparams, name) for one in (first, second))
        ratios = after[changed] / before[second.parents[changed]]
        assert all(np.isclose(ratio, 0.8) or np.isclose(ratio, 1.25) for ratio in ratios)
        kept = np.setdiff1d(np.arange(8), changed)
        np.testing.assert_array_equal(after[kept], before[kept])


def test_where_large_is_good_the_largest_are_copied(planned):
    losses = sweep.run(planned).history["loss"][:, 1]
    order = np.argsort(-losses)  # what diverged is last
    (_, second, *_) = sweep.evolve(planned, "loss", lowest=False, **OPTIONS).lineage
    changed = np.flatnonzero(second.parents != np.arange(8))
    assert set(changed) == set(order[-2:].tolist())
    assert set(second.parents[changed]) <= set(order[:2].tolist())


def test_every_generation_is_drawn_anew(planned, monkeypatch):
    seen, parents = [], population._parents

    def watched(generator, *given):
        seen.append(generator.bit_generator.state["state"]["state"])
        return parents(generator, *given)

    monkeypatch.setattr(population, "_parents", watched)
    for seed in (0, 1):
        sweep.evolve(planned, "loss", seed=seed, **OPTIONS)
    assert len(set(seen)) == len(seen) == 6


def test_a_population_beats_the_worst_of_its_grid(planned, evolved):
    whole = sweep.run(planned)
    assert (evolved.result.columns["status"] == "ok").all()
    assert evolved.result.columns["loss"].max() < np.nanmax(whole.columns["loss"])
    assert evolved.result.columns["loss"].min() <= np.nanmin(whole.columns["loss"]) * 1.05


def test_every_line_of_descent_is_replayed_bit_for_bit(evolved):
    """Alone, from the first ancestor on: history, final numbers and status of every cell."""
    assert any(evolved.ancestors(cell) != [cell] * 4 for cell in range(8))
    for cell in range(8):
        record = sweep.replay(evolved, cell)
        for name, values in evolved.result.history.items():
            np.testing.assert_array_equal(record[f"history/{name}"][0], values[cell])
        assert record["final/test_accuracy"][0] == evolved.result.columns["test_accuracy"][cell]
        assert record["cell"] == cell


def test_a_population_that_goes_on_is_replayed_with_the_lanes_of_its_folder(planned, tmp_path):
    """Also by a process that measured others."""
    first = sweep.evolve(planned, "loss", out=tmp_path, **OPTIONS)
    other = sweep.plan(base.TRIAL, planned.grid, lanes=8)
    other = dataclasses.replace(other, given=type(other.given)())
    again = sweep.evolve(other, "loss", out=tmp_path, resume=True, **OPTIONS)
    assert base.same(again.result, first.result)
    assert [part.program.lanes for part in again.plan.parts] == [4]


def test_the_table_has_the_last_hyperparameters_and_the_file_all(planned, evolved, tmp_path):
    again = sweep.evolve(planned, "loss", out=tmp_path / "out", **OPTIONS)
    assert base.same(again.result, evolved.result)
    np.testing.assert_array_equal(
        evolved.result.columns["learning_rate"], evolved.lineage[-1].hparams.learning_rate.astype(float)
    )
    lines = (tmp_path / "out" / "lineage.csv").read_text().splitlines()
    assert lines[0] == "step,cell,parent,learning_rate,momentum"
    assert len(lines) == 1 + 4 * 8
    step, cell, parent, rate, _ = lines[-1].split(",")
    assert (int(step), int(cell), int(parent)) == (80, 7, evolved.lineage[-1].parents[7])
    assert np.float32(rate) == evolved.lineage[-1].hparams.learning_rate[7]


def test_each_cell_is_a_point_with_every_name_that_changed(evolved):
    """Also where two have the same numbers, and where a name that changes is not one of the grid's."""
    grid = sweep.Grid(learning_rate=[0.1, 0.3], num_steps=[20])
    result = sweep.evolve(
        sweep.plan(base.TRIAL, grid, seeds=2, lanes=4), "loss", every=20, names=["momentum"]
    ).result
    assert result.names == ("member", "learning_rate", "num_steps", "momentum")
    assert result.columns["momentum"].tolist() == [0.0] * 4
    assert [*result.columns][:6] == ["cell", *result.names, "seed"]
    assert "loss" in result.metrics
    best = result.best("loss")
    assert best.mean == result.columns["loss"].min()
    assert best.point["member"] == result.columns["loss"].argmin()
    assert evolved.result.names == ("member", "learning_rate", "momentum", "num_steps", "evaluate_every")


class Numbers(NamedTuple):
    free: int
    few: Annotated[int, check.Interval(0.5, 9.5)]
    rate: Annotated[float, check.Interval(0, 1)]


def test_copies_stay_in_their_intervals_and_in_32_bits():
    columns = Numbers(
        np.array([2 * 10**9, -(2 * 10**9), 5, 5], np.int32),
        np.array([9, 1, 6, 6], np.int32),
        np.array([0.9, 0.5, 0.25, 0.5], np.float32),
    )
    found = [
        population._changed(np.random.default_rng(seed), columns, np.array([1, 0, 2, 2]), [*Numbers._fields])
        for seed in range(20)
    ]
    seen = [
        [{round(float(getattr(one, name)[cell]), 6) for one in found} for name in Numbers._fields]
        for cell in range(4)
    ]
    assert seen == [
        [{-(2**31), -1.6e9}, {1}, {0.4, 0.625}],
        [{2**31 - 1, 1.6e9}, {7, 9}, {0.72, 1.0}],
        [{5}, {6}, {0.25}],
        [{4, 6}, {5, 8}, {0.2, 0.3125}],
    ]


def test_sizes_of_a_batch_are_no_numbers_that_may_be_multiplied(planned):
    trial = planned.trial._replace(hparams=NamedTuple("Hparams", [("batch_size", int)])(8))
    with pytest.raises(InputError, match="population: batch_size"):
        sweep.evolve(dataclasses.replace(planned, trial=trial), "loss", names=["batch_size"], every=20)


def test_a_name_that_the_table_needs_is_refused(planned):
    trial = planned.trial._replace(hparams=NamedTuple("Hparams", [("member", float)])(0.1))
    with pytest.raises(InputError, match="a name 'member'"):
        sweep.evolve(dataclasses.replace(planned, trial=trial), "loss", **OPTIONS)


def test_a_stopped_population_is_resumed_bit_for_bit(planned, evolved, tmp_path):
    seen = []

    def stop(ended, arrays):
        seen.append(ended)
        if len(seen) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep.evolve(planned, "loss", out=tmp_path / "out", report=stop, **OPTIONS)
    files = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out" / "chunks").iterdir()}
    assert len(files) == 2  # a file for each generation so far
    again = sweep.evolve(planned, "loss", out=tmp_path / "out", resume=True, **OPTIONS)
    assert base.same(again.result, evolved.result)
    after = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out" / "chunks").iterdir()}
    assert files.items() <= after.items()
    assert len(after) == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"every": 0}, "every = 0"),
        ({"names": ["rate"]}, "unknown name 'rate'"),
        ({"names": []}, "no hyperparameters that could change"),
        ({"share": 0.6}, "share = 0.6"),
        ({"share": 0.1}, "0.1 of 8 members is none"),
    ],
)
def test_what_is_no_population_is_refused(planned, change, message):
    with pytest.raises(InputError, match=message):
        sweep.evolve(planned, "loss", **(OPTIONS | change))
    with pytest.raises(InputError, match="unknown metric"):
        sweep.evolve(planned, "los", **OPTIONS)
