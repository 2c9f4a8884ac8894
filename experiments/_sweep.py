"""``--grid``: a row of an experiment at every point of a grid, with a progress line, tables and pictures."""

from __future__ import annotations

import itertools
import os
import pathlib
import re
import shlex
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import jax
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from experiments import _report
from experiments._contract import Common, Experiment
from experiments._progress import progress
from jaxnets import check, sweep
from jaxnets.check import InputError
from jaxnets.diagnose import diagnose_lanes
from jaxnets.sweep import Grid, Plan, SweepResult, Trial
from jaxnets.sweep import pictures as pictures_of
from jaxnets.sweep.pictures import png, spaced
from jaxnets.sweep.ranking import Ranking, is_better_low
from jaxnets.sweep.report import conclusion, word, write_report
from jaxnets.sweep.results import write
from jaxnets.sweep.store import folder_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_POINTS = 20
"""Lines of the table in the terminal; the files have all."""
MOST_VALUES = 40
"""Of a name, for a heat map to be drawn over it."""
PICTURES = re.compile(r"(curve|parallel|(curves|heatmap)(_\w+)?)\.png")
"""Names of the pictures that a sweep may have; those of an earlier one are removed."""
LOWEST = {"auto": None, "minimize": True, "maximize": False}
"""Whether small is good, by direction."""


def sweep_rows(experiment: Experiment, common: Common, rows: dict[str, tuple[Any, Any]]) -> int:
    """Plans and runs the grid for each row; the result is the exit status.

    Raises:
        InputError: options that exclude each other, no local folder, or as :func:`jaxnets.sweep.plan`.
    """
    grid = Grid.parse(common.grid, common.space)
    if common.resume and common.fresh:
        raise InputError("--resume and --fresh, allowed is one of them")
    if common.share and common.fresh:
        raise InputError("--share and --fresh, allowed is one of them")
    if common.halving and common.hyperband:
        raise InputError("--halving and --hyperband, allowed is one of them")
    if common.share and (common.halving or common.hyperband):
        raise InputError("--share, allowed where no run stops early")
    out = folder_of(common.out or pathlib.Path("runs") / experiment.name, "--out")
    folders = {name: out / name if len(rows) > 1 else out for name in rows}
    try:
        for name, (hparams, settings) in rows.items():
            trial = experiment.trial(hparams, settings)._replace(name=f"{experiment.name} {name}")
            _sweep_row(trial, grid, common, folders[name])
    except KeyboardInterrupt:
        print(f"\n{_stopped(sys.argv[1:])}", file=sys.stderr, flush=True)
        os._exit(130)  # as in __main__: compiled programs may still run
    return 0


def _sweep_row(trial: Trial, grid: Grid, common: Common, out: pathlib.Path) -> None:
    like = out if common.resume or common.share else None
    plan = sweep.plan(trial, grid, seeds=common.seeds or 1, lanes=common.lanes, like=like)
    stops_early = common.halving or common.hyperband
    metric = metric_of(plan, common.metric, has_history=stops_early)
    lowest = LOWEST[common.direction]
    print(plan, flush=True)
    if common.plan:
        return
    _report.prepare(out)
    is_low = is_better_low(metric) if lowest is None else lowest
    with progress(plan.num_cells, metric, lowest=is_low, console=Console(stderr=True)) as report:
        ways = {"resume": common.resume, "fresh": common.fresh, "report": report}
        if stops_early:
            train = sweep.hyperband if common.hyperband else sweep.halve
            result = train(plan, metric, lowest=is_low, out=out, **ways)
        else:
            result = sweep.run(plan, out, share=common.share, **ways)
    is_unknown = metric not in result.metrics  # an experiment's own final numbers may be known only now
    if is_unknown or (not common.metric and not stops_early):
        metric = main_metric(result.metrics)
    _write(plan, result, metric, lowest, out)
    if is_unknown:  # the tables are by the main one
        check.choice("metric", common.metric, result.metrics)


