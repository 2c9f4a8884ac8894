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

COLOUR, ACCENT, GREY = "#2b6cb0", "#c53030", "#4a5568"


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
    figure = _figure(7, 1.1 + 0.36 * len(names))
    axes = figure.subplots()
    axes.barh(names, means, xerr=stds, color=COLOUR, ecolor=GREY, capsize=3, height=0.7)
    low = max(0.0, float(means.min()) - 0.25 * float(np.ptp(means)) - 0.02)
    axes.set_xlim(low, float((means + stds).max()) + 0.12 * (float((means + stds).max()) - low))
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
        images: values in [0, 1]; one channel is drawn dark on light.
        titles: a line for each image.
    """
    rows = max(1, -(-len(images) // columns))
    figure = _figure(1.15 * columns, 1.35 * rows + 0.5)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid:
        axes.set_axis_off()
    for axes, image, line in zip(grid, images, titles, strict=False):
        axes.imshow(np.squeeze(image), cmap="gray_r" if image.shape[-1] == 1 else None, vmin=0, vmax=1)
        axes.set_title(line, fontsize=9)
    figure.suptitle(title, x=0.01, ha="left")
    return figure


def curves(
    steps: Float[Array, " t"] | Array,
    values: dict[str, Float[Array, "seeds t"]],
    *,
    label: str,
    title: str = "",
) -> Figure:
    """A line a name, the mean over seeds, in a band of one standard deviation.

    Args:
        steps: where the curves were measured.
        values: for each name, one row a seed.
    """
    figure = _figure(7, 4)
    axes = figure.subplots()
    for name, runs in values.items():
        mean, std = np.mean(runs, axis=0), np.std(runs, axis=0)
        (line,) = axes.plot(steps, mean, label=name)
        axes.fill_between(steps, mean - std, mean + std, color=line.get_color(), alpha=0.2, linewidth=0)
    axes.set_xlabel("steps")
    axes.set_ylabel(label)
    axes.set_title(title, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return figure
