"""Successive halving and Hyperband: the worse cells stop early, the survivors are packed together and go on.

Jamieson & Talwalkar 2016, Non-stochastic best arm identification; Li, Jamieson, DeSalvo, Rostamizadeh &
Talwalkar 2018, Hyperband.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypedDict, Unpack

import numpy as np

from jaxnets import check
from jaxnets.sweep.engine import opened, refuse_callers
from jaxnets.sweep.held import Held, only_part
from jaxnets.sweep.lanes import MOST_LANES
from jaxnets.sweep.part import Part, Share, with_lanes
from jaxnets.sweep.plan import Plan, gone_on_with
from jaxnets.sweep.ranking import is_better_low
from jaxnets.sweep.records import Arrays
from jaxnets.sweep.results import STOPPED, SweepResult
from jaxnets.sweep.store import manifest_in


class Rung(NamedTuple):
    """A step at which points are compared, and how many of them go on."""

    step: int
    num_kept: int


class Bracket(NamedTuple):
    """Points that are compared with each other, and where.

    Attributes:
        points: their numbers in the grid.
        shares: on the way to each rung, how many points each program takes.
    """

    points: tuple[int, ...]
    rungs: tuple[Rung, ...]
    shares: tuple[tuple[Share, ...], ...]


def rungs_of(
    num_points: int, num_steps: int, *, factor: int = 3, least_steps: int | None = None
) -> list[Rung]:
    """Rungs of one bracket: at each a ``factor``-th of the points goes on, for ``factor`` times the steps.

    The last one is the whole run of those that are left. Rungs that would be at the same step are one.

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
    last = {num_steps: kept[-1] if kept else num_points}
    return [Rung(*rung) for rung in (dict(zip(steps, kept, strict=True)) | last).items()]


