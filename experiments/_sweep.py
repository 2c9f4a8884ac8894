"""``--grid``: a row of an experiment at every point of a grid, with a progress line, tables and pictures."""

from __future__ import annotations

import itertools
import pathlib
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Column, Table

from experiments import _report
from experiments._contract import Common, Experiment
from jaxnets import sweep
from jaxnets.check import InputError
from jaxnets.sweep import Grid, Plan, SweepResult
from jaxnets.sweep.pictures import png, spaced
from jaxnets.sweep.ranking import Ranking, is_better_low
from jaxnets.sweep.records import Arrays
from jaxnets.sweep.report import conclusion, word, write_report
from jaxnets.sweep.results import write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_POINTS = 20
"""Lines of the table in the terminal; the files have all."""
MOST_VALUES = 40
"""Of a name, for a heat map to be drawn over it."""


def sweep_rows(experiment: Experiment, common: Common, rows: dict[str, tuple[Any, Any]]) -> int:
    """Plans and runs the grid for each row; the result is the exit status."""
    grid = Grid.parse(common.grid, common.space)
    if common.resume and common.fresh:
        raise InputError("--resume and --fresh, allowed is one of them")
    if common.share and (common.halving or common.lanes is None):
        raise InputError("--share, allowed with --lanes NUM (the same for all) and without --halving")
    for name, (hparams, settings) in rows.items():
        out = common.out or pathlib.Path("runs") / experiment.name
        out = out / name if len(rows) > 1 else out
        trial = experiment.trial(hparams, settings)._replace(name=f"{experiment.name} {name}")
        like = out if common.resume or common.share else None
        size = common.lanes if common.share else None  # measured by nobody, so all that share agree
        plan = sweep.plan(
            trial, grid, seeds=common.seeds or 1, lanes=common.lanes, chunk_size=size, like=like
        )
        print(plan, flush=True)
        if not common.plan:
            _report.prepare(out)
            _sweep_row(plan, common, out)
    return 0


def _sweep_row(plan: Plan, common: Common, out: pathlib.Path) -> None:
    with progress(plan) as report:
        ways = {"resume": common.resume, "fresh": common.fresh, "report": report}
        if common.halving:
            metric = main_metric([*plan.parts[0].program.metrics])
            result = sweep.halve(plan, metric, out=out, **ways)
        else:
            result = sweep.run(plan, out, share=common.share, **ways)
    for line in result.damaged:
        print(f"made anew: {line}", file=sys.stderr)
    ranking = result.ranking(main_metric(result.metrics))
    result.to_csv(out / "table.csv")
    write(out / "points.csv", ranking.table.sort_index().to_csv(index=False).encode())
    _report.show(_table(plan, ranking))
    pictures = _pictures(result, ranking)
    for name, (_, figure) in pictures.items():
        write(out / f"{name}.png", png(figure))
    title = f"{plan.trial.name} on {plan.data_name}"
    write_report(out / "report.html", result, ranking, title=title, figures=dict(pictures.values()))
    print(conclusion(ranking))
    names = ["table.csv", "points.csv", *(f"{name}.png" for name in pictures), "report.html"]
    print(*(out / name for name in names), sep="\n")


def main_metric(names: list[str]) -> str:
    """By what the points are compared: the validation rows' first metric, or else the loss."""
    return next(
        (name for name in names if name.startswith("valid_")), "loss" if "loss" in names else names[0]
    )


def _table(plan: Plan, ranking: Ranking) -> Table:
    """The best points."""
    view = Table(title=escape(f"{plan.trial.name}: {spaced(ranking.metric)}"), box=None, padding=(0, 2, 0, 0))
    view.title_justify = "left"
    for name in [*ranking.names, "mean", "std", "seeds", "diverged"]:
        view.add_column(escape(spaced(name)), justify="right")
    for _, row in ranking.table.head(MOST_POINTS).astype(object).iterrows():
        numbers = [word(row["mean"]), word(row["std"]), f"{row['seeds']:.0f}", f"{row['diverged']:.0f}"]
        view.add_row(*(escape(word(row[name])) for name in ranking.names), *numbers)
    if len(ranking.table) > MOST_POINTS:
        view.caption = f"{len(ranking.table) - MOST_POINTS} more in points.csv"
    return view


def _pictures(result: SweepResult, ranking: Ranking) -> dict[str, tuple[str, Figure]]:
    """By file name, with a line each: a curve over one name that is a number, a heat map of each two."""
    names, metric, pictures = result.names, ranking.metric, {}
    what = spaced(metric)
    if len(names) == 1 and result.columns[names[0]].dtype != object:
        pictures["curve"] = (
            f"{what} by {names[0]}: mean and spread over seeds",
            result.curve(names[0], metric),
        )
    few = [name for name in names if len(set(result.columns[name].tolist())) <= MOST_VALUES]
    for x, y in itertools.combinations(few, 2):
        file = "heatmap" if len(names) == 2 else f"heatmap_{x}_{y}"
        pictures[file] = (
            f"{what} by {x} and {y}: mean; hatched where a run diverged",
            result.heatmap(x, y, metric),
        )
    return pictures


@contextmanager
def progress(plan: Plan) -> Iterator[Callable[[int, Arrays], None]]:
    """A line with cells done, the best so far and the time left; plain lines where nobody watches."""
    begun, best, console = time.monotonic(), [], Console(stderr=True)

    def news(done: int, arrays: Arrays) -> str:
        names = [name.partition("/")[2] for name in arrays if name.startswith("history/")]
        if names:
            metric = main_metric(names)
            values = np.where(arrays["status"] == 1, np.nan, arrays[f"history/{metric}"][:, -1])
            if np.isfinite(values).any():
                lowest = is_better_low(metric)
                best.append((np.nanmin if lowest else np.nanmax)(values))
                best[:] = [min(best) if lowest else max(best)]
        so_far = f", best {metric.replace('_', ' ')} {best[0]:.4g}" if best else ""
        left = (time.monotonic() - begun) * (plan.num_cells / done - 1) if done else np.inf
        return f"{done} of {plan.num_cells} cells{so_far}" + f", {left:.0f} s left" * bool(done)

    if not console.is_terminal:
        yield lambda done, arrays: print(news(done, arrays), file=sys.stderr, flush=True)
        return
    what = TextColumn("{task.description}", table_column=Column(ratio=1, no_wrap=True), markup=False)
    with Progress(BarColumn(20), what, console=console, expand=True, transient=True) as bar:
        task = bar.add_task(f"0 of {plan.num_cells} cells", total=plan.num_cells)
        yield lambda done, arrays: bar.update(task, completed=done, description=news(done, arrays))
