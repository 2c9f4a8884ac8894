"""How values are spread, and whether probabilities mean what they say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from jaxnets.plot import _axes
from jaxnets.types import Array, Bool, Float, Int, Shaped

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def histogram(
    values: Mapping[str, Shaped[Array, " _"]],
    *,
    x_label: str,
    title: str = "",
    bins: int = 30,
) -> Figure:
    """How often each group of values falls into each of the shared bins; what is not finite is left out.

    >>> figure = histogram({"a": np.array([0.0, 1.0, 1.0])}, x_label="score", bins=2)
    >>> figure.axes[0].get_xlabel()
    'score'
    """
    figure, axes = _axes.new_axes(x_label=x_label, y_label="count", title=title)
    finite = {name: np.asarray(group, np.float64) for name, group in values.items()}
    finite = {name: group[np.isfinite(group)] for name, group in finite.items()}
    edges = np.histogram_bin_edges(np.concatenate([*finite.values(), np.zeros(0)]), bins)
    for number, (name, group) in enumerate(finite.items()):
        colour = _axes.colour(number)
        axes.hist(group, edges, color=colour, alpha=0.35, label=name)
        axes.hist(group, edges, color=colour, histtype="step", linewidth=1.4)
    if len(values) > 1:
        _axes.legend(axes)
    return figure


def calibration(
    probabilities: Float[Array, " n"] | Mapping[str, Float[Array, " n"]],
    labels: Int[Array, " n"] | Bool[Array, " n"],
    *,
    bins: int = 10,
    title: str = "",
) -> Figure:
    """The share of ones among rows of about equal probability, against that probability; below, how many.

    Bars are one standard deviation of the share if the probabilities were right.

    Args:
        probabilities: of label 1, in [0, 1]; of several models by name.
        bins: of equal width.

    >>> figure = calibration(np.array([0.1, 0.1, 0.9, 0.9]), np.array([0, 0, 1, 1]), bins=5)
    >>> figure.axes[0].get_ylabel(), figure.axes[1].get_ylabel()
    ('share of ones', 'rows')
    """
    models = probabilities if isinstance(probabilities, Mapping) else {"model": probabilities}
    figure = _axes.new_figure(5.2, 5.4)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    _axes.dress(upper, x_label="", y_label="share of ones", title=title)
    _axes.dress(lower, x_label="predicted probability", y_label="rows", title="")
    upper.plot([0, 1], [0, 1], color=_axes.GREY, linewidth=1, label="perfect")
    edges = np.linspace(0, 1, bins + 1)
    for number, (name, chances) in enumerate(models.items()):
        mean, share, spread = _reliability(np.asarray(chances, np.float64), np.asarray(labels), edges)
        colour = _axes.colour(number)
        upper.errorbar(
            mean, share, yerr=spread, color=colour, marker="o", markersize=4, capsize=2, label=name
        )
        lower.hist(chances, edges, color=colour, histtype="step", linewidth=1.4)
    upper.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    _axes.legend(upper)
    return figure


def _reliability(
    chances: Float[np.ndarray, " n"], labels: Shaped[np.ndarray, " n"], edges: Float[np.ndarray, " e"]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean probability, share of ones and its deviation, in the bins that hold rows."""
    place = np.clip(np.digitize(chances, edges) - 1, 0, len(edges) - 2)
    count = np.bincount(place, minlength=len(edges) - 1)
    held = count > 0
    total = [np.bincount(place, weights=part, minlength=len(count)) for part in (chances, labels)]
    mean, share = (part[held] / count[held] for part in total)
    return mean, share, np.sqrt(mean * (1 - mean) / count[held])
