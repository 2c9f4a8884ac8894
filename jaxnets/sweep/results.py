"""What came out of a sweep: a table with a row a cell, histories, the best point, and pictures."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxnets import check, status
from jaxnets.check import InputError
from jaxnets.sweep import pictures, records
from jaxnets.sweep.ranking import Best, Ranking, frame, over_seeds, ranked
from jaxnets.sweep.records import Arrays

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from jaxnets.sweep.plan import Plan


STOPPED = len(status.NAMES)
"""The status of a cell that made fewer steps because others were better."""
STATUSES = (*status.NAMES, "stopped")


@dataclasses.dataclass(frozen=True)
class SweepResult:
    """A table of cells.

    Attributes:
        columns: an array ``[cells]`` each: ``cell``, the grid's names, ``seed``, ``status`` (a word),
            ``step`` (updates kept), and every metric in the end.
        names: of the grid.
        history: by metric, ``[cells, entries]``.
        steps: at which each entry of the history is made, ``[cells, entries]``, NaN where there is none.
        damaged: files that were found damaged and made anew.
    """

    columns: Arrays
    names: tuple[str, ...]
    history: Arrays
    steps: np.ndarray
    damaged: list[str]

    @classmethod
    def of_chunks(cls, plan: Plan, chunks: list[Arrays], damaged: list[str]) -> SweepResult:
        """The table of a plan's finished chunks: of all, or of those that one host has."""
        order = np.argsort(joined(chunks, "cell"))
        cells = joined(chunks, "cell")[order].astype(np.int64)
        points = [*plan.grid]
        of_point = cells // len(plan.seeds)
        columns: Arrays = {"cell": cells}
        for name in plan.grid.names:
            columns[name] = _column([points[point][name] for point in of_point])
        columns["seed"] = np.array(plan.seeds, np.int64)[cells % len(plan.seeds)]
        columns["status"] = np.array(STATUSES)[joined(chunks, "status")[order]]
        columns["step"] = joined(chunks, "kept_steps")[order]
        names = dict.fromkeys(name for chunk in chunks for name in chunk)
        history = {
            name.partition("/")[2]: joined(chunks, name)[order]
            for name in names
            if name.startswith("history/")
        }
        columns |= {name: in_the_end(values, history["loss"]) for name, values in history.items()}
        columns |= {
            name.partition("/")[2]: joined(chunks, name)[order] for name in names if name.startswith("final/")
        }
        there = [part for part in plan.parts if np.isin(part.group.numbers, cells).any()]
        steps = np.full((len(cells), max(part.program.num_segments for part in there)), np.nan)
        for part in there:
            rows = np.isin(cells, part.group.numbers)
            steps[rows, : part.program.num_segments] = part.program.steps
        if "num_steps" in columns:  # shorter runs have ended before the last entries
            own = columns["num_steps"].astype(float)[:, None]
            before = np.concatenate([np.zeros((len(cells), 1)), steps[:, :-1]], axis=1)
            steps = np.where(before < own, np.minimum(steps, own), np.nan)
            history = {name: np.where(np.isnan(steps), np.nan, values) for name, values in history.items()}
        return cls(columns, plan.grid.names, history, steps, damaged)

    def __len__(self) -> int:
        return len(self.columns["cell"])

    @property
    def metrics(self) -> list[str]:
        """Names of the columns that are results."""
        return [*self.columns][len(self.names) + 4 :]

    def to_pandas(self) -> pd.DataFrame:
        """The table as a data frame, a row a cell."""
        return frame(self.columns)

    def to_csv(self, path: str | Path) -> None:
        """Writes the table, whole or not at all."""
        write(path, self.to_pandas().to_csv(index=False).encode())

    def over_seeds(self, metric: str) -> pd.DataFrame:
        """Of each point: mean, standard deviation and 95 % interval of the mean over its seeds.

        A seed that diverged or was stopped has no number, and a point with one has no mean: ``diverged``
        counts the former. The interval is Student's.
        """
        check.choice("metric", metric, self.metrics)
        return over_seeds(self.columns, self.names, metric)[1]

    def ranking(self, metric: str, *, lowest: bool | None = None) -> Ranking:
        """The points by their means over seeds, the best first; arguments as for :meth:`best`."""
        check.choice("metric", metric, self.metrics)
        return ranked(self.columns, self.names, metric, lowest=lowest)

    def best(self, metric: str, *, lowest: bool | None = None) -> Best:
        """The point with the best mean over its seeds; one with a diverged seed never is.

        Args:
            metric: a column.
            lowest: whether small is good; by default where the name says loss or error.

        Raises:
            InputError: no such column, or no point has a number.
        """
        return self.ranking(metric, lowest=lowest).best

    def curve(self, name: str, metric: str) -> Figure:
        """A metric over one name of the grid that is a number: mean and spread over the seeds."""
        self._check(metric, name)
        if self.columns[name].dtype == object:
            raise InputError(f"{name}: values that are no numbers, a curve needs numbers")
        return pictures.curve(self.columns, name, metric)

    def heatmap(self, x: str, y: str, metric: str) -> Figure:
        """The mean of a metric over two names of the grid.

        Hatched where a run diverged or has no finite number, white where one was stopped.
        """
        self._check(metric, x, y)
        return pictures.heatmap(self.columns, x, y, metric)

    def curves(self, metric: str, *, by: str, ranking: Ranking | None = None) -> Figure:
        """The history of a metric: a line for each value of one name, in a band over the seeds.

        A line is that of the best point with its value; of more than eight values, the best eight are drawn.
        What diverged ends where it did.

        Args:
            by: a name of the grid.
            ranking: says which points are the best; by default the metric's own.

        Raises:
            InputError: no such name, or a metric without a history.
        """
        check.choice("metric", metric, self.history)
        self._check(metric, by)
        ranking = ranking or self.ranking(metric)
        return pictures.curves(self.columns, self.history[metric], self.steps, ranking, by=by, metric=metric)

    def parallel(self, metric: str, *, lowest: bool | None = None) -> Figure:
        """Parallel coordinates: a line a point over all names; arguments as for :meth:`best`."""
        if not self.names:
            raise InputError("parallel: a grid without names, at least one is needed")
        return pictures.parallel(self.ranking(metric, lowest=lowest))

    def _check(self, metric: str, *names: str) -> None:
        check.choice("metric", metric, self.metrics)
        for name in names:
            check.choice("name", name, self.names)


