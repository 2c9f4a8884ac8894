"""Population-based training: the worst cells take the place of the best and go on with other hyperparameters.

Jaderberg et al. 2017, Population based training of neural networks, algorithm 1 with truncation selection.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxnets import check
from jaxnets.check import InputError
from jaxnets.sweep.engine import opened, refuse_callers
from jaxnets.sweep.held import Held, only_part
from jaxnets.sweep.part import Part
from jaxnets.sweep.plan import Plan, gone_on_with
from jaxnets.sweep.ranking import is_better_low
from jaxnets.sweep.records import Arrays
from jaxnets.sweep.results import SweepResult, write
from jaxnets.sweep.store import Store

FACTORS = (0.8, 1.25)
"""A copied cell's numbers are multiplied by one of these, each drawn alone."""


class Generation(NamedTuple):
    """How the cells of a population went on from one comparison to the next.

    Attributes:
        step: where this stretch ends.
        parents: of each cell, the cell whose state it went on from; its own number where it went on itself.
        hparams: of each cell here: the trial's NamedTuple, with an array ``[cells]`` in each field.
    """

    step: int
    parents: np.ndarray
    hparams: Any


class Population(NamedTuple):
    """What came out of a population.

    Attributes:
        result: a row a cell, with its hyperparameters in the end; its history is that of its ancestors. Each
            cell is a point of its own, named ``member``: it has been where no other was.
        lineage: all stretches, from the first step to the last.
        plan: as it was run, with the lanes of the folder that it went on from.
    """

    result: SweepResult
    lineage: tuple[Generation, ...]
    plan: Plan

    def ancestors(self, cell: int) -> list[int]:
        """The cells whose states led to a cell's, one a stretch, the last one itself."""
        check.count("cell", cell, 0, self.plan.num_cells - 1)
        found = [cell]
        for generation in self.lineage[:0:-1]:
            found.append(int(generation.parents[found[-1]]))
        return found[::-1]


