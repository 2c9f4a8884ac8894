"""``python -m experiments --verify [NAME ...]``: trains experiments to their goals, notes the results."""

from __future__ import annotations

import pathlib
import re
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from rich.markup import escape
from rich.table import Table

from experiments import _contract, _report
from experiments._contract import Experiment, Goal
from experiments._run import Refusal, Result, train_row
from jaxnets.check import InputError

HEADER = """# What the experiments reach

Made by `python -m experiments --verify [NAME ...]`, which trains every experiment to its goals, prints this
table and replaces the lines of the experiments it ran: mean ± standard deviation over the seeds. Seconds are
those of a fit, or, where a number belongs to no row, of all fits and checks of the experiment.

| experiment | goal | reached | | seconds | measured |
|---|---|---|---|---|---|
"""
LINE = r"\| `(\w+)` \| (.*?) \|"
"""Of the table: its experiment and its goal."""


class Outcome(NamedTuple):
    """A goal, and what was measured: ``value`` is None where nothing was, and ``remark`` says why.

    What belongs to no row has no ``std``: it is one number for all seeds.
    """

    experiment: str
    goal: Goal
    value: float | None = None
    std: float | None = None
    seeds: int = 1
    seconds: float = 0.0
    remark: str = ""

    @property
    def verdict(self) -> str:
        """Reached, missed or not run."""
        if self.value is None:
            return "not run"
        return "reached" if self.goal.is_reached(self.value) else "missed"

    @property
    def cells(self) -> list[str]:
        """The outcome as text: goal, what was reached, verdict, seconds."""
        goal = self.goal
        where = "".join(f", {name} {value}" for name, value in (goal.settings or {}).items())
        signs = (("≥", goal.at_least), ("≤", goal.at_most))
        bounds = [f"{sign} {bound:g}" for sign, bound in signs if bound is not None]
        wanted = f"{goal.number.replace('_', ' ')} {' and '.join(bounds)}"
        wanted += f" ({goal.row}{where})" if goal.row else f" ({where[2:]})" * bool(where)
        reached = ""
        if self.value is not None:
            form = ".4f" if self.value == 0 or 0.005 <= abs(self.value) < 1000 else ".2g"
            spread = "" if self.std is None else f" ± {self.std:{form}}"
            reached = f"{self.value:{form}}" + f"{spread}, {self.seeds} seeds" * (self.seeds > 1)
        verdict = self.verdict + (f": {self.remark}" if self.remark else "")
        return [wanted, reached, verdict, f"{self.seconds:.1f}" if self.seconds else ""]


def verify(experiment: Experiment, *, files: pathlib.Path, report: Callable) -> Iterator[Outcome]:
    """Trains the rows that have goals and compares.

    Args:
        files: the folder of the files that goals name, as ``{"dataset": "reviews.tsv"}``.
        report: as for :func:`experiments._run.train_row`.
    """
    together: dict[str, list[Goal]] = {}
    for goal in experiment.goals:
        together.setdefault(repr(goal.settings), []).append(goal)
    for goals in together.values():
        try:
            yield from _outcomes(experiment, goals, files, report)
        except InputError as refusal:
            yield from (Outcome(experiment.name, goal, remark=str(refusal)) for goal in goals)


def _outcomes(
    experiment: Experiment, goals: list[Goal], files: pathlib.Path, report: Callable
) -> Iterator[Outcome]:
    """The goals that share their settings."""
    changes = _located(goals[0].settings or {}, files)
    seeds = {goal.row: max(other.seeds for other in goals if other.row == goal.row) for goal in goals}
    results, begun = {}, time.perf_counter()
    for name, (hparams, settings) in experiment.variants().items():
        if name in seeds or None in seeds:
            settings, wanted = settings._replace(**changes), seeds.get(name, seeds.get(None))
            results[name] = train_row(experiment, name, hparams, settings, seeds=wanted, report=report)
    refused = [
        f"{result.name}: {result.reason}" for result in results.values() if isinstance(result, Refusal)
    ]
    checks = {}
    if None in seeds and not refused:
        trained = list(results.values())
        checks = experiment.checks(trained, experiment.data(trained[0].settings))
    seconds = time.perf_counter() - begun
    for goal in goals:
        if goal.row is None and refused:
            yield Outcome(experiment.name, goal, remark="; ".join(refused))
        else:
            yield _outcome(experiment.name, goal, results, checks, seconds)


def _outcome(
    name: str, goal: Goal, results: dict[str, Result | Refusal], checks: dict[str, float], seconds: float
) -> Outcome:
    if goal.row is None:
        return Outcome(name, goal, float(checks[goal.number]), None, goal.seeds, seconds, goal.note)
    result = results[goal.row]
    if isinstance(result, Refusal):
        return Outcome(name, goal, remark=result.reason)
    values = (result.metrics | {"fit_seconds": result.seconds_to_fit})[goal.number]
    fit = float(result.seconds_to_fit.mean())
    return Outcome(name, goal, float(values.mean()), float(values.std()), len(values), fit, goal.note)


def _located(settings: dict[str, Any], files: pathlib.Path) -> dict[str, Any]:
    """The settings, with a file of data looked for in its folder."""
    name = str(settings.get("dataset", ""))
    if "." not in name:
        return settings
    if not (files / name).is_file():
        raise InputError(f"no file {name} in {files}; --files FOLDER names the folder")
    return settings | {"dataset": str(files / name)}


def table(outcomes: list[Outcome]) -> Table:
    """The outcomes for a terminal."""
    view = Table(caption=_report.environment(), box=None, padding=(0, 2, 0, 0))
    for heading in ("experiment", "goal", "reached", "", "seconds"):
        view.add_column(heading, justify="left")
    for outcome in outcomes:
        view.add_row(*map(escape, [outcome.experiment, *outcome.cells]))
    return view


def merged(text: str, outcomes: list[Outcome]) -> str:
    """RESULTS.md with the lines of these experiments made anew, without those of goals that are no more.

    Where a goal was not run, a line with an older measurement of it stays.
    """
    lines = {
        found.groups(): found.string for found in map(re.compile(LINE).match, text.splitlines()) if found
    }
    where = _report.machine()
    for outcome in outcomes:
        goal = outcome.experiment, outcome.cells[0]
        if outcome.value is not None or goal not in lines:
            lines[goal] = " | ".join([f"| `{outcome.experiment}`", *outcome.cells, f"{where} |"])
    wanted = [
        (name, Outcome(name, goal).cells[0])
        for name in _contract.names()
        for goal in _contract.load(name).goals
    ]
    return HEADER + "".join(f"{lines[goal]}\n" for goal in wanted if goal in lines)
