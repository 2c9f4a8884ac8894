"""What came out of a sweep: a table with a row a cell, histories, the best point, and pictures."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from jaxnets import check, plot, status
from jaxnets.check import InputError
from jaxnets.plot.parallel import is_wide
from jaxnets.sweep import records
from jaxnets.sweep.records import Arrays

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from jaxnets.sweep.plan import Plan


STOPPED = len(status.NAMES)
"""The status of a cell that made fewer steps because others were better."""
LOW = {"loss", "error", "errors", "mse", "rmse", "mae", "nll", "perplexity", "deviance", "gap"}
"""Words in the names of metrics of which small is good."""
STATUSES = (*status.NAMES, "stopped")


class Best(NamedTuple):
    """The best point of a grid.

    Attributes:
        point: its values.
        mean: of the metric over its seeds.
        std: likewise.
        left_out: points with a seed that diverged, was stopped or has no number: they cannot be the best.
    """

    point: dict[str, Any]
    mean: float
    std: float
    left_out: int


@dataclasses.dataclass(frozen=True)
class SweepResult:
    """A table of cells.

    Attributes:
        columns: an array ``[cells]`` each: ``cell``, the grid's names, ``seed``, ``status`` (a word),
            ``step`` (updates kept), and every metric in the end.
        names: of the grid.
        history: by metric, ``[cells, entries]``.
        steps: at which the history has entries, in the longest runs.
        damaged: files that were found damaged and made anew.
    """

    columns: Arrays
    names: tuple[str, ...]
    history: Arrays
    steps: list[int]
    damaged: list[str]

    @classmethod
    def of_chunks(cls, plan: Plan, chunks: list[Arrays], damaged: list[str]) -> SweepResult:
        """The table of a plan's finished chunks."""
        order = np.argsort(np.concatenate([chunk["cell"] for chunk in chunks]))
        cells = np.arange(len(order))
        points = [*plan.grid]
        of_point = cells // len(plan.seeds)
        columns: Arrays = {"cell": cells}
        for name in plan.grid.names:
            columns[name] = _column([points[point][name] for point in of_point])
        columns["seed"] = np.array(plan.seeds, np.int64)[cells % len(plan.seeds)]
        columns["status"] = np.array(STATUSES)[_joined(chunks, "status")[order]]
        columns["step"] = _joined(chunks, "kept_steps")[order]
        names = dict.fromkeys(name for chunk in chunks for name in chunk)
        history = {
            name.partition("/")[2]: _joined(chunks, name)[order]
            for name in names
            if name.startswith("history/")
        }
        columns |= {name: _last(values) for name, values in history.items()}
        columns |= {
            name.partition("/")[2]: _joined(chunks, name)[order]
            for name in names
            if name.startswith("final/")
        }
        longest = max((part.program for part in plan.parts), key=lambda program: program.num_segments)
        return cls(columns, plan.grid.names, history, longest.steps, damaged)

    def __len__(self) -> int:
        return len(self.columns["cell"])

    @property
    def metrics(self) -> list[str]:
        """Names of the columns that are results."""
        return [*self.columns][len(self.names) + 4 :]

    def to_pandas(self) -> pd.DataFrame:
        """The table as a data frame, a row a cell."""
        import pandas as pd

        return pd.DataFrame(
            {name: pd.Series(values, dtype=values.dtype) for name, values in self.columns.items()}
        )

    def to_csv(self, path: str | Path) -> None:
        """Writes the table, whole or not at all."""
        try:
            records.replace(Path(path), self.to_pandas().to_csv(index=False).encode())
        except OSError as error:
            raise InputError(f"{path}: {error.strerror or error}") from None

    def over_seeds(self, metric: str) -> pd.DataFrame:
        """Of each point: mean, standard deviation and 95 % interval of the mean over its seeds.

        A seed that diverged or was stopped has no number, and a point with one has no mean: ``diverged``
        counts the former. The interval is Student's.
        """
        from scipy import stats

        frame = self.to_pandas()
        check.choice("metric", metric, self.metrics)
        frame["diverged"] = frame["status"] == "diverged"
        frame[metric] = frame[metric].where(~frame["status"].isin(["diverged", "stopped"]))
        names = list(self.names) or ["cell"]
        if not self.names:
            frame["cell"] = 0
        grouped = frame.groupby(names, sort=False, dropna=False)
        table = grouped[metric].agg(
            mean=lambda v: v.mean(skipna=False), std=lambda v: v.std(ddof=1, skipna=False), seeds="size"
        )
        half = stats.t.ppf(0.975, np.maximum(table["seeds"] - 1, 1)) * table["std"] / np.sqrt(table["seeds"])
        table["low"], table["high"] = table["mean"] - half, table["mean"] + half
        table["diverged"] = grouped["diverged"].sum()
        return table.reset_index()

    def best(self, metric: str, *, lowest: bool | None = None) -> Best:
        """The point with the best mean over its seeds; one with a diverged seed never is.

        Args:
            metric: a column.
            lowest: whether small is good; by default where the name says loss or error.

        Raises:
            InputError: no such column, or no point has a number.
        """
        table = self.over_seeds(metric)
        lowest = is_better_low(metric) if lowest is None else lowest
        known = table[np.isfinite(table["mean"])]
        if known.empty:
            raise InputError(f"{metric}: none of {len(table)} points has a number without a diverged seed")
        row = known.loc[known["mean"].idxmin() if lowest else known["mean"].idxmax()]
        point = {name: row[name].item() if hasattr(row[name], "item") else row[name] for name in self.names}
        return Best(point, float(row["mean"]), float(row["std"]), len(table) - len(known))

    def curve(self, name: str, metric: str) -> Figure:
        """A metric over one name of the grid that is a number: mean and spread over the seeds."""
        check.choice("name", name, self.names)
        check.choice("metric", metric, self.metrics)
        means, values, *_ = _means(self.columns, metric, name, "seed")
        labels = {"x_label": name.replace("_", " "), "y_label": metric.replace("_", " ")}
        x = np.array(values)
        return plot.curves(x, {metric: means}, **labels, log_x=is_wide(x))

    def heatmap(self, x: str, y: str, metric: str) -> Figure:
        """The mean of a metric over two names of the grid; hatched where a run diverged."""
        for name in (x, y):
            check.choice("name", name, self.names)
        check.choice("metric", metric, self.metrics)
        means, columns, rows, is_absent = _means(self.columns, metric, x, y)
        words = {
            "x_label": x.replace("_", " "),
            "y_label": y.replace("_", " "),
            "label": metric.replace("_", " "),
        }
        return plot.heatmap(means, columns, rows, **words, absent=is_absent)


