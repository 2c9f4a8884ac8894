"""Parallel coordinates: where lines stand, which is the best one, what failed."""

import numpy as np
import pytest
from test_plot import words

from jaxnets import plot


def parallel_lines(axes):
    """The lines of the points with a value, the best one last."""
    return next(drawn for drawn in axes.collections if drawn.get_zorder() == 2).get_segments()


@pytest.mark.parametrize("lowest_is_best", [True, False])
def test_parallel_coordinates_show_the_best_line_last(lowest_is_best):
    columns = {"rate": [0.001, 0.1, 10.0], "width": [8, 32, 16], "rule": ["sgd", None, "sgd"]}
    values = np.array([0.5, 0.25, 1.0])
    axes = plot.parallel(columns, values, label="loss", lowest_is_best=lowest_is_best).axes[0]
    heights = np.array([line[:3, 1] for line in parallel_lines(axes)])
    expected = np.array([[0, 0, 0.25], [0.5, 1, 0.75], [1, 1 / 3, 0.25]])  # rates by their logarithms
    order = [2, 0, 1] if lowest_is_best else [1, 0, 2]
    np.testing.assert_allclose(heights, expected[order], atol=1e-9)
    (best,) = [found for found in axes.lines if found.get_label().startswith("best")]
    assert best.get_label() == f"best: {values[order[-1]]:g}"
    np.testing.assert_array_equal(best.get_xydata(), parallel_lines(axes)[-1])
    written = {text.get_text() for text in axes.texts}
    assert {"0.001", "0.1", "10", "8", "32", "sgd", "None"} <= written


def test_parallel_coordinates_draw_what_failed_grey_and_dashed():
    columns = {"rate": np.array([1.0, 2.0, 3.0, 4.0]), "l2": np.array([0, 1e-4, 1, 0])}
    lost = np.array([True, False, False, True])
    axes = plot.parallel(columns, np.array([1.0, 2.0, np.nan, np.nan]), label="loss", lost=lost).axes[0]
    assert set(words(axes)) == {"best: 2", "diverged: 2", "without a number: 1"}
    dashed = next(drawn for drawn in axes.collections if drawn.get_label() == "diverged: 2")
    assert dashed.get_linestyle()[0][1] is not None
    heights = [line[:, 1].tolist() for line in dashed.get_segments()]
    np.testing.assert_allclose(heights, [[0, 1 / 6], [1, 1 / 6]], atol=1e-9)  # 0, 1e-4 and 1 evenly spaced
    axes.figure.canvas.draw()


def test_of_equal_values_the_first_one_is_the_best_line():
    axes = plot.parallel({"rate": [0.0, 0.5, 1.0]}, np.array([1.0, 1.0, 0.5]), label="accuracy").axes[0]
    assert [line[0, 1] for line in parallel_lines(axes)] == [1.0, 0.5, 0.0]


@pytest.mark.parametrize("num", [1, 1000])
def test_parallel_coordinates_of_any_number_of_points_are_drawn(num):
    generator = np.random.default_rng(0)
    columns = {
        "a_long_name_of_a_hyperparameter": generator.random(num) + 1,
        "rule": ["a word that is far too long"] * num,
    }
    axes = plot.parallel(columns, generator.random(num), label="accuracy").axes[0]
    axes.figure.canvas.draw()
    assert len(parallel_lines(axes)) == num
    heights = sorted(text.get_position()[1] for text in axes.texts[:-1])
    assert all(np.diff(heights) > 0.04)
    assert axes.texts[-1].get_text() == "a word that is fa…"
