"""Pictures made of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from jaxnets.plot import _axes
from jaxnets.types import Array, Float

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def image_grid(
    images: Float[Array, "n h w c"],
    titles: Sequence[str],
    *,
    row_titles: Sequence[str] = (),
    title: str = "",
    columns: int = 8,
) -> Figure:
    """Images in rows, each with a line above it.

    Args:
        images: values in [0, 1]; three or four channels are colours, of others the first is drawn, dark on
            light.
        titles: a line for each image.
        row_titles: a line for each row, from its left end on, where the images need none.
    """
    rows = max(1, -(-len(images) // columns))
    figure = _axes.new_figure(1.15 * columns, 1.35 * rows + 0.5)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid:
        axes.set_axis_off()
    for axes, image, line in zip(grid, images, titles, strict=False):
        coloured = image.shape[-1] in (3, 4)
        axes.imshow(image if coloured else image[..., 0], cmap="gray_r", vmin=0, vmax=1)
        axes.set_title(line, fontsize=9)
    for axes, line in zip(grid[::columns], row_titles, strict=False):
        axes.set_title(line, fontsize=9, loc="left")
    figure.suptitle(title, x=0.01, ha="left")
    return figure


def canvas(
    images: Float[Array, "r c h w"],
    *,
    x: Float[Array, " c"] | None = None,
    y: Float[Array, " r"] | None = None,
    x_label: str = "z1",
    y_label: str = "z2",
    title: str = "",
) -> Figure:
    """Images tiled into one, edge to edge: what a decoder makes of a grid of codes.

    Args:
        images: values in [0, 1], drawn dark on light; ``images[0, 0]`` is at the top left.
        x: the code of each column, for the axis; None: no numbers.
        y: the code of each row.

    >>> figure = canvas(np.zeros((2, 3, 4, 5)), x=np.array([-1.0, 0.0, 1.0]))
    >>> figure.axes[0].images[0].get_array().shape
    (8, 15)
    """
    rows, columns, height, width = images.shape
    side = float(np.clip(0.35 * columns, 3.5, 8.0))
    tall = side * rows * height / (columns * width)
    look = {"x_label": x_label, "y_label": y_label, "title": title}
    figure, axes = _axes.new_axes(**look, width=side + 0.6, height=tall + 0.6)
    tiled = np.transpose(np.asarray(images), (0, 2, 1, 3)).reshape(rows * height, columns * width)
    axes.imshow(tiled, cmap="gray_r", vmin=0, vmax=1)
    axes.set_xticks(*_ticks(x, columns, width))
    axes.set_yticks(*_ticks(y, rows, height))
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


def _ticks(values: Float[Array, " v"] | None, count: int, size: int) -> tuple[list[float], list[str]]:
    """At most seven places of tiles, the first and the last among them, and the codes there."""
    if values is None:
        return [], []
    chosen = np.unique(np.linspace(0, count - 1, min(count, 7)).round().astype(int))
    return ((chosen + 0.5) * size - 0.5).tolist(), [f"{values[i]:.2g}" for i in chosen]