def brackets_of(
    num_points: int, num_steps: int, *, factor: int = 3, least_steps: int | None = None
) -> list[tuple[list[int], list[Rung]]]:
    """Hyperband's brackets: points by their numbers, and rungs; from many short runs to few whole ones.

    Each bracket takes about the same number of steps. The points are dealt out in an order that is drawn
    once and for all, so that a product's axes are spread over the brackets. Brackets too small for
    different rungs are joined.

    >>> [(len(points), rungs[0].step) for points, rungs in brackets_of(22, 90)]
    [(12, 10), (6, 30), (4, 90)]
    """
    check.count("factor", factor, 2)
    check.count("num_points", num_points, 1)
    least = 1 if least_steps is None else least_steps
    check.count("least_steps", least, 1, num_steps)
    most = min(int(math.log(num_steps / least, factor) + 1e-9), int(math.log(num_points, factor) + 1e-9))
    shares = np.array([(most + 1) / (down + 1) * factor**down for down in range(most, -1, -1)])
    ends = np.round(np.cumsum(shares) / shares.sum() * num_points).astype(int).tolist()
    order = np.random.default_rng(0).permutation(num_points).tolist()
    dealt = [sorted(order[start:end]) for start, end in zip([0, *ends], ends, strict=False)]
    joined: dict[int, list[int]] = {}
    for points, down in zip(dealt, range(most, -1, -1), strict=True):
        if points:
            rungs = rungs_of(len(points), num_steps, factor=factor, least_steps=num_steps // factor**down)
            joined[rungs[0].step] = sorted([*joined.get(rungs[0].step, []), *points])
    return [
        (points, rungs_of(len(points), num_steps, factor=factor, least_steps=first))
        for first, points in joined.items()
    ]


class Options(TypedDict, total=False):
    """What :func:`halve` and :func:`hyperband` can be told beside their rungs.

    Attributes:
        lowest: whether small is good; by default where the name says loss or error.
        keep_lanes: keep the plan's number of lanes when few are left: the survivors' curves are then those of
            the uncut runs bit for bit. By default those that would not fill a batch go on in a narrower
            program, if the plan has one and it is faster; their last bits are its. A folder with other lanes
            is not resumed.
        out: as for :func:`~jaxnets.sweep.run`, and so are ``resume`` and ``fresh``.
        report: called after each rung with the number of cells that have ended, and a batch's arrays.
    """

    lowest: bool | None
    keep_lanes: bool
    out: str | Path | None
    resume: bool
    fresh: bool
    report: Callable[[int, Arrays], None] | None


def halve(
    plan: Plan, metric: str, *, factor: int = 3, least_steps: int | None = None, **options: Unpack[Options]
) -> SweepResult:
    """Trains all points of a plan for a few steps, the better ones for more, the best to the end.

    The survivors are packed together. Points are compared by their means over seeds, at the next entries of
    the history. Cells that were stopped have the status ``stopped`` and are never best.

    Args:
        plan: with one static combination, whose number of steps is a setting.
        metric: of the history, by which points are compared; one with a diverged seed does not go on.
        factor: a ``factor``-th goes on at each rung.
        least_steps: of the first rung; by default so that one point, or a few, make all steps.
        **options: see :class:`Options`.

    Raises:
        InputError: several static combinations, a traced number of steps, no such metric, or as
            :func:`~jaxnets.sweep.run`.
    """
    num_steps = only_part(plan, "halving").program.num_steps
    rungs = rungs_of(len(plan.grid), num_steps, factor=factor, least_steps=least_steps)
    return _climb(plan, metric, [([*range(len(plan.grid))], rungs)], **options)


def hyperband(
    plan: Plan, metric: str, *, factor: int = 3, least_steps: int | None = None, **options: Unpack[Options]
) -> SweepResult:
    """Halving in several brackets, which differ in how early they stop (Li et al. 2018, algorithm 1).

    A point that learns slowly at first has its chance in the brackets that wait longer. The plan's points,
    best random or Sobol ones, are dealt out over the brackets; see :func:`halve` for the arguments.
    """
    num_steps = only_part(plan, "halving").program.num_steps
    brackets = brackets_of(len(plan.grid), num_steps, factor=factor, least_steps=least_steps)
    return _climb(plan, metric, brackets, **options)


def _climb(
    plan: Plan,
    metric: str,
    planned: list[tuple[list[int], list[Rung]]],
    *,
    lowest: bool | None = None,
    keep_lanes: bool = False,
    out: str | Path | None = None,
    resume: bool = False,
    fresh: bool = False,
    report: Callable[[int, Arrays], None] | None = None,
) -> SweepResult:
    """All brackets, one after the other."""
    refuse_callers(None, report, resume=resume, fresh=fresh, keep_lanes=keep_lanes)
    check.truth("lowest", lowest, None)
    plan = gone_on_with(plan, out, resume=resume)
    (part,) = plan.parts
    check.choice("metric", metric, part.program.metrics)
    lowest = is_better_low(metric) if lowest is None else lowest
    brackets = [_laid_out(part, points, rungs, keep_lanes) for points, rungs in planned]
    if resume and out is not None and not keep_lanes:
        brackets = _as_before(brackets, manifest_in(out))
    about = {"metric": metric, "lowest": lowest, "brackets": [_plain(bracket) for bracket in brackets]}
    with opened(plan, out, {"halving": about}, share=False, resume=resume, fresh=fresh) as store:
        held, chunks, num_ended = Held(plan, store), [], 0
        for bracket in brackets:
            for records, news in _bracket(plan, bracket, held, metric, lowest):
                chunks += records
                num_ended += sum(len(record["cell"]) for record in records)
                if report:
                    report(num_ended, news)
        return SweepResult.of_chunks(plan, chunks, store.damaged if store else [])


def _bracket(
    plan: Plan, bracket: Bracket, held: Held, metric: str, lowest: bool
) -> Iterator[tuple[list[Arrays], Arrays]]:
    """Rung by rung: the records of the cells that end there, and a batch's arrays."""
    (part,) = plan.parts
    alive = np.flatnonzero(np.isin(part.group.numbers // len(plan.seeds), bracket.points))
    for rung, shares in zip(bracket.rungs, bracket.shares, strict=True):
        if not len(alive):
            return
        for lanes, cells in _dealt(plan, part, alive, shares):
            part = with_lanes(plan.trial, part, lanes, memory=plan.memory)
            news = held.advance(part, cells, rung.step)
        if rung is bracket.rungs[-1]:
            yield [*held.records(part, alive)], news
            return
        kept = _best(plan, part, alive, held, metric, rung.num_kept, lowest)
        yield [*held.records(part, np.setdiff1d(alive, kept), STOPPED)], news
        alive = kept


def _dealt(
    plan: Plan, part: Part, alive: np.ndarray, shares: tuple[Share, ...]
) -> Iterator[tuple[int, np.ndarray]]:
    """The cells of each program, point after point; where points have diverged there are fewer."""
    _, places = np.unique(part.group.numbers[alive] // len(plan.seeds), return_inverse=True)
    start = 0
    for share in shares:
        cells = alive[(start <= places) & (places < start + share.num_points)]
        if len(cells):
            yield share.lanes, cells
        start += share.num_points


def _best(
    plan: Plan, part: Part, alive: np.ndarray, held: Held, metric: str, num: int, lowest: bool
) -> np.ndarray:
    """The cells of the points with the best means; those of equal means in the grid's order."""
    points = part.group.numbers[alive] // len(plan.seeds)
    values = np.array([held.value(position, metric) for position in alive.tolist()])
    means = {point: values[points == point].mean() for point in dict.fromkeys(points.tolist())}
    able = [point for point, mean in means.items() if np.isfinite(mean)]
    best = sorted(able, key=lambda point: means[point] if lowest else -means[point])[:num]
    return alive[np.isin(points, best)]


def _laid_out(part: Part, points: list[int], rungs: list[Rung], keep_lanes: bool) -> Bracket:
    """A bracket with its rungs at entries of the history, and the lanes that are fastest to each."""
    program = part.program
    steps = [min(-(-rung.step // program.interval) * program.interval, program.num_steps) for rung in rungs]
    alive = [len(points), *(rung.num_kept for rung in rungs[:-1])]
    shares = [(Share(program.lanes, num),) if keep_lanes else part.fastest_shares(num) for num in alive]
    moved = [rung._replace(step=step) for rung, step in zip(rungs, steps, strict=True)]
    return Bracket(tuple(points), tuple(moved), tuple(shares))


def _as_before(brackets: list[Bracket], manifest: dict[str, Any]) -> list[Bracket]:
    """The brackets with the shares that a folder's sweep has, where that is a halving with as many rungs."""
    found = manifest.get("halving")
    known = found.get("brackets") if isinstance(found, dict) else None
    if not isinstance(known, list) or len(known) != len(brackets):
        return brackets
    shares = [old.get("shares") if isinstance(old, dict) else None for old in known]
    return [
        bracket._replace(shares=tuple(tuple(Share(*share) for share in rung) for rung in old))
        if _are_shares(old, bracket)
        else bracket
        for bracket, old in zip(brackets, shares, strict=True)
    ]


def _are_shares(found: Any, bracket: Bracket) -> bool:
    """Whether these are all points of each of the bracket's rungs."""
    if not isinstance(found, list) or len(found) != len(bracket.rungs):
        return False
    totals = [sum(share.num_points for share in rung) for rung in bracket.shares]
    return all(
        isinstance(rung, list) and all(map(_is_share, rung)) and sum(num for _, num in rung) == total
        for rung, total in zip(found, totals, strict=True)
    )


def _is_share(found: Any) -> bool:
    is_pair = isinstance(found, list) and len(found) == 2 and all(type(number) is int for number in found)
    return is_pair and 1 <= found[0] <= MOST_LANES and found[1] >= 1


def _plain(bracket: Bracket) -> dict[str, Any]:
    """In JSON's types."""
    return {
        "points": [*bracket.points],
        "rungs": [list(rung) for rung in bracket.rungs],
        "shares": [[list(share) for share in rung] for rung in bracket.shares],
    }