def write(path: str | Path, content: bytes) -> None:
    """Writes a file of a sweep whole or not at all, for its owner alone.

    Raises:
        InputError: it cannot be written.
    """
    if not isinstance(path, str | Path) or not Path(path).name:
        raise InputError(f"path = {check.shown(path)}, allowed is the name of a file")
    try:
        records.replace(Path(path), content)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from None


def joined(chunks: list[Arrays], name: str) -> np.ndarray:
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


def in_the_end(values: np.ndarray, losses: np.ndarray) -> np.ndarray:
    """Each history's number at the last entry that its run came to, which is the last one with a loss.

    >>> nan = float("nan")
    >>> in_the_end(np.array([[1.0, nan, nan], [1.0, 2.0, 2.0]]), np.array([[3.0, 2.0, nan], [3.0, 2.0, nan]]))
    array([nan,  2.])
    """
    known = np.isfinite(losses)
    place = losses.shape[1] - 1 - known[:, ::-1].argmax(axis=1)
    return np.where(known.any(axis=1), values[np.arange(len(values)), place], np.nan)


def _column(values: list[Any]) -> np.ndarray:
    """Numbers as an array of numbers, all else as objects."""
    if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
        return np.array(values)
    column = np.empty(len(values), object)
    column[:] = values
    return column
