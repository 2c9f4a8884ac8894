"""Every picture: functions from arrays to a matplotlib figure; nothing is shown or saved here.

matplotlib is imported when the first figure is made, and its global state is never touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from jaxnets.types import Array, Float

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOUR, GREY = "#2b6cb0", "#4a5568"


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def bars(
    names: Sequence[str],
    means: Float[Array, " n"],
    stds: Float[Array, " n"],
    *,
    label: str,
    title: str = "",
) -> Figure:
    """Horizontal bars with error bars, best on top, the value at each bar's end.

    Args:
        means: lengths of the bars, nowhere NaN.
        stds: half lengths of the error bars.
        label: what is measured, for the axis.
    """
    order = np.argsort(means, kind="stable")
    names, means, stds = [names[i] for i in order], np.asarray(means)[order], np.asarray(stds)[order]
    figure = _figure(7.0, 1.1 + 0.36 * len(names))
    axes = figure.subplots()
    errors = stds if stds.any() else None
    axes.barh(names, means, xerr=errors, color=COLOUR, ecolor=GREY, capsize=3, height=0.7)
    low, high = max(0.0, means.min() - 0.25 * np.ptp(means) - 0.02), (means + stds).max() + 0.01
    axes.set_xlim(low, high + 0.12 * (high - low))
    for position, (mean, std) in enumerate(zip(means, stds, strict=True)):
        axes.annotate(f"{mean:.3f}", (mean + std, position), (6, 0), textcoords="offset points", va="center")
    axes.set_xlabel(f"{label} (the axis begins at {low:.2f})" if low else label)
    axes.set_title(title, loc="left")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    return figure


def image_grid(
    images: Float[Array, "n h w c"], titles: Sequence[str], *, title: str = "", columns: int = 8
) -> Figure:
    """Images in rows, each with a line above it.

    Args:
        images: values in [0, 1]; three or four channels are colours, of others the first is drawn, dark on
            light.
        titles: a line for each image.
    """
    rows = max(1, -(-len(images) // columns))
    figure = _figure(1.15 * columns, 1.35 * rows + 0.5)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid:
        axes.set_axis_off()
    for axes, image, line in zip(grid, images, titles, strict=False):
        coloured = image.shape[-1] in (3, 4)
        axes.imshow(image if coloured else image[..., 0], cmap="gray_r", vmin=0, vmax=1)
        axes.set_title(line, fontsize=9)
    figure.suptitle(title, x=0.01, ha="left")
    return figure
