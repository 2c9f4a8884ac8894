"""The one look of all pictures: colours, markers, thin spines, a title on the left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from jaxnets.types import Array, Float, Int, Shaped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOUR, GREY, DARK = "#0072b2", "#4a5568", "#1a202c"

PALETTE = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#332288", "#882255", "#999933",
    "#666666",
)  # fmt: skip
"""Ten colours that colour-blind readers tell apart: Okabe and Ito's, then Tol's."""

MARKERS = "os^Dv<>Ph*"
LINES = ("-", "--", "-.", ":")


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, in inches; matplotlib is imported here, and its global state is never touched."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def new_axes(
    *, x_label: str, y_label: str, title: str, width: float = 6.4, height: float = 4.0
) -> tuple[Figure, Axes]:
    """A figure with one pair of labelled axes."""
    figure = new_figure(width, height)
    axes = figure.subplots()
    dress(axes, x_label=x_label, y_label=y_label, title=title)
    return figure, axes


def dress(axes: Axes, *, x_label: str, y_label: str, title: str) -> None:
    """Labels, and spines on two sides only."""
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.set_title(title, loc="left", fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set(linewidth=0.8, color=GREY)


def colour(number: int) -> str:
    """The colour of a class or a line; after ten they come again."""
    return PALETTE[number % len(PALETTE)]


def line_style(number: int, count: int) -> str:
    """Solid while the colours suffice, then dashes too."""
    return "-" if count <= len(PALETTE) else LINES[number // 5 % len(LINES)]


def legend(axes: Axes, *, beside: bool = False, scale: float = 1.0) -> None:
    """A legend without a frame, where there is something to explain; ``scale`` makes its markers larger."""
    handles, _ = axes.get_legend_handles_labels()
    place = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.0)} if beside else {"loc": "best"}
    look = {"fontsize": 9, "frameon": not beside, "framealpha": 0.85, "edgecolor": "none"}
    if handles:
        axes.legend(markerscale=scale, **look, **place)


def class_points(
    axes: Axes,
    points: Shaped[Array, "n 2"],
    labels: Int[Array, " n"],
    class_names: Sequence[str],
    *,
    size: float,
) -> None:
    """Points in the colour and the marker of their class."""
    for label in np.unique(labels).tolist():
        x, y = np.asarray(points)[np.asarray(labels) == label].T
        name = class_names[label] if class_names else f"class {label}"
        axes.scatter(
            x, y, s=size, marker=MARKERS[label % len(MARKERS)], color=colour(label), label=name,
            edgecolors="white", linewidths=0.4 if size > 12 else 0.1, zorder=3,
        )  # fmt: skip


def limits(values: Float[Array, " n"], margin: float | int) -> tuple[float, float]:
    """The range of the finite values, widened on both sides by a share of it.

    >>> limits(np.array([0.0, 2.0, np.nan]), 0.1)
    (-0.2, 2.2)
    """
    finite = np.asarray(values, np.float64)[np.isfinite(values)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 1.0)
    spread = margin * (high - low) or margin * abs(high) or margin
    return float(low - spread), float(high + spread)
