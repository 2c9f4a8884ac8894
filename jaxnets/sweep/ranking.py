"""The points of a sweep compared by a metric: means over their seeds with intervals, and the best of them."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from jaxnets import check
from jaxnets.check import InputError
from jaxnets.sweep.records import Arrays
from jaxnets.types import Int

if TYPE_CHECKING:
    import pandas as pd

LOW = {
    "loss", "losses", "logloss", "error", "errors", "mse", "rmse", "mae", "mape", "msle", "nll", "perplexity",
    "deviance", "gap", "crossentropy", "brier", "cost", "costs", "kl", "divergence", "regret", "residual",
    "mistakes", "wer", "cer", "bpc", "bce", "elapsed", "seconds",
}  # fmt: skip
"""Words in the names of metrics of which small is good, and ``cross_entropy``."""


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


class Ranking(NamedTuple):
    """The points of a sweep in the order of a metric.

    Attributes:
        table: a row a point, the best first and those without a number last; its index has the points'
            numbers.
        of_cell: the number of each cell's point.
        names: of the grid.
        metric: by which they are compared.
        lowest: whether small is good.
    """

    table: pd.DataFrame
    of_cell: Int[np.ndarray, " cells"]
    names: tuple[str, ...]
    metric: str
    lowest: bool

    @property
    def best(self) -> Best:
        """The first point.

        Raises:
            InputError: none has a number.
        """
        num_known = int(np.isfinite(self.table["mean"]).sum())
        if not num_known:
            raise InputError(
                f"{self.metric}: none of {len(self.table)} points has a number without a diverged seed"
            )
        first = {name: self.table[name].iloc[0] for name in self.names}
        point = {name: value.item() if hasattr(value, "item") else value for name, value in first.items()}
        mean, std = (float(self.table[name].iloc[0]) for name in ("mean", "std"))
        return Best(point, mean, std, len(self.table) - num_known)


def ranked(columns: Arrays, names: tuple[str, ...], metric: str, *, lowest: bool | None = None) -> Ranking:
    """The points in the order of their means; those of equal means in the grid's order.

    Of those without a mean, the ones that were stopped late come first, those with a diverged seed last.

    Args:
        columns: of a sweep's table.
        names: of the grid.
        metric: a column.
        lowest: whether small is good; by default where the name says loss or error.
    """
    check.truth("lowest", lowest, None)
    of_cell, table = over_seeds(columns, names, metric)
    lowest = is_better_low(metric) if lowest is None else lowest
    means, steps = table["mean"].to_numpy(), np.bincount(of_cell, columns["step"])
    is_known = np.isfinite(means)
    far = np.where(is_known, 0, -steps)
    diverged = np.where(is_known, 0, table["diverged"] > 0)
    order = np.lexsort((far, diverged, np.where(is_known, means if lowest else -means, np.inf)))
    return Ranking(table.iloc[order], of_cell, names, metric, lowest)


def is_better_low(metric: str) -> bool:
    """Whether small is good, by a metric's name: it is a loss or an error, however it is written.

    >>> [is_better_low(name) for name in ("valid_loss", "RMSE", "CrossEntropy", "glossiness", "entropy")]
    [True, True, True, False, False]
    """
    words = [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", metric)]
    return bool(LOW & {*words, *map("".join, itertools.pairwise(words))})


def over_seeds(
    columns: Arrays, names: tuple[str, ...], metric: str
) -> tuple[Int[np.ndarray, " cells"], pd.DataFrame]:
    """Each cell's point, and a row a point as :meth:`jaxnets.sweep.SweepResult.over_seeds` says."""
    from scipy import stats

    points = [*zip(*(columns[name].tolist() for name in names), strict=True)] or [()] * len(columns["cell"])
    numbers = {point: number for number, point in enumerate(dict.fromkeys(points))}
    of_cell = np.array([numbers[point] for point in points])
    seeds, diverged = np.bincount(of_cell), columns["status"] == "diverged"
    values = np.where(diverged | (columns["status"] == "stopped"), np.nan, columns[metric])
    with np.errstate(invalid="ignore", divide="ignore"):  # what is not finite; a single seed
        mean = np.bincount(of_cell, values) / seeds
        std = np.sqrt(np.bincount(of_cell, (values - mean[of_cell]) ** 2) / (seeds - 1))
    half = stats.t.ppf(0.975, np.maximum(seeds - 1, 1)) * std / np.sqrt(seeds)
    first = np.unique(of_cell, return_index=True)[1]
    return of_cell, frame(
        {name: columns[name][first] for name in names}
        | {"mean": mean, "std": std, "seeds": seeds, "low": mean - half, "high": mean + half}
        | {"diverged": np.bincount(of_cell, diverged).astype(int)}
    )


def frame(columns: Arrays) -> pd.DataFrame:
    """A data frame whose columns keep their types: None and tuples are objects."""
    import pandas as pd

    return pd.DataFrame({name: pd.Series(values, dtype=values.dtype) for name, values in columns.items()})