def is_better_low(metric: str) -> bool:
    """Whether small is good, by a metric's name: it is a loss or an error."""
    return bool(LOW & set(metric.split("_")))


def _means(columns: Arrays, metric: str, x: str, y: str) -> tuple[np.ndarray, list, list, np.ndarray]:
    """A metric by the values of two columns: means (NaN where a run diverged), values, where no cell is."""
    (across, of_column), (down, of_row) = (_places(columns[name]) for name in (x, y))
    sums, counts = np.zeros((2, len(down), len(across)))
    np.add.at(sums, (of_row, of_column), np.where(columns["status"] == "diverged", np.nan, columns[metric]))
    np.add.at(counts, (of_row, of_column), 1)
    return np.where(counts, sums / np.maximum(counts, 1), np.nan), across, down, counts == 0


def _joined(chunks: list[Arrays], name: str) -> np.ndarray:
    """One array of all chunks; NaN where a chunk has none, or a shorter history."""
    parts = [chunk.get(name) for chunk in chunks]
    longest = max((part.shape[1] for part in parts if part is not None and part.ndim > 1), default=0)
    full = []
    for chunk, part in zip(chunks, parts, strict=True):
        if part is None:
            part = np.full((len(chunk["cell"]), *([longest] if longest else [])), np.nan, np.float32)
        if longest and part.shape[1] < longest:
            part = np.pad(
                part.astype(np.float32), ((0, 0), (0, longest - part.shape[1])), constant_values=np.nan
            )
        full.append(part)
    return np.concatenate(full)


def _last(values: np.ndarray) -> np.ndarray:
    """The last number of each history."""
    known = ~np.isnan(values)
    place = values.shape[1] - 1 - known[:, ::-1].argmax(axis=1)
    return np.where(known.any(axis=1), values[np.arange(len(values)), place], np.nan)


def _column(values: list[Any]) -> np.ndarray:
    """Numbers as an array of numbers, all else as objects."""
    if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
        return np.array(values)
    column = np.empty(len(values), object)
    column[:] = values
    return column


def _places(values: np.ndarray) -> tuple[list[Any], np.ndarray]:
    """Distinct values, numbers in their order and others as they come, and the place of each among them."""
    found = list(dict.fromkeys(values.tolist()))
    found = sorted(found) if values.dtype != object else found
    places = {value: place for place, value in enumerate(found)}
    return found, np.array([places[value] for value in values.tolist()])
