"""Pictures of a sweep: a metric over one name, over two, over all of them, and over the steps."""

from __future__ import annotations

import io
import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxnets import plot
from jaxnets.plot.parallel import is_wide
from jaxnets.sweep.ranking import Ranking
from jaxnets.sweep.records import Arrays
from jaxnets.types import Bool, Float, Int, Shaped

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_LINES = 8
"""Of values whose histories are drawn; the best ones where there are more."""
LONGEST = 24
"""Characters of a value in a legend."""


def curve(columns: Arrays, name: str, metric: str) -> Figure:
    """A metric over one name that is a number: mean and spread over the seeds."""
    means, values, *_ = _means(columns, metric, name, "seed")
    x = np.array(values)
    label = spaced(metric) + _fate(columns["status"])
    return plot.curves(
        x, {label: means}, x_label=spaced(name), y_label=spaced(metric), log_x=is_wide(x), count_ended=False,
        title="" if np.isfinite(means).any() else "no number is finite",
    )  # fmt: skip


def heatmap(columns: Arrays, x: str, y: str, metric: str) -> Figure:
    """The mean of a metric over two names; hatched where a run diverged, or has no finite number.

    White where there is no run, or where one was stopped early, whose number is none of the end, and none
    diverged.
    """
    means, across, down, is_white = _means(columns, metric, x, y)
    return plot.heatmap(
        means, across, down, x_label=spaced(x), y_label=spaced(y), label=spaced(metric), absent=is_white
    )


def curves(
    columns: Arrays,
    histories: Float[np.ndarray, "cells entries"],
    steps: Shaped[np.ndarray, "cells entries"],
    ranking: Ranking,
    *,
    by: str,
    metric: str,
) -> Figure:
    """A metric over the steps, a line for each value of a name: its best point, in a band over the seeds.

    A run that diverged or was stopped ends there; one that has converged stays where it was.

    Args:
        columns: of the table.
        histories: of the metric.
        steps: at which their entries are made; NaN where there is none.
        ranking: says which points are the best, perhaps by another metric.
        by: a name of the grid.
    """
    firsts = ranking.table.drop_duplicates(by)
    chosen = firsts.head(MOST_LINES)
    series, x = {}, {}
    for point, text in zip(chosen.index, _texts(chosen[by].tolist()), strict=True):
        cells = np.flatnonzero(ranking.of_cell == point)  # of one program, so their steps are the same
        here = {name: columns[name][cells] for name in ("status", "step")}
        is_made = np.isfinite(steps[cells[0]])
        label = text + _fate(here["status"])
        x[label] = steps[cells[0], is_made]
        series[label] = _to_the_end(histories[cells][:, is_made], x[label], here["status"], here["step"])
    numbers = np.concatenate([np.ravel(values) for values in series.values()])
    finite = numbers[np.isfinite(numbers)]
    figure = plot.curves(
        x, series, x_label="step", y_label=spaced(metric),
        title=_title(by, metric, len(firsts), len(ranking.names)) if finite.size else "no number is finite",
        log_y=finite.size > 0 and is_wide(finite), count_ended=False,
    )  # fmt: skip
    legend = figure.axes[0].get_legend()
    legend.set(title=spaced(by), loc="upper left", bbox_to_anchor=(1.01, 1.0), frame_on=False)
    return figure


def parallel(ranking: Ranking) -> Figure:
    """All points over all names, coloured by the metric; those with a seed that diverged are dashed."""
    table = ranking.table.sort_index()
    return plot.parallel(
        {name: table[name].tolist() for name in ranking.names}, table["mean"].to_numpy(),
        label=spaced(ranking.metric), lowest_is_best=ranking.lowest, lost=table["diverged"].to_numpy() > 0,
    )  # fmt: skip


def png(figure: Figure) -> bytes:
    """The bytes of a PNG file."""
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=120)
    return content.getvalue()


def spaced(name: str) -> str:
    """A name for people."""
    return name.replace("_", " ")


def _means(
    columns: Arrays, metric: str, x: str, y: str
) -> tuple[Float[np.ndarray, "r c"], list[Any], list[Any], Bool[np.ndarray, "r c"]]:
    """A metric by the values of two columns: means (NaN where a run was cut short), values, what is white."""
    (across, of_column), (down, of_row) = (_places(columns[name]) for name in (x, y))
    sums, counts, diverged, stopped = np.zeros((4, len(down), len(across)))
    is_lost = [columns["status"] == word for word in ("diverged", "stopped")]
    values = np.where(is_lost[0] | is_lost[1], np.nan, columns[metric])
    for table, numbers in [(sums, values), (counts, 1), (diverged, is_lost[0]), (stopped, is_lost[1])]:
        np.add.at(table, (of_row, of_column), numbers)
    is_white = (counts == 0) | ((stopped > 0) & (diverged == 0))
    return np.where(counts, sums / np.maximum(counts, 1), np.nan), across, down, is_white


def _places(values: np.ndarray) -> tuple[list[Any], np.ndarray]:
    """Distinct values, numbers in their order and others as they come, and the place of each among them."""
    found = list(dict.fromkeys(values.tolist()))
    found = sorted(found) if values.dtype != object else found
    places = {value: place for place, value in enumerate(found)}
    return found, np.array([places[value] for value in values.tolist()])


def _texts(values: list[Any]) -> list[str]:
    """Short texts of values, or long ones where short ones would be the same."""
    short = [f"{value:.4g}" if isinstance(value, float) else str(value) for value in values]
    short = [text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…" for text in short]
    return short if len(set(short)) == len(values) else [*map(str, values)]


def _fate(statuses: Shaped[np.ndarray, " seeds"]) -> str:
    """How runs ended that did not come to the end; for a legend."""
    counts = {word: int((statuses == word).sum()) for word in ("diverged", "stopped")}
    of_all = f" of {len(statuses)}" if len(statuses) > 1 else ""
    said = [f"{num}{of_all} {word}" if of_all else word for word, num in counts.items() if num]
    return f" ({', '.join(said)})" if said else ""


def _to_the_end(
    values: Float[np.ndarray, "seeds entries"],
    steps: Shaped[np.ndarray, " entries"],
    statuses: Shaped[np.ndarray, " seeds"],
    kept: Int[np.ndarray, " seeds"],
) -> Float[np.ndarray, "seeds entries"]:
    """Histories up to the entry in which a run made its last step; of one that has converged, beyond."""
    begins = np.concatenate([[0], steps[:-1]])
    is_made = begins < kept[:, None]
    last = np.maximum(is_made.sum(axis=1) - 1, 0)
    ends = values[np.arange(len(values)), last][:, None]
    return np.where(is_made, values, np.where((statuses == "converged")[:, None], ends, np.nan))


def _title(by: str, metric: str, num_values: int, num_names: int) -> str:
    first = f"the best {MOST_LINES} of {num_values}" if num_values > MOST_LINES else "best first"
    others = "; other names at their best" if num_names > 1 else ""
    return textwrap.fill(f"{spaced(metric)} by {spaced(by)}, {first}{others}", 64)
