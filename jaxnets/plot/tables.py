"""Numbers by name: bars, matrices of counts, grids of two hyperparameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxnets.plot import _axes
from jaxnets.types import Array, Bool, Float, Int, Shaped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_WRITTEN = 150
"""Cells; a larger table shows colours alone."""


def bars(
    names: Sequence[str],
    means: Float[Array, " n"],
    stds: Float[Array, " n"],
    *,
    label: str,
    title: str = "",
    lowest_is_best: bool = False,
) -> Figure:
    """Horizontal bars with error bars, best on top, the value at each bar's end; left from 0 if negative.

    Where a mean is not finite there is no bar but the word, ``nan`` or ``inf``, below all others.

    Args:
        means: lengths of the bars.
        stds: half lengths of the error bars.
        label: what is measured, for the axis.
        lowest_is_best: for errors; else the largest is on top.
    """
    means, stds = np.asarray(means, np.float64), np.asarray(stds, np.float64)
    is_drawn = np.isfinite(means)
    merit = np.where(is_drawn, -means if lowest_is_best else means, -np.inf)
    order = np.argsort(merit, kind="stable")
    names, words = [names[i] for i in order], [_bar_word(means[i]) for i in order]
    lengths = np.where(is_drawn, means, 0.0)[order]
    stds = np.where(is_drawn & np.isfinite(stds), stds, 0.0)[order]
    figure = _axes.new_figure(7.0, 1.1 + 0.36 * len(names))
    axes = figure.subplots()
    errors = np.where(is_drawn[order], stds, np.nan) if stds.any() else None
    axes.barh(names, lengths, xerr=errors, color=_axes.COLOUR, ecolor=_axes.GREY, capsize=3, height=0.7)
    low, high = _bar_limits(lengths[is_drawn[order]], stds[is_drawn[order]])
    axes.set_xlim(low, high)
    ends = np.clip(lengths + np.where(lengths < 0, -stds, stds), low, high)
    for position, (word, length, end) in enumerate(zip(words, lengths, ends, strict=True)):
        is_left = length < 0 or (length == 0 and high == 0)
        axes.annotate(
            word, (end, position), (-6 if is_left else 6, 0), textcoords="offset points", va="center",
            ha="right" if is_left else "left",
        )  # fmt: skip
    axes.set_xlabel(f"{label} (the axis begins at {low:.2f})" if low > 0 else label)
    axes.set_title(title, loc="left")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    return figure


def _bar_word(mean: float) -> str:
    """Three decimals; three digits where the number is too long for them."""
    return f"{mean:.3f}" if abs(mean) < 1e6 else f"{mean:.3g}"


def _bar_limits(means: Float[Array, " n"], stds: Float[Array, " n"]) -> tuple[float, float]:
    """From below the least of positive means, else from 0 or lower; with room for the numbers at the ends."""
    if means.size == 0:
        return 0.0, 1.0
    if means.min() >= 0:
        low, high = max(0.0, means.min() - 0.25 * np.ptp(means) - 0.02), (means + stds).max() + 0.01
        return low, high + 0.12 * (high - low)
    low, high = (means - stds).min(), max(0.0, (means + stds).max())
    room = 0.18 * (high - low)
    return low - room, high + room * bool((means >= 0).any())


def confusion_matrix(counts: Int[Array, "k k"], class_names: Sequence[str], *, title: str = "") -> Figure:
    """Rows are the true classes, columns the predicted; colours are shares of the row.

    >>> figure = confusion_matrix(np.array([[5, 1], [0, 4]]), ["cat", "dog"])
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['5', '1', '', '4']
    """
    counts = np.asarray(counts)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    side = 2.0 + 0.45 * len(counts)
    figure, axes = _axes.new_axes(
        x_label="predicted", y_label="true", title=title, width=side + 0.4, height=side
    )
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    ticks, names = range(len(counts)), list(class_names)
    axes.set_xticks(ticks, names, rotation=45 if max(map(len, names)) > 2 else 0)
    axes.set_yticks(ticks, names)
    _write(axes, [[str(count) if count else "" for count in row] for row in counts], shares > 0.5)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


def heatmap(
    values: Shaped[Array, "r c"],
    x: Sequence[Any] | Shaped[Array, " c"],
    y: Sequence[Any] | Shaped[Array, " r"],
    *,
    x_label: str,
    y_label: str,
    label: str,
    title: str = "",
    chosen: tuple[int, int] | None = None,
    absent: Bool[np.ndarray, "r c"] | None = None,
) -> Figure:
    """A grid of two hyperparameters in colours; the first row is at the bottom, NaN is hatched.

    Args:
        values: one a cell, with its row's ``y`` and its column's ``x``.
        x: numbers or words of the columns.
        y: numbers or words of the rows.
        label: what is measured, for the colour bar.
        chosen: row and column of a cell to frame.
        absent: cells that are not hatched but white, since there is nothing that could have failed.
    """
    values = np.ma.masked_invalid(np.asarray(values, np.float64))
    rows, columns = values.shape
    width, height = np.clip([2.4 + 0.55 * columns, 1.6 + 0.42 * rows], 3.2, 11.0)
    figure, axes = _axes.new_axes(x_label=x_label, y_label=y_label, title=title, width=width, height=height)
    axes.patch.set(hatch="////", facecolor="white", edgecolor="#a0aec0")
    image = axes.imshow(values, cmap="cividis", origin="lower", aspect="auto")
    axes.set_xticks(range(columns), [_word(value) for value in x], rotation=45 if columns > 6 else 0)
    axes.set_yticks(range(rows), [_word(value) for value in y])
    if values.count():  # with no number there are no colours
        figure.colorbar(image, ax=axes, label=label).outline.set_visible(False)
    if values.size <= MOST_WRITTEN:
        texts = [["" if value is np.ma.masked else f"{value:.3g}" for value in row] for row in values]
        _write(axes, texts, np.ma.filled(image.norm(values) < 0.5, False))
    if chosen is not None:
        row, column = chosen
        axes.add_patch(_square(column, row, fill=False, edgecolor="#d55e00", linewidth=2.5))
    for row, column in np.argwhere(absent).tolist() if absent is not None else ():
        axes.add_patch(_square(column, row, facecolor="white", linewidth=0))
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


def _write(axes: Axes, texts: list[list[str]], light: Shaped[Array, "r c"]) -> None:
    """A text in each cell, light where the cell is dark."""
    for row, line in enumerate(texts):
        for column, text in enumerate(line):
            colour = "white" if light[row, column] else _axes.DARK
            axes.text(column, row, text, ha="center", va="center", fontsize=8, color=colour)


def _square(column: int, row: int, **look: Any) -> Any:
    """The outline of a cell."""
    from matplotlib.patches import Rectangle

    return Rectangle((column - 0.5, row - 0.5), 1, 1, **look)


def _word(value: Any) -> str:
    """A word as it is, a number in three digits: 1000, not 1e+03."""
    return value if isinstance(value, str) else f"{float(f'{value:.3g}'):g}"
