"""Points of a sweep compared over their seeds, and the pictures of it."""

import dataclasses

import numpy as np
import pytest

from jaxnets.check import InputError
from jaxnets.sweep import SweepResult
from jaxnets.sweep.results import _column

STEPS = [10, 20, 30]


def made(num_seeds=1, status=None, kept=None, metric=(), **columns):
    """A result of so many seeds a point; the loss falls to the point's metric plus the seed."""
    num = len(metric) * num_seeds
    wide = {
        name: _column([value for value in values for _ in range(num_seeds)])
        for name, values in columns.items()
    }
    end = np.repeat(np.array(metric, np.float32), num_seeds) + np.arange(num) % num_seeds
    return SweepResult(
        columns={"cell": np.arange(num)} | wide | {
            "seed": np.arange(num) % num_seeds,
            "status": np.array(status or ["ok"] * num),
            "step": np.array(kept or [30] * num),
            "loss": end,
        },
        names=tuple(columns), history={"loss": end[:, None] + np.array([2, 1, 0], np.float32)},
        steps=np.tile(np.array(STEPS, float), (num, 1)), damaged=[],
    )  # fmt: skip


def lines(axes):
    return {found.get_label(): found.get_ydata().tolist() for found in axes.lines}


@pytest.mark.parametrize("values", [[None, 8], [(8, 8), (4,)], [True, False], ["a", "b"], [8, 4]])
def test_values_of_any_kind_are_points(values):
    result = made(num_seeds=2, metric=[0.5, 0.25], name=values, rate=[0.5, 1.0])
    table = result.over_seeds("loss")
    assert table["name"].tolist() == values
    assert table["mean"].tolist() == [1.0, 0.75]
    assert result.best("loss").point == {"name": values[1], "rate": 1.0}
    assert type(result.best("loss").point["name"]) is type(values[1])


def test_without_names_all_seeds_are_of_one_point():
    table = made(num_seeds=4, metric=[2.0]).over_seeds("loss")
    assert table["mean"].tolist() == [3.5]
    assert table["seeds"].tolist() == [4]


def test_histories_are_a_line_a_value_in_a_band_over_the_seeds():
    result = made(num_seeds=3, metric=[5.0, 1.0], rate=[0.1, 0.5])
    (axes,) = result.curves("loss", by="rate").axes
    assert lines(axes) == {"0.5": [4.0, 3.0, 2.0], "0.1": [8.0, 7.0, 6.0]}
    assert axes.get_legend().get_title().get_text() == "rate"
    corners = axes.collections[0].get_paths()[0].vertices
    assert {(10.0, 3.0), (10.0, 5.0), (30.0, 1.0), (30.0, 3.0)} <= set(map(tuple, corners))
    with pytest.raises(InputError, match="unknown name 'rat'"):
        result.curves("loss", by="rat")
    with pytest.raises(InputError, match="unknown metric 'test_accuracy'"):
        result.curves("test_accuracy", by="rate")


def test_lines_end_where_runs_diverged_or_were_stopped():
    """A diverged run's validation numbers go on, frozen; that of one that has converged are its result."""
    status = ["ok", "diverged", "stopped", "converged"]
    result = made(metric=[0.0, 0.0, 0.0, 0.0], rate=[1, 2, 3, 4], status=status, kept=[30, 12, 10, 10])
    (axes,) = result.curves("loss", by="rate").axes
    expected = {
        "1": [2, 1, 0], "4": [2, 2, 2], "2 (diverged)": [2, 1, np.nan], "3 (stopped)": [2, np.nan, np.nan]
    }  # fmt: skip
    assert list(lines(axes)) == ["1", "4", "3 (stopped)", "2 (diverged)"]
    for label, values in expected.items():
        np.testing.assert_array_equal(lines(axes)[label], values)


def test_the_best_point_is_first_and_what_diverged_is_last():
    status = ["stopped", "diverged", "ok", "stopped", "ok"]
    result = made(
        metric=[0.0, 0.0, 3.0, 0.0, 2.0], rate=[1, 2, 3, 4, 5], status=status, kept=[10, 25, 30, 20, 30]
    )
    assert result.ranking("loss").table["rate"].tolist() == [5, 3, 4, 1, 2]
    assert result.ranking("loss", lowest=False).table["rate"].tolist() == [3, 5, 4, 1, 2]


def test_of_many_values_the_best_eight_are_drawn_each_at_its_best_point():
    rates = [*range(20)] * 2
    metric = [1.0 + rate + 0.5 * (place < 20) for place, rate in enumerate(rates)]
    result = made(metric=metric, rate=rates, rule=["a"] * 20 + ["b"] * 20)
    (axes,) = result.curves("loss", by="rate").axes
    assert {label: values[-1] for label, values in lines(axes).items()} == {
        f"{rate}": 1.0 + rate for rate in range(8)
    }
    assert axes.get_title("left") == "loss by rate, the best 8 of 20; other names at their best"


