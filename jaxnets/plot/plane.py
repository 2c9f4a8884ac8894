"""Rows with two features, and what a model makes of the plane they lie in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxnets.plot import _axes
from jaxnets.types import Array, Bool, Float, Int, Shaped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RESOLUTION = 200


def decision_regions(
    predict: Callable[[Float[Array, "m 2"]], Any],
    inputs: Shaped[Array, "n 2"],
    labels: Int[Array, " n"],
    *,
    title: str = "",
    margin: float | int = 0.1,
    class_names: Sequence[str] = (),
    feature_names: Sequence[str] = ("x1", "x2"),
    levels: Sequence[float | int] = (),
    marked: Bool[Array, " n"] | None = None,
) -> Figure:
    """The plane in the colours of the predicted classes, with the rows on it.

    Args:
        predict: scores ``[m, k]``, whose largest names the class; or one score, ``[m]`` or ``[m, 1]``,
            positive for class 1.
        margin: how far the picture goes beyond the rows, as a share of their range.
        levels: of the last score, to draw as dashed lines: the margins of a support vector machine are
            at -1 and 1.
        marked: rows to draw a ring around.

    >>> corners = np.array([[0.0, 0.0], [1.0, 1.0]])
    >>> figure = decision_regions(lambda x: x[:, 0] - 0.5, corners, np.array([0, 1]), margin=0.5)
    >>> [float(end) for end in figure.axes[0].get_xlim()]
    [-0.5, 1.5]
    """
    figure, axes = _plane(inputs, margin, feature_names, title)
    x, y = (np.linspace(*ends, RESOLUTION, dtype=np.float32) for ends in (axes.get_xlim(), axes.get_ylim()))
    grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    scores = _scores(predict(grid))
    for label in np.unique(scores.argmax(1)).tolist():
        lead = (scores[:, label] - np.delete(scores, label, axis=1).max(1)).reshape(len(y), len(x))
        colour = _axes.colour(label)
        axes.contourf(x, y, lead, levels=[0, max(lead.max(), 0) + 1], colors=[colour], alpha=0.2)
        if lead.min() < 0:
            axes.contour(x, y, lead, levels=[0], colors=_axes.DARK, linewidths=1)
    if levels:
        last = scores[:, -1].reshape(len(y), len(x))
        axes.contour(x, y, last, levels=sorted(levels), colors=_axes.DARK, linewidths=0.9, linestyles="--")
    if marked is not None:
        rings = np.asarray(inputs)[np.asarray(marked)]
        axes.scatter(*rings.T, s=70, facecolors="none", edgecolors=_axes.DARK, linewidths=0.9, zorder=4)
    return _with_points(figure, axes, inputs, labels, class_names)


def lines_in_plane(
    inputs: Shaped[Array, "n 2"],
    labels: Int[Array, " n"],
    weights: Float[Array, "2 j"],
    biases: Float[Array, " j"],
    *,
    title: str = "",
    margin: float | int = 0.1,
    names: Sequence[str] = (),
    styles: Sequence[Any] = (),
    class_names: Sequence[str] = (),
    feature_names: Sequence[str] = ("x1", "x2"),
) -> Figure:
    """The lines ``w_j . x + b_j = 0`` over the rows; an arrow shows each one's positive side.

    Args:
        names: of the lines; none: they are numbered.
        styles: matplotlib's line styles of the lines, as dashes where one lies on another; none: all solid.
    """
    figure, axes = _plane(inputs, margin, feature_names, title)
    for number, (w, b) in enumerate(zip(np.asarray(weights, np.float64).T, np.asarray(biases), strict=True)):
        name = names[number] if names else f"line {number + 1}"
        style = styles[number] if styles else "-"
        _line(axes, w, float(b), name, _axes.PALETTE[-1 - number % 8], style)
    return _with_points(figure, axes, inputs, labels, class_names)


def hidden_space(
    features: Shaped[Array, "n 2"],
    labels: Int[Array, " n"],
    *,
    line: tuple[Float[Array, " 2"], Any] | None = None,
    title: str = "",
    class_names: Sequence[str] = (),
    feature_names: Sequence[str] = ("hidden unit 1", "hidden unit 2"),
) -> Figure:
    """Rows as the hidden layer sees them.

    Args:
        features: activations of two units.
        line: weights and bias of the output ``w . a + b``, drawn where it is 0.
    """
    figure, axes = _plane(features, 0.1, feature_names, title)
    if line is not None:
        _line(axes, np.asarray(line[0], np.float64), float(line[1]), "output = 0", _axes.DARK)
    return _with_points(figure, axes, features, labels, class_names)


def latent_scatter(
    points: Shaped[Array, "n 2"],
    labels: Int[Array, " n"],
    *,
    title: str = "",
    class_names: Sequence[str] = (),
    feature_names: Sequence[str] = ("z1", "z2"),
) -> Figure:
    """Codes of rows in the colours of their classes.

    >>> figure = latent_scatter(np.eye(2), np.array([0, 1]), class_names=["cat", "dog"])
    >>> [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    ['cat', 'dog']
    """
    figure, axes = _plane(points, 0.05, feature_names, title)
    return _with_points(figure, axes, points, labels, class_names)


def _plane(
    points: Shaped[Array, "n 2"], margin: float | int, feature_names: Sequence[str], title: str
) -> tuple[Figure, Axes]:
    x_label, y_label = feature_names
    figure, axes = _axes.new_axes(x_label=x_label, y_label=y_label, title=title, width=5.6, height=4.6)
    x, y = np.asarray(points).T
    axes.set(xlim=_axes.limits(x, margin), ylim=_axes.limits(y, margin))
    return figure, axes


def _scores(outputs: Any) -> Float[np.ndarray, "m k"]:
    """A score for each class, all finite; a single score ``s`` becomes the pair ``-s, s``."""
    scores = np.nan_to_num(np.asarray(outputs, np.float64))
    scores = scores.reshape(len(scores), -1)
    return scores if scores.shape[1] > 1 else np.concatenate([-scores, scores], axis=1)


def _with_points(
    figure: Figure, axes: Axes, points: Array, labels: Array, class_names: Sequence[str]
) -> Figure:
    ends = axes.get_xlim(), axes.get_ylim()
    size = float(np.clip(6000 / max(len(points), 1), 9, 36))
    _axes.class_points(axes, points, np.asarray(labels), class_names, size=size)
    axes.set(xlim=ends[0], ylim=ends[1])
    crowded = len(axes.get_legend_handles_labels()[1]) > 3
    _axes.legend(axes, beside=crowded, scale=(36 / size) ** 0.5)
    return figure


def _line(axes: Axes, w: Float[np.ndarray, " 2"], b: float, name: str, colour: str, style: Any = "-") -> None:
    """``w . x + b = 0`` across the picture, from the point nearest to its middle."""
    ends = np.array([axes.get_xlim(), axes.get_ylim()])
    middle, size = ends.mean(1), np.linalg.norm(np.ptp(ends, axis=1))
    length = np.linalg.norm(w)
    if not np.isfinite(b) or not 0 < length < np.inf:
        return
    foot = middle - (w @ middle + b) / length**2 * w
    along = np.array([-w[1], w[0]]) / length * size
    x, y = np.stack([foot - along, foot + along]).T
    axes.plot(x, y, color=colour, linestyle=style, linewidth=1.6, label=name, zorder=2)
    axes.annotate(
        "", foot + 0.07 * size * w / length, foot, annotation_clip=True,
        arrowprops={"arrowstyle": "->", "color": colour, "linewidth": 1.4},
    )  # fmt: skip
