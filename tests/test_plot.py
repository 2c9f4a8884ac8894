"""Pictures show what they are given: values, labels, images."""

import matplotlib
import numpy as np
import pytest

from jaxnets import plot

POINTS = np.array([[0.0, 0.0], [1.0, 2.0], [2.0, 1.0], [3.0, 4.0]])
LABELS = np.array([0, 1, 0, 1])
STEPS = np.array([10, 20, 30])


def words(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def line(axes, label):
    return next(found for found in axes.lines if found.get_label() == label)


def test_bars_are_sorted_and_labelled():
    figure = plot.bars(
        ["a", "b", "c"], np.array([0.7, 0.9, 0.8]), np.array([0.0, 0.02, 0.01]), label="accuracy"
    )
    (axes,) = figure.axes
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["a", "c", "b"]
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([0.7, 0.8, 0.9])
    assert [text.get_text() for text in axes.texts] == ["0.700", "0.800", "0.900"]
    assert axes.get_xlabel().startswith("accuracy (the axis begins at")
    assert axes.get_xlim()[1] > 0.92


def test_bars_of_equal_values_are_drawn():
    figure = plot.bars(["a", "b"], np.zeros(2), np.zeros(2), label="accuracy")
    assert figure.axes[0].get_xlim()[1] > 0


@pytest.mark.parametrize("means", [[-110.0, -90.0, -100.0], [-3.0, 0.0, -2.0], [-1e-3, 5.0, 1.0]])
def test_bars_of_negative_values_hang_from_zero(means):
    means, stds = np.array(means), np.array([2.0, 1.0, 0.5])
    (axes,) = plot.bars(["a", "b", "c"], means, stds, label="log-likelihood").axes
    low, high = axes.get_xlim()
    assert low < (means - stds).min()
    assert high >= max(0.0, (means + np.where(means > 0, stds, 0)).max())
    assert axes.get_xlabel() == "log-likelihood"
    axes.figure.canvas.draw()
    for bar, text in zip(axes.patches, axes.texts, strict=True):
        assert 0 in (bar.get_x(), bar.get_x() + bar.get_width())
        mean, (left, right) = float(text.get_text()), text.get_window_extent().intervalx
        end = axes.transData.transform((mean, 0))[0]
        assert right < end if mean < 0 else left > end  # beyond the bar's end, where no bar is
        assert axes.bbox.x0 <= left < right <= axes.figure.bbox.x1


@pytest.mark.parametrize("lowest_is_best", [True, False])
@pytest.mark.parametrize("others", [[0.9, 0.8], [-3.0, -1.0], []])
def test_where_a_mean_is_not_finite_a_word_stands_for_the_bar(others, lowest_is_best):
    means = np.array([np.nan, *others, np.inf])
    names = [f"{mean:.1f}" for mean in means]
    (axes,) = plot.bars(names, means, 0.1 * np.abs(means), label="error", lowest_is_best=lowest_is_best).axes
    shown = [tick.get_text() for tick in axes.get_yticklabels()]
    assert shown[:2] == ["nan", "inf"]
    assert shown[2:] == [f"{mean:.1f}" for mean in sorted(others, reverse=lowest_is_best)]
    words = [text.get_text() for text in axes.texts]
    assert words[:2] == ["nan", "inf"]
    assert [bar.get_width() for bar in axes.patches][:2] == [0, 0]
    axes.figure.canvas.draw()
    boxes = [text.get_window_extent() for text in axes.texts[:2]]
    assert all(axes.bbox.x0 <= box.x0 and box.x1 <= axes.figure.bbox.x1 for box in boxes)


def test_a_long_number_is_written_in_three_digits():
    (axes,) = plot.bars(["a", "b"], np.array([1e30, 1.5]), np.zeros(2), label="error").axes
    assert [text.get_text() for text in axes.texts] == ["1.500", "1e+30"]


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_image_grid_shows_every_image(channels):
    images = np.random.default_rng(0).random((9, 5, 4, channels), dtype=np.float32)
    figure = plot.image_grid(images, [str(i) for i in range(9)], columns=4)
    shown = [axes for axes in figure.axes if axes.images]
    assert [axes.get_title() for axes in shown] == [str(i) for i in range(9)]
    wanted = images[8] if channels > 2 else images[8, :, :, 0]
    np.testing.assert_array_equal(shown[8].images[0].get_array(), wanted)
    figure.canvas.draw()


def test_image_grid_writes_row_titles_from_the_left_end():
    figure = plot.image_grid(np.zeros((6, 2, 2, 1)), [""] * 6, row_titles=["a long name", "b"], columns=3)
    assert [axes.get_title("left") for axes in figure.axes] == ["a long name", "", "", "b", "", ""]
    figure.canvas.draw()
    (name,) = figure.axes[0].findobj(lambda artist: getattr(artist, "get_text", str)() == "a long name")
    assert name.get_window_extent().x0 >= figure.axes[0].get_window_extent().x0 > 0


def test_curves_are_means_in_a_band_of_extremes():
    seeds = np.array([[1.0, 2.0, 3.0], [3.0, 4.0, 7.0]])
    figure = plot.curves(
        STEPS, {"two": seeds, "one": np.ones(3)}, x_label="step", y_label="loss", title="Loss", goal=2.0
    )
    (axes,) = figure.axes
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title("left")) == ("step", "loss", "Loss")
    np.testing.assert_array_equal(line(axes, "two").get_ydata(), [2.0, 3.0, 5.0])
    np.testing.assert_array_equal(line(axes, "two").get_xdata(), STEPS)
    (band,) = axes.collections  # none around a single seed
    corners = band.get_paths()[0].vertices
    assert {(10.0, 1.0), (10.0, 3.0), (30.0, 3.0), (30.0, 7.0)} <= set(map(tuple, corners))
    assert words(axes) == ["two", "one", "goal 2"]