def test_means_leave_out_what_was_stopped():
    """It has a number, of an early step; white where one was stopped, hatched if one diverged or is NaN."""
    status = ["ok", "ok", "ok", "stopped", "diverged", "stopped", "diverged", "ok"]
    result = made(num_seeds=2, metric=[1.0, 2, 3, 4], rate=[1, 2, 1, 2], width=[4, 4, 8, 8], status=status)
    axes = result.heatmap("rate", "width", "loss").axes[0]
    np.testing.assert_array_equal(axes.images[0].get_array().filled(np.nan), [[1.5, np.nan], [np.nan] * 2])
    assert [tuple(np.add(patch.get_xy(), 0.5)) for patch in axes.patches] == [(1, 0)]
    axes = (
        made(metric=[np.nan, 1.0, 2.0], rate=[1, 2, 1], width=[4, 4, 8])
        .heatmap("rate", "width", "loss")
        .axes[0]
    )
    np.testing.assert_array_equal(axes.images[0].get_array().filled(np.nan), [[np.nan, 1], [2, np.nan]])
    assert [tuple(np.add(patch.get_xy(), 0.5)) for patch in axes.patches] == [(1, 1)]  # where there is no run
    result = made(metric=[3.0, 2.0, 1.0], rate=[1, 2, 3], status=["ok", "ok", "stopped"])
    drawn = result.curve("rate", "loss").axes[0].lines[0].get_ydata()
    np.testing.assert_array_equal(drawn, [3, 2, np.nan])


def test_each_program_has_its_own_steps():
    result = made(metric=[1.0, 2.0], num_steps=[40, 30])
    result = dataclasses.replace(result, steps=np.array([[20, 40, np.nan], [10, 20, 30]]))
    (axes,) = result.curves("loss", by="num_steps").axes
    assert [found.get_xdata().tolist() for found in axes.lines] == [[20, 40], [10, 20, 30]]


@pytest.mark.parametrize("status", ["ok", "diverged"])
@pytest.mark.parametrize("values", [["x" * 80, "x" * 79, None], [(8, 8), (4,), ()], [1.0, 0.0, 1e-9]])
def test_pictures_of_ugly_results_are_drawn(values, status):
    result = made(num_seeds=2, metric=[np.nan] * 3, name=values, b=[0.1] * 3, status=[status] * 6)
    for figure in (result.parallel("loss"), result.curves("loss", by="name")):
        figure.canvas.draw()
    assert len(lines(figure.axes[0])) == 3
    with pytest.raises(InputError, match="none of 3 points"):
        result.best("loss")


def test_parallel_coordinates_have_the_means_and_dash_what_diverged():
    status = ["ok"] * 5 + ["diverged"]
    result = made(num_seeds=2, metric=[1.0, 2.0, 3.0], rate=[1, 2, 3], width=[8, 4, 8], status=status)
    (axes,) = result.parallel("loss", lowest=False).axes
    words = [text.get_text() for text in axes.get_legend().get_texts()]
    assert sorted(words) == ["best: 2.5", "diverged: 1"]


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(InputError, match="a grid without names"):
        made(metric=[1.0]).parallel("loss")
    with pytest.raises(InputError, match="rule: values that are no numbers"):
        made(metric=[1.0], rule=["sgd"]).curve("rule", "loss")


@pytest.mark.parametrize(
    ("status", "label", "title"),
    [
        (["ok", "diverged"] * 2, "loss (2 of 4 diverged)", ""),
        (["diverged"] * 4, "loss (4 of 4 diverged)", "no number is finite"),
        (["ok"] * 3 + ["diverged"], "loss (1 of 4 diverged)", ""),
        (["ok"] * 4, "loss", ""),
    ],
)
def test_a_curve_counts_the_runs_that_diverged(status, label, title):
    """Of two points with two seeds each: those of a seed are a line's, which would count as one."""
    result = made(2, status, metric=[1.0, 2.0], rate=[0.1, 1.0])
    (axes,) = result.curve("rate", "loss").axes
    assert axes.get_legend().get_texts()[0].get_text() == label
    assert axes.get_title(loc="left") == title


def test_a_heat_map_without_a_number_has_no_colour_bar():
    result = made(1, ["diverged"] * 2, metric=[1.0, 2.0], a=[1, 2], b=[1, 2])
    assert len(result.heatmap("a", "b", "loss").axes) == 1
    assert len(made(1, metric=[1.0, 2.0], a=[1, 2], b=[1, 2]).heatmap("a", "b", "loss").axes) == 2
