"""Lines over an axis: histories with bands over seeds, paths of coefficients, fits to points."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxnets.plot import _axes
from jaxnets.types import Array, Float, Shaped

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ABSURD = 10.0
"""A series whose highest value is so many times the usual one is on its way to infinity."""


def curves(
    x: Shaped[Array, " p"] | Mapping[str, Shaped[Array, " _"]],
    series: Mapping[str, Shaped[Array, ...] | Sequence[Shaped[Array, " _"]]],
    *,
    x_label: str,
    y_label: str,
    title: str = "",
    log_x: bool = False,
    log_y: bool = False,
    goal: float | int | None = None,
    count_ended: bool = True,
) -> Figure:
    """A line for each series: the mean over its seeds, in a band from the lowest to the highest.

    Values that are not finite are left out.

    Args:
        x: shared by all series, or one for each of them by name.
        series: ``[p]``, ``[seeds, p]``, or a list of arrays, shorter than ``p`` where a run ended early.
        goal: a dashed line at this height.
        count_ended: the legend says how many seeds have values that were left out; False where the names say
            how they ended.

    >>> figure = curves(np.arange(3), {"a": np.ones((2, 3))}, x_label="step", y_label="loss")
    >>> figure.axes[0].get_ylabel()
    'loss'
    """
    figure, axes = _axes.new_axes(x_label=x_label, y_label=y_label, title=title)
    axes.set_xscale("log" if log_x else "linear")
    axes.set_yscale("log" if log_y else "linear")
    drawn = []
    for number, (label, values) in enumerate(series.items()):
        points = np.asarray(x[label] if isinstance(x, Mapping) else x)
        seeds = _seeds(values, len(points))
        mean, low, high = _band(np.where(seeds > 0, seeds, np.nan) if log_y else seeds)
        colour, style = _axes.colour(number), _axes.line_style(number, len(series))
        marker = "o" if np.isfinite(mean).sum() == 1 else None
        label += _lost(seeds) if count_ended else ""
        axes.plot(points, mean, style, color=colour, label=label, linewidth=1.8, marker=marker)
        if len(seeds) > 1:
            axes.fill_between(points, low, high, color=colour, alpha=0.18, linewidth=0)
        drawn.append((low, high))
    if goal is not None:
        axes.axhline(goal, color=_axes.GREY, linestyle="--", linewidth=1, label=f"goal {goal:g}")
    if not log_y:
        _leave_out_the_absurd(axes, drawn)
    _axes.legend(axes)
    return figure


def path(
    alphas: Float[Array, " a"],
    coefficients: Float[Array, "a d"],
    names: Sequence[str],
    *,
    chosen: float | int | None = None,
    x_label: str = "penalty alpha",
    y_label: str = "coefficient",
    title: str = "",
) -> Figure:
    """How each coefficient shrinks with the penalty; the legend is in the order of the left end.

    Args:
        alphas: positive.
        chosen: a penalty to mark.
    """
    figure, axes = _axes.new_axes(x_label=x_label, y_label=y_label, title=title, width=7.2, height=4.4)
    axes.set_xscale("log")
    axes.axhline(0, color=_axes.GREY, linewidth=0.8)
    start = np.asarray(coefficients)[np.argmin(alphas)]
    for place, column in enumerate(np.argsort(-start).tolist()):
        style = _axes.line_style(place, len(names))
        axes.plot(alphas, coefficients[:, column], style, color=_axes.colour(place), label=names[column])
    if chosen is not None:
        axes.axvline(chosen, color=_axes.DARK, linestyle=":", label=f"chosen, {chosen:.3g}")
    _axes.legend(axes, beside=True)
    return figure


def fit(
    x: Shaped[Array, " n"],
    y: Shaped[Array, " n"],
    functions: Mapping[str, Callable[[Float[Array, " m"]], Any]],
    *,
    x_label: str,
    y_label: str,
    title: str = "",
    span: tuple[float | int, float | int] | None = None,
) -> Figure:
    """Points, and functions drawn through them.

    Args:
        functions: ``x [m] -> y [m]``, by name.
        span: where the functions are drawn, if not over the points alone: their range is then shaded.
    """
    figure, axes = _axes.new_axes(x_label=x_label, y_label=y_label, title=title)
    axes.scatter(x, y, s=14, color=_axes.GREY, alpha=0.5, linewidths=0, label="data")
    low, high = span or (float(np.min(x)), float(np.max(x)))
    grid = np.linspace(low, high, 400, dtype=np.float32)
    if span:
        axes.axvspan(float(np.min(x)), float(np.max(x)), color=_axes.GREY, alpha=0.08, linewidth=0, zorder=0)
    for number, (label, function) in enumerate(functions.items()):
        axes.plot(
            grid, np.reshape(function(grid), -1), color=_axes.colour(number), label=label, linewidth=1.8
        )
    axes.set_ylim(*_axes.limits(np.asarray(y, np.float64), 0.15))
    _axes.legend(axes)
    return figure


def scatter(
    x: Shaped[Array, " n"],
    y: Shaped[Array, " n"],
    *,
    x_label: str,
    y_label: str,
    title: str = "",
    diagonal: bool = False,
) -> Figure:
    """Points, with the line ``y = x`` where both axes measure the same.

    >>> points = np.arange(3.0)
    >>> len(scatter(points, points, x_label="true", y_label="predicted", diagonal=True).axes[0].lines)
    1
    """
    figure, axes = _axes.new_axes(x_label=x_label, y_label=y_label, title=title, width=5.0, height=4.4)
    axes.scatter(x, y, s=16, color=_axes.COLOUR, alpha=0.6, linewidths=0)
    if diagonal:
        ends = _axes.limits(np.concatenate([x, y]).astype(np.float64), 0.03)
        axes.plot(ends, ends, color=_axes.GREY, linewidth=1, label=f"{y_label} = {x_label}")
        axes.set(xlim=ends, ylim=ends, aspect="equal")
        _axes.legend(axes)
    return figure


def _seeds(values: Any, length: int) -> Float[np.ndarray, "s p"]:
    """One row a seed, NaN where its run had ended."""
    seeds = values if isinstance(values, (list, tuple)) else np.atleast_2d(values)
    rows = [np.asarray(row, np.float64) for row in seeds]
    padded = [np.pad(row, (0, length - len(row)), constant_values=np.nan) for row in rows]
    return np.stack([np.where(np.isfinite(row), row, np.nan) for row in padded])


def _band(seeds: Float[np.ndarray, "s p"]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, lowest and highest of the values there are; NaN where there is none."""
    present = np.isfinite(seeds)
    count = present.sum(0)
    mean = np.where(present, seeds, 0).sum(0) / np.maximum(count, 1)
    ends = np.where(present, seeds, np.inf).min(0), np.where(present, seeds, -np.inf).max(0)
    mean, low, high = (np.where(count > 0, part, np.nan) for part in (mean, *ends))
    return mean, low, high


def _lost(seeds: Float[np.ndarray, "s p"]) -> str:
    lost = int((~np.isfinite(seeds)).any(1).sum())
    return f" ({lost} of {len(seeds)} ended early)" if lost else ""


def _leave_out_the_absurd(axes: Any, drawn: list[tuple[np.ndarray, np.ndarray]]) -> None:
    """A run on its way to infinity does not flatten the others."""
    highest = sorted(np.nanmax(high) for _, high in drawn if np.isfinite(high).any())
    usual = ABSURD * highest[(len(highest) - 1) // 2] if highest else 0.0
    if usual > 0 and highest[-1] > usual:
        sane = [values[values <= usual] for band in drawn for values in band]
        axes.set_ylim(*_axes.limits(np.concatenate(sane), 0.05))
