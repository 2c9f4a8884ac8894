"""Pictures show what they are given: values, labels, images."""

import numpy as np
import pytest

from jaxnets import plot


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


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_image_grid_shows_every_image(channels):
    images = np.random.default_rng(0).random((9, 5, 4, channels), dtype=np.float32)
    figure = plot.image_grid(images, [str(i) for i in range(9)], columns=4)
    shown = [axes for axes in figure.axes if axes.images]
    assert [axes.get_title() for axes in shown] == [str(i) for i in range(9)]
    wanted = images[8] if channels > 2 else images[8, :, :, 0]
    np.testing.assert_array_equal(shown[8].images[0].get_array(), wanted)
    figure.canvas.draw()