def evolve(
    plan: Plan,
    metric: str,
    *,
    every: int,
    names: Sequence[str] | None = None,
    share: float = 0.25,
    seed: int = 0,
    lowest: bool | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    fresh: bool = False,
    report: Callable[[int, Arrays], None] | None = None,
) -> Population:
    """Trains all cells at once; every so often the worst copy the best and change their hyperparameters.

    Args:
        plan: with one static combination; each point is a member, and so is each of its seeds.
        metric: of the history, by which members are compared; one that has diverged is the worst.
        every: steps between two comparisons; they are made at the next entries of the history.
        names: hyperparameters that change; by default those of the grid. They are multiplied by 0.8 or 1.25,
            within their intervals; whole numbers are rounded.
        share: of the members that are replaced, and of those that are copied; in (0, 0.5].
        seed: of the draws: whom to copy, and which factors.
        lowest: whether small is good; by default where the name says loss or error.
        out: as for :func:`~jaxnets.sweep.run`, and so are ``resume`` and ``fresh``; it gets a
            ``lineage.csv``.
        report: called after each stretch with the number of cells that have ended, and a batch's arrays.

    Raises:
        InputError: several static combinations, a traced number of steps, too few members, no such metric or
            name, or as :func:`~jaxnets.sweep.run`.
    """
    refuse_callers(None, report, resume=resume, fresh=fresh)
    check.truth("lowest", lowest, None)
    check.kind("share", share, (float, int, np.number), "a number")
    only_part(plan, "population")
    plan = gone_on_with(plan, out, resume=resume)
    (part,) = plan.parts
    program = part.program
    check.choice("metric", metric, program.metrics)
    check.count("every", every, 1, program.num_steps)
    check.count("seed", seed)
    check.interval("share", share, check.Interval(0, 0.5, includes_low=False))
    names = _changing(plan, names)
    num_replaced = int(share * plan.num_cells)
    if not num_replaced:
        raise InputError(
            f"population: {share:g} of {plan.num_cells} members is none, allowed are more members"
        )
    lowest = is_better_low(metric) if lowest is None else lowest
    every = -(-every // program.interval) * program.interval
    about = {"metric": metric, "every": every, "names": names, "share": share, "seed": seed, "lowest": lowest}
    with opened(plan, out, {"population": about}, resume=resume, fresh=fresh, share=False) as store:
        held, lineage, everyone = Held(plan, store), [], np.arange(plan.num_cells)
        for step in [*range(every, program.num_steps, every), program.num_steps]:
            generation = Generation(step, everyone, part.group.hparams)
            if lineage:
                values = np.array([held.value(cell, metric) for cell in everyone.tolist()])
                generator = np.random.default_rng([seed, len(lineage)])
                parents = _parents(generator, values if lowest else -values, num_replaced)
                hparams = _changed(generator, part.group.hparams, parents, names)
                generation = Generation(step, parents, hparams)
                held.copy(parents)
            part = part.with_hparams(generation.hparams)
            lineage.append(generation)
            news = held.advance(part, everyone, step)
            if report:
                report(plan.num_cells * (step == program.num_steps), news)
        population = _population(plan, part, held, lineage, names, store)
    if out is not None:
        _write(Path(out) / "lineage.csv", population, names)
    return population


def replay(population: Population, cell: int) -> Arrays:
    """The record of one cell of a population, trained again alone from its first ancestor: the same bits."""
    line = population.ancestors(cell)
    (part,), held = population.plan.parts, Held(population.plan, None)
    for before, here, generation in zip([line[0], *line], line, population.lineage, strict=False):
        if before in held.rows:
            held.rows = {here: held.rows[before]}
        part = part.with_hparams(generation.hparams)
        held.advance(part, np.array([here]), generation.step)
    (record,) = held.records(part, np.array([cell]))
    return record


def _changing(plan: Plan, names: Any) -> list[str]:
    traced = plan.trial.hparams._fields
    if "member" in (*plan.grid.names, *traced):
        raise InputError("population: a name 'member', which is a column of its table")
    if names is not None:
        check.kind("names", names, (list, tuple), "a list of names")
    wanted = [name for name in plan.grid.names if name in traced] if names is None else [*names]
    for name in wanted:
        check.choice("name", name, traced)
    if "batch_size" in wanted:
        raise InputError("population: batch_size, whose sizes a program must know; allowed are other names")
    if not wanted:
        raise InputError("population: no hyperparameters that could change, at least one is needed")
    return wanted


def _parents(generator: np.random.Generator, losses: np.ndarray, num: int) -> np.ndarray:
    """Of each member the one that it goes on from: of the worst one of the best, if there is a better one."""
    order = np.argsort(np.where(np.isnan(losses), np.inf, losses), kind="stable")
    best = order[:num][np.isfinite(losses[order[:num]])]
    parents = np.arange(len(losses))
    if len(best):
        parents[order[-num:]] = generator.choice(best, num)
    return parents


def _changed(generator: np.random.Generator, hparams: Any, parents: np.ndarray, names: list[str]) -> Any:
    """Everyone's hyperparameters: those of its parent, and a copy's changed."""
    is_copy = parents != np.arange(len(parents))
    columns = {}
    for name, column in hparams._asdict().items():
        inherited = column[parents]
        if name in names:
            factors = generator.choice(FACTORS, len(parents))
            moved = _within(inherited * factors, column.dtype, *check.ends(type(hparams), name))
            inherited = np.where(is_copy, moved, inherited).astype(column.dtype)
        columns[name] = inherited
    return hparams._replace(**columns)


def _within(numbers: np.ndarray, kind: np.dtype, low: float, high: float) -> np.ndarray:
    """The nearest numbers of an interval that a type of 32 bits has."""
    if kind.kind != "i":
        return np.clip(numbers, low, high)
    ends = np.iinfo(kind)
    return np.round(np.clip(numbers, max(np.ceil(low), ends.min), min(np.floor(high), ends.max)))


def _population(
    plan: Plan, part: Part, held: Held, lineage: list[Generation], changing: list[str], store: Store | None
) -> Population:
    chunks = [*held.records(part, np.arange(plan.num_cells))]
    result = SweepResult.of_chunks(plan, chunks, store.damaged if store else [])
    names = ("member", *dict.fromkeys([*plan.grid.names, *changing]))
    last = {
        name: column.astype(np.float64) if column.dtype.kind == "f" else column
        for name, column in part.group.hparams._asdict().items()
        if name in names
    }
    found = result.columns | last | {"member": result.columns["cell"]}
    columns = {name: found[name] for name in dict.fromkeys(["cell", *names, *found])}
    return Population(dataclasses.replace(result, columns=columns, names=names), tuple(lineage), plan)


def _write(path: Path, population: Population, names: list[str]) -> None:
    """A line a cell and stretch: whom it went on from, and with which numbers."""
    lines = [",".join(["step", "cell", "parent", *names])]
    for generation in population.lineage:
        columns = [getattr(generation.hparams, name).tolist() for name in names]
        for cell, (parent, *values) in enumerate(zip(generation.parents.tolist(), *columns, strict=True)):
            lines.append(",".join(map(str, [generation.step, cell, parent, *values])))
    write(path, ("\n".join(lines) + "\n").encode())
