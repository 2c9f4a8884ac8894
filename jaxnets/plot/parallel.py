"""Points in many dimensions: an axis beside the other for each name, a line for each point."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from jaxnets.plot import _axes
from jaxnets.plot.tables import _word
from jaxnets.types import Array, Bool, Float, Shaped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDE = 30
"""Positive numbers that differ by such a factor are drawn by their logarithms."""
FEW = 8
"""Distinct numbers that are written at the axis; of more, round ones are."""
LEAST_GAP = 0.045
"""Between two numbers at an axis, as a share of its height."""
LONGEST = 18
"""Characters of a word."""
BAR = 0.5
"""From the last axis to the bar of colours; from axis to axis is 1."""
BEST = "#d55e00"


class Scale(NamedTuple):
    """Where values stand on their axis.

    Attributes:
        heights: of each value, from 0 to 1.
        ticks: heights with what is written there.
    """

    heights: Float[np.ndarray, " n"]
    ticks: list[tuple[float, str]]


def parallel(
    columns: Mapping[str, Sequence[Any] | Shaped[Array, " n"]],
    values: Float[Array, " n"],
    *,
    label: str,
    title: str = "",
    lowest_is_best: bool = False,
    lost: Bool[np.ndarray, " n"] | None = None,
) -> Figure:
    """Parallel coordinates: each point is a line over the axes of all names, coloured by its value.

    The lines end at their values, on the bar of colours; better ones lie above worse ones. Numbers that span
    a factor of more than 30 are on logarithmic axes, what is no number is a category.

    Args:
        columns: of each name, a value a point.
        values: of each point; NaN where there is none, the line is grey then.
        label: what the values are, for the bar.
        lost: points that failed: their lines are dashed and grey.

    >>> figure = parallel({"rate": [0.1, 1.0], "rule": ["a", "b"]}, np.array([0.5, 0.7]), label="accuracy")
    >>> [tick.get_text() for tick in figure.axes[0].get_xticklabels()]
    ['rate', 'rule']
    """
    values, names = np.asarray(values, np.float64), list(columns)
    lost = np.zeros(len(values), bool) if lost is None else np.asarray(lost)
    scales = [_scale(list(column)) for column in columns.values()]
    width = float(np.clip(2.6 + 1.4 * len(names), 5.0, 14.0))
    figure, axes = _axes.new_axes(x_label="", y_label="", title=title, width=width, height=4.6)
    _draw_axes(axes, names, scales)
    heights = np.stack([scale.heights for scale in scales], axis=1)
    known = np.isfinite(values) & ~lost
    _draw_grey(axes, heights[lost], "diverged", "--")
    _draw_grey(axes, heights[~known & ~lost], "without a number", "-")
    if known.any():
        _draw_known(axes, heights[known], values[known], label, lowest_is_best)
    _explain(axes)
    return figure


def is_wide(values: Shaped[np.ndarray, " n"]) -> bool:
    """Whether numbers are better seen by their logarithms: they span decades, and lie evenly in them.

    >>> is_wide(np.array([0.01, 0.1, 1.0])), is_wide(np.array([0.01, 0.4, 0.5, 0.9]))
    (True, False)
    """
    low, middle, high = np.quantile(values, [0, 0.5, 1], method="lower").astype(float)
    if low <= 0 or high <= WIDE * low:
        return False
    return bool(middle**2 < np.sqrt(low * high) * (low + high) / 2)  # nearer to the geometric middle


def _scale(column: list[Any]) -> Scale:
    distinct = list(dict.fromkeys(column))
    if not all(map(_is_number, distinct)):
        return _categories(column, distinct)
    scale = _numbers(np.array(column, np.float64))
    gaps = np.diff(np.unique(scale.heights))
    is_crowded = len(distinct) <= FEW and gaps.size > 0 and gaps.min() < LEAST_GAP  # as 0, 1e-5 and 1
    return _categories(column, sorted(distinct)) if is_crowded else scale


def _categories(column: list[Any], distinct: list[Any]) -> Scale:
    places = {value: (place + 0.5) / len(distinct) for place, value in enumerate(distinct)}
    ticks = [(place, _cut(_written(value))) for value, place in places.items()]
    return Scale(np.array([places[value] for value in column]), _thinned(ticks))


def _numbers(numbers: Float[np.ndarray, " n"]) -> Scale:
    is_log, ends = is_wide(numbers), [float(numbers.min()), float(numbers.max())]
    low, high = np.log10(ends) if is_log else ends

    def height(values: Any) -> Any:
        share = (np.log10(values) if is_log else values) - low
        return share / (high - low) if high > low else share + 0.5

    distinct = np.unique(numbers)
    between = distinct if len(distinct) <= FEW else _round_numbers(*ends, is_log=is_log)
    ticks = [(float(height(value)), _written(value)) for value in dict.fromkeys([*ends, *between.tolist()])]
    return Scale(height(numbers), _thinned(ticks))


def _round_numbers(low: float, high: float, *, is_log: bool) -> Float[np.ndarray, " t"]:
    """Numbers that are easily read, between two others."""
    from matplotlib.ticker import LogLocator, MaxNLocator

    ticks = (LogLocator() if is_log else MaxNLocator(5)).tick_values(low, high)
    return ticks[(ticks > low) & (ticks < high)]


def _thinned(ticks: list[tuple[float, str]]) -> list[tuple[float, str]]:
    """Those that do not stand in another one, the first ones before the others."""
    kept: list[tuple[float, str]] = []
    for height, text in ticks:
        if all(abs(height - other) >= LEAST_GAP for other, _ in kept):
            kept.append((height, text))
    return kept


def _written(value: Any) -> str:
    return _word(value) if _is_number(value) else str(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool)


def _cut(text: str, longest: int = LONGEST) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _draw_axes(axes: Axes, names: list[str], scales: list[Scale]) -> None:
    axes.spines[:].set_visible(False)
    axes.set_yticks([])
    titles = [textwrap.fill(_cut(name.replace("_", " "), 2 * LONGEST), 12) for name in names]
    axes.set_xticks(range(len(names)), titles)
    axes.tick_params(axis="x", length=0, top=False, labeltop=True, labelbottom=False, bottom=False)
    axes.set(xlim=(-0.45, len(names) - 0.35), ylim=(-0.03, 1.03))
    axes.vlines(range(len(names)), 0, 1, color=_axes.GREY, linewidth=1, zorder=3)
    ground = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.6}
    for place, scale in enumerate(scales):
        for height, text in scale.ticks:
            axes.text(
                place - 0.04, height, text, ha="right", va="center", fontsize=8, color=_axes.DARK,
                bbox=ground, zorder=6,
            )  # fmt: skip
            axes.plot([place - 0.025, place], [height, height], color=_axes.GREY, linewidth=1, zorder=3)


def _draw_grey(axes: Axes, heights: Float[np.ndarray, "n d"], what: str, style: str) -> None:
    """Points without a value; the lines end on the last axis."""
    from matplotlib.collections import LineCollection

    if len(heights):
        look = {"linestyle": style, "linewidth": 0.9, "alpha": float(np.clip(60 / len(heights), 0.15, 0.8))}
        label = f"{what}: {len(heights):,}"
        axes.add_collection(LineCollection(_lines(heights), color="#a0aec0", label=label, zorder=1, **look))


def _draw_known(
    axes: Axes, heights: Float[np.ndarray, "n d"], values: Float[np.ndarray, " n"], label: str, is_low: bool
) -> None:
    """Points with a value, the best last and so above the others, and the bar that their lines end on."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.collections import LineCollection
    from matplotlib.colors import LogNorm, Normalize

    low, high = _axes.limits(values, 0.0 if is_wide(values) else 0.02)
    mapped = ScalarMappable(
        (LogNorm if is_wide(values) else Normalize)(low, high), "cividis" if is_low else "cividis_r"
    )
    worst_first = np.argsort(values if is_low else -values, kind="stable")[::-1]
    heights, values = heights[worst_first], values[worst_first]
    colours = mapped.to_rgba(values)
    faint = float(np.clip(30 / len(values), 0.12, 0.85))
    colours[:, 3] = faint + (0.95 - faint) * np.linspace(0, 1, len(values)) ** 4
    lines = _lines(heights, np.asarray(mapped.norm(values), np.float64))
    axes.add_collection(LineCollection(lines, colors=colours, linewidths=1.3, zorder=2))
    axes.plot(*lines[-1].T, color=BEST, linewidth=2.4, label=f"best: {values[-1]:.4g}", zorder=4)
    bar = axes.inset_axes([heights.shape[1] - 1 + BAR, 0, 0.06, 1], transform=axes.transData)
    axes.figure.colorbar(mapped, cax=bar, label=label).outline.set_visible(False)


def _lines(
    heights: Float[np.ndarray, "n d"], ends: Float[np.ndarray, " n"] | None = None
) -> Float[np.ndarray, "n _ 2"]:
    """Corners of each line, which may end on the bar of colours."""
    places = [*range(heights.shape[1])]
    if ends is not None:
        places, heights = [*places, places[-1] + BAR], np.column_stack([heights, ends])
    return np.stack([np.broadcast_to(np.array(places, float), heights.shape), heights], axis=2)


def _explain(axes: Axes) -> None:
    handles, _ = axes.get_legend_handles_labels()
    if handles:
        axes.legend(loc="upper left", bbox_to_anchor=(0, -0.01), ncols=3, frameon=False, fontsize=9)
