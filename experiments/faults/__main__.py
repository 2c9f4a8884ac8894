"""``python -m experiments.faults [NAME ...]``: diagnoses faults and healthy problems, and scores that."""

from __future__ import annotations

import dataclasses
import multiprocessing
import pathlib
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import tyro
from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from experiments import __main__ as command
from experiments.faults import _fault
from jaxnets import check

USAGE = "python -m experiments.faults"
RESULTS = pathlib.Path(__file__).parent / "RESULTS.md"


@dataclasses.dataclass
class Options:
    """Diagnoses faults and healthy problems; without a name all of them, and the score goes to RESULTS.md."""

    names: tyro.conf.Positional[tuple[str, ...]] = ()
    """Faults or healthy problems; all by default."""
    seeds: int = 1
    """How often each is diagnosed, from another initialisation."""
    broken: bool = False
    """Only the faults."""
    healthy: bool = False
    """Only the healthy problems."""
    workers: int = 1
    """Processes; several get more done, but each diagnosis takes longer."""


def main(arguments: list[str]) -> int:
    """Runs the command line; the result is the exit status."""
    try:
        wanted = command.parse_or_refuse(Options, USAGE, Options.__doc__, arguments)
        check.count("--seeds", wanted.seeds, 1)
        check.count("--workers", wanted.workers, 1, 1000)
        return _score(wanted)
    except check.InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _score(wanted: Options) -> int:
    # Imported here, so that refusing takes no second.
    from experiments import _report
    from experiments.faults import _healthy, _score

    names = _chosen(wanted, _fault.names(), list(_healthy.PROBLEMS))
    cases = [(name, seed) for seed in range(wanted.seeds) for name in names]
    judged = []
    with _report.progress_line(Console(stderr=True), len(cases)) as (report, finish):
        for name, found in _reported(cases, wanted.workers):
            judged.append(_score.judged(name, found))
            report(name, len(judged) / len(cases), {})
            finish("  ".join(judged[-1].cells))
    for view in _views(judged):
        _report.show(view)
    for rule, reason in _score.skipped(judged).items():
        print(f"{rule} could not be asked, {reason}")
    if not wanted.names and wanted.broken == wanted.healthy:
        _report.write(RESULTS, _score.markdown(judged, _report.machine()).encode())
    return 0


def _reported(cases: list[tuple[str, int]], num_workers: int) -> Iterator[tuple[str, Any]]:
    """Names with what is said of them, by this process or by several."""
    from experiments.faults import _score

    command.configure("float32")
    if num_workers == 1:
        yield from ((name, _score.reported(name, seed)) for name, seed in cases)
        return
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(num_workers, spawned, command.configure, ("float32",)) as pool:
        names, seeds = zip(*cases, strict=True)
        yield from zip(names, pool.map(_score.reported, names, seeds), strict=True)


def _chosen(wanted: Options, faults: list[str], healthy: list[str]) -> list[str]:
    for name in wanted.names:
        check.choice("fault", name, [*faults, *healthy])
    both = wanted.broken == wanted.healthy
    known = [*(faults if wanted.broken or both else ()), *(healthy if wanted.healthy or both else ())]
    return [name for name in known if not wanted.names or name in wanted.names]


def _views(judged: list) -> Iterator[Table]:
    from experiments.faults import _score

    for columns, rows in (
        (_score.FAULT_COLUMNS, [one.cells for one in judged if one.fault]),
        (_score.HEALTHY_COLUMNS, [one.cells for one in judged if not one.fault]),
        (("measured", "figure"), _score.summary(judged)),
    ):
        view = Table(*columns, box=SIMPLE, show_edge=False, padding=(0, 1, 0, 0))
        for row in rows:
            view.add_row(*map(escape, row))
        if rows:
            yield view


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