def test_curves_leave_out_what_is_not_finite_and_say_so():
    values = [np.array([1.0, 2.0, 3.0]), np.array([3.0])]
    figure = plot.curves(
        STEPS, {"cut": values, "nan": np.array([5.0, np.inf, np.nan])}, x_label="step", y_label="loss"
    )
    (axes,) = figure.axes
    np.testing.assert_array_equal(line(axes, "cut (1 of 2 ended early)").get_ydata(), [2.0, 2.0, 3.0])
    np.testing.assert_array_equal(line(axes, "nan (1 of 1 ended early)").get_ydata(), [5.0, np.nan, np.nan])
    figure.canvas.draw()
    named = plot.curves(STEPS, {"cut, done": values}, x_label="step", y_label="loss", count_ended=False)
    assert words(named.axes[0]) == ["cut, done"]


def test_a_run_to_infinity_does_not_flatten_the_others():
    series = {"sound": np.array([1.0, 0.5, 0.2]), "lost": np.array([1.0, 1e6, 1e30])}
    sane = plot.curves(STEPS, series, x_label="step", y_label="loss").axes[0].get_ylim()
    assert -1 < sane[0] <= 0.2
    assert 1 < sane[1] <= 10
    logged = plot.curves(STEPS, series, x_label="step", y_label="loss", log_y=True).axes[0]
    assert logged.get_yscale() == "log"
    assert logged.get_ylim()[1] > 1e29


def test_curves_of_different_lengths():
    x = {"short": STEPS[:2], "long": STEPS}
    series = {"short": np.ones((2, 2)), "long": np.ones((2, 3))}
    (axes,) = plot.curves(x, series, x_label="step", y_label="loss", log_x=True).axes
    assert [len(found.get_xdata()) for found in axes.lines] == [2, 3]


def test_curves_of_a_run_without_steps_are_empty():
    (axes,) = plot.curves(np.zeros(0), {"none": np.zeros(0)}, x_label="step", y_label="loss").axes
    assert len(axes.lines[0].get_xdata()) == 0


