"""``--diagnose``: what keeps the rows of an experiment from learning, if anything does."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterator
from typing import Any

import jax
from rich.console import Console

from experiments import _report
from experiments._contract import Common, Experiment
from jaxnets import diagnose
from jaxnets.check import InputError, choice
from jaxnets.diagnose import Report
from jaxnets.diagnose.rules import rules
from jaxnets.sweep import trial
from jaxnets.sweep.pictures import png


def diagnose_rows(experiment: Experiment, common: Common, rows: dict[str, tuple[Any, Any]]) -> int:
    """Prints what was found of each row, and writes it as JSON; 1 where something was that is not meant.

    Raises:
        InputError: no row can be diagnosed.
    """
    for rule in common.mute:
        choice("rule", rule, rules())
    out = common.out or pathlib.Path("runs") / experiment.name
    experiment.data(next(iter(rows.values()))[1])
    _report.prepare(out)
    found: dict[str, Report] = {}
    refusal = InputError("no row")
    with _report.progress_line(Console(stderr=True), len(rows)) as (report, finish):
        for name, (hparams, settings) in rows.items():
            report(f"{name}: diagnosing", 0.0, {})
            try:
                found[name] = diagnose_row(experiment, hparams, settings, mute=common.mute)
            except InputError as error:
                refusal = error
                finish(f"{name}: {refusal}")
                continue
            remarks = _remarks(experiment, name, found[name])
            print(f"{name} ({found[name].seconds:.1f} s)", found[name], *remarks, sep="\n", flush=True)
            if found[name].exit_code:
                _write_pictures(out, name, found[name])
    if not found:
        raise refusal
    path = out / "diagnosis.json"
    _report.write(path, json.dumps({name: one.to_dict() for name, one in found.items()}, indent=1).encode())
    print(path)
    return int(any(unexpected(experiment, name, one) for name, one in found.items()))


def unexpected(experiment: Experiment, row: str, report: Report) -> list[str]:
    """Rules that found an error or a warning, and not what is meant so."""
    found = [one.rule for one in report.findings if one.severity != "note"]
    return [rule for rule in found if rule not in experiment.findings.get(row, ())]


def _remarks(experiment: Experiment, row: str, report: Report) -> Iterator[str]:
    """A line on what is as it should be."""
    meant = [one.rule for one in report.findings if one.rule in experiment.findings.get(row, ())]
    if meant:
        yield f"{', '.join(meant)}: meant so, as the experiment's FINDINGS say"


def _write_pictures(out: pathlib.Path, name: str, report: Report) -> None:
    for what, figure in report.figures().items():
        path = out / f"diagnosis_{name}_{what}.png"
        _report.write(path, png(figure))
        print(path)


def diagnose_row(
    experiment: Experiment, hparams: Any, settings: Any, *, mute: tuple[str, ...] = ()
) -> Report:
    """What was found of one row, with its learner, data and steps."""
    dataset = experiment.data(settings)
    settings = trial.complete(settings, dataset)
    run = trial.run_settings(settings)
    run.pop("evaluate_every", None)
    key = jax.random.key(0)
    problem = diagnose.problem_of(key, experiment.learner(hparams, settings), dataset, **run)
    return diagnose.diagnose(problem, key, mute=mute)
