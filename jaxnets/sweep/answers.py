"""What is kept between rounds of points: programs by their settings, answers by their points."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import numpy as np

from jaxnets.sweep.axes import Value
from jaxnets.sweep.cells import Group, groups
from jaxnets.sweep.engine import run
from jaxnets.sweep.grid import Grid
from jaxnets.sweep.part import Part
from jaxnets.sweep.plan import Plan, plan, reader
from jaxnets.sweep.records import Arrays
from jaxnets.sweep.results import SweepResult
from jaxnets.sweep.space import Space


class Programs:
    """Programs for the points of a space, made where they are first needed; one is made at once.

    Args:
        seeds: of every point.
        num_points: that are trained at a time.
        layout: ``lanes``, ``devices`` and ``memory``, as for :func:`~jaxnets.sweep.plan`.

    Raises:
        InputError: an end or a choice that a field does not allow, or as :func:`~jaxnets.sweep.plan`.
    """

    def __init__(self, space: Space, seeds: list[int], num_points: int, layout: dict[str, Any]) -> None:
        self.space, self.seeds, self.layout = space, seeds, layout
        self.trial = space.trial._replace(data=reader(space.trial))
        self.spread = space.spread(num_points)
        self.plans: dict[Any, Plan] = {}
        self._plan_of(groups(self.trial, self.spread, seeds)[0])

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of what the histories have."""
        return next(iter(self.plans.values())).parts[0].program.metrics

    def plan(self, grid: Grid) -> Plan:
        """Of points of the space."""
        found = groups(self.trial, grid, self.seeds)
        ready = [self._plan_of(group) for group in found]
        parts = [_of(one.parts[0], group) for one, group in zip(ready, found, strict=True)]
        return dataclasses.replace(ready[0], grid=grid, parts=tuple(parts))

    def _plan_of(self, group: Group) -> Plan:
        """Points all over the space with a group's settings, and the most steps."""
        if group.settings not in self.plans:
            names, traced = self.spread.names, group.hparams._fields
            fixed = {name: getattr(group.settings, name) for name in names if name not in traced}
            if "num_steps" in names and "num_steps" in traced:
                fixed["num_steps"] = max(self.spread.column("num_steps"))
            points = self.space.distinct(tuple((point | fixed).values()) for point in self.spread)
            self.plans[group.settings] = plan(self.trial, points, seeds=self.seeds, **self.layout)
        return self.plans[group.settings]


class Answer(NamedTuple):
    """What is told of a point: its mean, None if it failed, and user attributes."""

    value: float | None
    attributes: dict[str, Any]


class Answers:
    """What the points gave that were trained so far.

    Args:
        programs: that train them.
        metric: that is told.
    """

    def __init__(self, programs: Programs, metric: str) -> None:
        self.programs, self.metric = programs, metric
        self.known: dict[tuple[Value, ...], Answer] = {}
        self.rounds: list[tuple[Plan, list[Arrays]]] = []

    def to(self, points: list[tuple[Value, ...]]) -> list[Answer]:
        """The answer to each; those that are not known yet are trained together."""
        space = self.programs.space
        keys = [space.in_32_bits(point) for point in points]
        new = [point for key, point in zip(keys, points, strict=True) if key not in self.known]
        if new:
            self._train(space.distinct(new))
        return [self.known[key] for key in keys]

    def _train(self, grid: Grid) -> None:
        ready, chunks = self.programs.plan(grid), []
        result = run(ready, report=lambda done, arrays: chunks.append(arrays))
        self.rounds.append((ready, chunks))
        means = result.over_seeds(self.metric)["mean"].tolist()
        for place, (point, mean) in enumerate(zip(grid.points, means, strict=True)):
            cells = slice(place * len(ready.seeds), (place + 1) * len(ready.seeds))
            answer = _answer(result, self.metric, cells, mean)
            self.known[self.programs.space.in_32_bits(point)] = answer

    def result(self) -> SweepResult:
        """The table of all rounds, with the cells numbered through."""
        points, parts, chunks = [], [], []
        for ready, found in self.rounds:
            before = np.int32(len(points) * len(ready.seeds))
            chunks += [arrays | {"cell": arrays["cell"] + before} for arrays in found]
            points += ready.grid.points
            parts += ready.parts
        grid = Grid.of_points(ready.grid.names, points)
        return SweepResult.of_chunks(dataclasses.replace(ready, grid=grid, parts=tuple(parts)), chunks, [])


def _answer(result: SweepResult, metric: str, cells: slice, mean: float) -> Answer:
    if np.isfinite(mean):
        return Answer(mean, {"over_seeds": result.columns[metric][cells].tolist()})
    kept = result.columns["step"][cells][result.columns["status"][cells] == "diverged"]
    return Answer(None, {"diverged_step": int(kept.min())} if len(kept) else {"without_number": metric})


def _of(part: Part, group: Group) -> Part:
    """A part that trains other cells."""
    return part._replace(group=group).with_hparams(group.hparams)  # an enqueued trial can leave the space