def test_path_marks_the_choice_and_sorts_the_names():
    alphas = np.array([0.1, 1.0, 10.0])
    coefficients = np.array([[-1.0, 2.0], [-0.5, 1.0], [0.0, 0.0]])
    (axes,) = plot.path(alphas, coefficients, ["low", "high"], chosen=1.0).axes
    assert words(axes) == ["high", "low", "chosen, 1"]
    np.testing.assert_array_equal(line(axes, "low").get_ydata(), coefficients[:, 0])
    assert axes.get_xscale() == "log"


def test_fit_is_drawn_over_its_span():
    functions = {"square": np.square}
    (axes,) = plot.fit(POINTS[:, 0], POINTS[:, 1], functions, x_label="x", y_label="y", span=(0.0, 6.0)).axes
    x, y = line(axes, "square").get_data()
    assert (x[0], x[-1]) == (0.0, 6.0)
    np.testing.assert_array_equal(y, x**2)
    np.testing.assert_array_equal(axes.collections[0].get_offsets(), POINTS)
    assert axes.get_ylim()[1] < 6  # the points decide


def test_scatter_has_the_diagonal():
    (axes,) = plot.scatter(POINTS[:, 0], POINTS[:, 1], x_label="true", y_label="found", diagonal=True).axes
    x, y = line(axes, "found = true").get_data()
    np.testing.assert_array_equal(x, y)
    assert axes.get_xlim() == axes.get_ylim()


@pytest.mark.parametrize("scores", [1, 2, 3])
def test_decision_regions_are_where_the_scores_say(scores):
    def predict(x):
        lead = x[:, 0] - 1.5
        return lead if scores == 1 else np.stack([-lead, lead, 0 * lead - 9][:scores], axis=1)

    figure = plot.decision_regions(predict, POINTS, LABELS, class_names=["low", "high"], margin=0.5)
    (axes,) = figure.axes
    assert axes.get_xlim() == (-1.5, 4.5)
    regions = [drawn for drawn in axes.collections if getattr(drawn, "filled", False)]
    ends = [drawn.get_paths()[0].get_extents().get_points()[:, 0] for drawn in regions]
    np.testing.assert_allclose(ends, [[-1.5, 1.5], [1.5, 4.5]], atol=1e-5)
    assert words(axes) == ["low", "high"]
    figure.canvas.draw()


def test_decision_regions_draw_margins_and_rings():
    (axes,) = plot.decision_regions(
        lambda x: x[:, 0] - 1.5, POINTS, LABELS, levels=(-1.0, 1.0), marked=LABELS == 1
    ).axes
    dashed = next(drawn for drawn in axes.collections if len(getattr(drawn, "levels", ())) == 2
                  and not drawn.filled)  # fmt: skip
    for contour, height in zip(dashed.get_paths(), (0.5, 2.5), strict=True):
        np.testing.assert_allclose(contour.vertices[:, 0], height, atol=1e-5)
    rings = next(drawn for drawn in axes.collections if np.size(drawn.get_facecolor()) == 0
                 and len(drawn.get_offsets()) == 2)  # fmt: skip
    np.testing.assert_array_equal(rings.get_offsets(), POINTS[LABELS == 1])


def test_regions_of_a_model_that_diverged_are_drawn():
    plot.decision_regions(lambda x: np.full((len(x), 2), np.nan), POINTS, LABELS).canvas.draw()


def test_lines_in_plane_are_the_zeros_of_the_units():
    weights, biases = np.array([[1.0, 2.0, 0.0], [1.0, -1.0, 0.0]]), np.array([-2.0, 0.5, 1.0])
    (axes,) = plot.lines_in_plane(POINTS, LABELS, weights, biases, names=["a", "b", "none"]).axes
    for number, name in enumerate("ab"):
        points = np.stack(line(axes, name).get_data(), axis=1)
        np.testing.assert_allclose(points @ weights[:, number] + biases[number], 0, atol=1e-9)
    assert "none" not in words(axes)  # no weights, no line
    tips = [note.xy for note in axes.texts]
    assert ((np.array(tips) @ weights[:, :2] + biases[:2])[[0, 1], [0, 1]] > 0).all()


