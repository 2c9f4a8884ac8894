"""Successive halving and Hyperband: the worse cells stop early, the survivors are packed together and go on.

Jamieson & Talwalkar 2016, Non-stochastic best arm identification; Li, Jamieson, DeSalvo, Rostamizadeh &
Talwalkar 2018, Hyperband.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxnets import check, status
from jaxnets.check import InputError
from jaxnets.sweep import way as ways
from jaxnets.sweep.engine import arrays_of, opened, record_of
from jaxnets.sweep.plan import Part, Plan
from jaxnets.sweep.records import Arrays
from jaxnets.sweep.results import STOPPED, SweepResult, is_better_low
from jaxnets.sweep.store import Store


class Rung(NamedTuple):
    """A step at which points are compared, and how many of them go on."""

    step: int
    num_kept: int


def rungs_of(
    num_points: int, num_steps: int, *, factor: int = 3, least_steps: int | None = None
) -> list[Rung]:
    """Rungs of one bracket: at each a ``factor``-th of the points goes on, for ``factor`` times the steps.

    The last one is the whole run of those that are left.

    Args:
        least_steps: of the first rung; by default so that one point, or a few, make all steps.

    >>> rungs_of(9, 900)
    [Rung(step=100, num_kept=3), Rung(step=300, num_kept=1), Rung(step=900, num_kept=1)]
    """
    check.count("factor", factor, 2)
    check.count("num_points", num_points, 1)
    possible = int(math.log(num_points, factor) + 1e-9)
    if least_steps is not None:
        check.count("least_steps", least_steps, 1, num_steps)
        possible = min(possible, int(math.log(num_steps / least_steps, factor) + 1e-9))
    steps = [max(1, num_steps // factor**down) for down in range(possible, 0, -1)]
    kept = [max(1, num_points // factor**up) for up in range(1, possible + 1)]
    rungs = [Rung(step, num) for step, num in zip(steps, kept, strict=True)]
    return [*rungs, Rung(num_steps, kept[-1] if kept else num_points)]


def halve(
    plan: Plan,
    metric: str,
    *,
    factor: int = 3,
    least_steps: int | None = None,
    lowest: bool | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    fresh: bool = False,
    report: Callable[[int, Arrays], None] | None = None,
) -> SweepResult:
    """Trains all points of a plan for a few steps, the better ones for more, the best to the end.

    The curves of the survivors are those of the uncut runs, bit for bit: a batch keeps its width, who shares
    it changes nothing, and rungs stand at the next entries of the history. Points are compared by their means
    over seeds. Cells that were stopped have the status ``stopped`` and are never best.

    Args:
        plan: with one static combination.
        metric: of the history, by which points are compared; one with a diverged seed does not go on.
        factor: a ``factor``-th goes on at each rung.
        least_steps: of the first rung; by default so that one point, or a few, make all steps.
        lowest: whether small is good; by default where the name says loss or error.
        out: as for :func:`~jaxnets.sweep.run`, and so are ``resume`` and ``fresh``.
        report: called after each rung with the number of cells that have ended, and a batch's arrays.

    Raises:
        InputError: several static combinations, no such metric, or as :func:`~jaxnets.sweep.run`.
    """
    if len(plan.parts) > 1:
        raise InputError(f"halving: {len(plan.parts)} static combinations, allowed is one")
    program = plan.parts[0].program
    check.choice("metric", metric, program.metrics)
    rungs = [
        rung._replace(step=min(-(-rung.step // program.interval) * program.interval, program.num_steps))
        for rung in rungs_of(len(plan.grid), program.num_steps, factor=factor, least_steps=least_steps)
    ]
    lowest = is_better_low(metric) if lowest is None else lowest
    about = {"halving": {"metric": metric, "rungs": [list(rung) for rung in rungs], "lowest": lowest}}
    with opened(plan, out, about, resume=resume, fresh=fresh, share=False) as store:
        chunks = [*_climb(plan, metric, rungs, lowest, store, report or (lambda *news: None))]
        return SweepResult.of_chunks(plan, chunks, store.damaged if store else [])


def _climb(
    plan: Plan, metric: str, rungs: list[Rung], lowest: bool, store: Store | None, report: Callable
) -> Iterator[Arrays]:
    """The records of all cells: of those that stop at a rung, then of those that made all steps."""
    (part,) = plan.parts
    held: dict[int, Arrays] = {}
    alive, number, num_ended = np.arange(plan.num_cells), 0, 0
    for rung in rungs:
        is_last = rung is rungs[-1]
        for batch in part.batches_among(alive):
            arrays = store.finished(number) if store else None
            if arrays is None:
                arrays = _to_rung(plan, part, batch, held, rung.step, is_last=is_last)
                if store:
                    store.finish(number, arrays)
            held |= {position: _row(arrays, row) for row, position in enumerate(batch.tolist())}
            number += 1
        kept = alive if is_last else _best(plan, part, alive, held, metric, rung.num_kept, lowest)
        stopped = alive if is_last else np.setdiff1d(alive, kept)
        for position in stopped.tolist():
            yield (
                held[position] if is_last else record_of(part, np.array([position]), held[position], STOPPED)
            )
        alive, num_ended = kept, num_ended + len(stopped)
        report(num_ended, arrays)
        if not len(alive):
            return


def _to_rung(
    plan: Plan, part: Part, batch: np.ndarray, held: dict[int, Arrays], step: int, *, is_last: bool
) -> Arrays:
    """A batch from where its cells are to a rung; on the last one, their records."""
    before = [held[position] for position in batch.tolist() if position in held]
    way = ways.of_arrays(part.program, _joined(before)) if before else ways.begun(part.program)
    while way.step < step:
        way = part.advanced(batch, way, step)
    return arrays_of(plan, part, batch, way) if is_last else way.arrays(len(batch))


def _best(
    plan: Plan, part: Part, alive: np.ndarray, held: dict[int, Arrays], metric: str, num: int, lowest: bool
) -> np.ndarray:
    """The cells of the points with the best means; those of equal means in the grid's order."""
    points = part.group.numbers[alive] // len(plan.seeds)
    values = np.array([_last(held[position], metric) for position in alive.tolist()])
    means = {point: values[points == point].mean() for point in dict.fromkeys(points.tolist())}
    worst = np.inf if lowest else -np.inf
    ranks = {point: mean if np.isfinite(mean) else worst for point, mean in means.items()}
    able = [point for point, rank in ranks.items() if np.isfinite(rank)]
    best = sorted(able, key=lambda point: ranks[point] if lowest else -ranks[point])[:num]
    return alive[np.isin(points, best)]


def _last(arrays: Arrays, metric: str) -> float:
    is_lost = int(arrays["status"][0]) == status.DIVERGED
    known = arrays[f"entry/{metric}"][0]
    known = known[np.isfinite(known)]  # one that has converged has no later losses
    return math.nan if is_lost or not len(known) else float(known[-1])


def _row(arrays: Arrays, row: int) -> Arrays:
    return {name: values if values.ndim == 0 else values[row : row + 1] for name, values in arrays.items()}


def _joined(rows: list[Arrays]) -> Arrays:
    return {
        name: values if values.ndim == 0 else np.concatenate([row[name] for row in rows])
        for name, values in rows[0].items()
    }