def _write(plan: Plan, result: SweepResult, metric: str, lowest: bool | None, out: pathlib.Path) -> None:
    """Tables, pictures and the report, in files and in the terminal."""
    for line in result.damaged:
        print(f"made anew: {line}", file=sys.stderr)
    result.to_csv(out / "table.csv")
    ranking = result.ranking(metric, lowest=lowest)
    write(out / "points.csv", ranking.table.sort_index().to_csv(index=False).encode())
    _report.show(_table(plan, ranking))
    pictures = _pictures(result, ranking)
    for path in out.iterdir():
        if PICTURES.fullmatch(path.name):  # of another grid, perhaps
            path.unlink(missing_ok=True)
    for name, (_, figure) in pictures.items():
        write(out / f"{name}.png", png(figure))
    title = f"{plan.trial.name} on {plan.data_name}"
    write_report(out / "report.html", result, ranking, title=title, figures=dict(pictures.values()))
    print(conclusion(ranking))
    for finding in diagnose_lanes(result).report.findings:
        print(f"{finding.rule}: {finding.message}; remedy: {finding.remedy}")
    names = ["table.csv", "points.csv", *(f"{name}.png" for name in pictures), "report.html"]
    print(*(out / name for name in names), sep="\n")


def metric_of(plan: Plan, wanted: str | None, *, has_history: bool) -> str:
    """The metric by which points are compared: the one that is wanted, or the main one.

    Args:
        has_history: whether it must be known on the way.

    Raises:
        InputError: it is known already that there will be none of that name.
    """
    program = plan.parts[0].program
    known = [*program.metrics, *([] if has_history else program.finals)]
    own = _own_finals(plan) if plan.trial.evaluate and wanted and not has_history else []
    if wanted is not None and own is not None:
        check.choice("metric", wanted, [*known, *own])
    return wanted or main_metric(known)


def _own_finals(plan: Plan) -> list[str] | None:
    """Names of an experiment's own final numbers; None where they are known only once they are measured."""
    part = plan.parts[0]
    hparams = type(part.group.hparams)(*(column[0] for column in part.group.hparams))
    state = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), part.program.begun.state
    )
    learner = plan.trial.learner(hparams, part.settings)
    try:
        return [*jax.eval_shape(partial(plan.trial.evaluate, learner), state, part.dataset)]
    except Exception:  # it wants numbers, not shapes
        return None


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
    """By file name, with a line about each."""
    names, metric, what = result.names, ranking.metric, spaced(ranking.metric)
    pictures, stopped = {}, ", white where one was stopped" * ("stopped" in result.columns["status"])
    if len(names) == 1 and result.columns[names[0]].dtype != object:
        line = f"{what} by {spaced(names[0])}: mean and spread over seeds"
        pictures["curve"] = line, result.curve(names[0], metric)
    for x, y in filter(partial(_fill_a_plane, result), itertools.combinations(names, 2)):
        file = "heatmap" if len(names) == 2 else f"heatmap_{x}_{y}"
        line = f"{what} by {spaced(x)} and {spaced(y)}: mean; hatched where a run diverged{stopped}"
        pictures[file] = line, result.heatmap(x, y, metric)
    if len(names) > 2 or (len(names) == 2 and not pictures):
        line = f"{what} over all names: a line a point, which ends at its mean"
        pictures["parallel"] = line, pictures_of.parallel(ranking)
    return pictures | _histories(result, ranking)


def _histories(result: SweepResult, ranking: Ranking) -> dict[str, tuple[str, Figure]]:
    """A metric over the steps by each name whose values come again, or else by the first one."""
    if result.steps.shape[1] < 2 or not result.names:
        return {}
    metric = ranking.metric if ranking.metric in result.history else main_metric([*result.history])
    again = [name for name in result.names if _num_values(result, name) < len(ranking.table)]
    names = [name for name in again if _num_values(result, name) <= MOST_VALUES] or result.names[:1]
    spread = ": mean and spread over seeds" if _num_values(result, "seed") > 1 else ""
    return {
        "curves" if len(names) == 1 else f"curves_{name}": (
            f"{spaced(metric)} over the steps by {spaced(name)}{spread}",
            result.curves(metric, by=name, ranking=ranking),
        )
        for name in names
    }


def _fill_a_plane(result: SweepResult, names: tuple[str, str]) -> bool:
    """Whether a heat map over two names has few rows and columns, and cells in most of its places."""
    x, y = (_num_values(result, name) for name in names)
    pairs = set(zip(*(result.columns[name].tolist() for name in names), strict=True))
    return max(x, y) <= MOST_VALUES and 2 * len(pairs) > x * y


def _num_values(result: SweepResult, name: str) -> int:
    return len(set(result.columns[name].tolist()))


def _stopped(words: list[str]) -> str:
    """What is said after Ctrl-C: the command that goes on."""
    words = [word for word in words if word not in ("--fresh", "--resume")]
    return f"stopped; go on with: python -m experiments {shlex.join([*words, '--resume'])}"