def test_hidden_space_and_latent_scatter_show_the_classes():
    hidden = plot.hidden_space(POINTS, LABELS, line=(np.array([1.0, -1.0]), 0.5)).axes[0]
    x, y = line(hidden, "output = 0").get_data()
    np.testing.assert_allclose(x - y + 0.5, 0, atol=1e-9)
    latent = plot.latent_scatter(POINTS, LABELS, class_names=["cat", "dog"]).axes[0]
    for axes in (hidden, latent):
        groups = [drawn.get_offsets() for drawn in axes.collections]
        for label, group in enumerate(groups):
            np.testing.assert_array_equal(group, POINTS[label == LABELS])
    assert words(latent) == ["cat", "dog"]


def test_confusion_matrix_colours_shares_and_writes_counts():
    (axes,) = plot.confusion_matrix(np.array([[30, 10], [0, 0]]), ["a", "b"]).axes
    np.testing.assert_array_equal(axes.images[0].get_array(), [[0.75, 0.25], [0, 0]])
    assert [text.get_text() for text in axes.texts] == ["30", "10", "", ""]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "true")


def test_heatmap_leaves_holes_and_frames_the_choice():
    values = np.array([[0.1, np.nan, 0.3], [0.4, 0.5, 0.6]])
    figure = plot.heatmap(
        values, [0.001, 1, 1000], ["sgd", "adam"], x_label="C", y_label="rule", label="loss", chosen=(1, 2)
    )
    axes, bar = figure.axes
    shown = axes.images[0].get_array()
    np.testing.assert_array_equal(shown.mask, np.isnan(values))
    assert axes.patch.get_hatch()
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["0.001", "1", "1000"]
    assert [text.get_text() for text in axes.texts] == ["0.1", "", "0.3", "0.4", "0.5", "0.6"]
    assert bar.get_ylabel() == "loss"
    assert axes.patches[0].get_xy() == (1.5, 0.5)
    figure.canvas.draw()


def test_canvas_tiles_the_images():
    images = np.random.default_rng(0).random((3, 2, 4, 5))
    (axes,) = plot.canvas(images, x=np.array([-1.0, 1.0]), y=np.array([2.0, 0.0, -2.0])).axes
    tiled = np.asarray(axes.images[0].get_array())
    np.testing.assert_array_equal(tiled[8:12, 5:10], images[2, 1])
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["2", "0", "-2"]
    np.testing.assert_array_equal(axes.get_xticks(), [2.0, 7.0])


def test_calibration_is_the_share_of_ones():
    chances, labels = np.array([0.05, 0.05, 0.95, 0.85, 1.0]), np.array([0, 1, 1, 0, 1])
    upper, lower = plot.calibration({"a": chances, "b": 1 - chances}, labels, bins=2).axes
    bars = upper.containers[0].lines[0]
    np.testing.assert_allclose(bars.get_xdata(), [0.05, 2.8 / 3])
    np.testing.assert_allclose(bars.get_ydata(), [1 / 2, 2 / 3])
    assert words(upper) == ["perfect", "a", "b"]
    assert lower.get_xlabel() == "predicted probability"
    assert lower.get_ylim()[1] >= 3


def test_histograms_share_their_bins():
    values = {"a": np.array([0.0, 1.0, 1.0]), "b": np.array([4.0, np.nan])}
    (axes,) = plot.histogram(values, x_label="score", bins=4).axes
    heights = (
        [bar.get_height() for bar in axes.containers[0]],
        [bar.get_height() for bar in axes.containers[1]],
    )
    assert heights == ([1, 2, 0, 0], [0, 0, 0, 1])
    assert words(axes) == ["a", "b"]


def test_no_global_state_is_touched():
    before = dict(matplotlib.rcParams)
    plot.decision_regions(lambda x: x[:, 0], POINTS, LABELS).canvas.draw()
    assert dict(matplotlib.rcParams) == before
    assert not matplotlib._pylab_helpers.Gcf.figs
