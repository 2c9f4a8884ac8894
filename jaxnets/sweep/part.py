"""The cells of one static combination, with the programs that can train them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from jaxnets import check, sampling
from jaxnets.check import InputError
from jaxnets.data.dataset import Dataset
from jaxnets.sweep import trial as trials
from jaxnets.sweep.cells import Group, batches_of, inputs_of
from jaxnets.sweep.columns import refuse_names
from jaxnets.sweep.devices import memory_of
from jaxnets.sweep.lanes import Candidate, Layout, candidates, measured, refuse_unfit
from jaxnets.sweep.program import Program, compile_program, least_bytes
from jaxnets.sweep.repeated import refuse_repeats
from jaxnets.sweep.trial import Trial
from jaxnets.sweep.way import Way, advanced

LEAST_POINTS = 8
"""With fewer points, cells of different seeds stand side by side."""
CHUNK_SECONDS = 2.0
"""Least work between two files, so that writing them is a small part."""
MOST_REPEATED = 4
"""Traced sizes of a batch share an array of rows in which each batch is repeated: at most so much longer."""


class Share(NamedTuple):
    """Points that are trained by the program with so many lanes."""

    lanes: int
    num_points: int


class Part(NamedTuple):
    """The cells of one static combination, and how they will be trained.

    Attributes:
        group: its cells.
        settings: complete.
        dataset: on the device.
        candidates: programs that were compiled and timed, the one that trains the cells first.
        shares_seed: whether cells side by side have one seed, so they share their rows.
        chunk_size: most cells whose results are one file; whatever the number of devices.
    """

    group: Group
    settings: Any
    dataset: Dataset
    candidates: tuple[Candidate, ...]
    shares_seed: bool
    chunk_size: int

    @property
    def program(self) -> Program:
        """What trains the cells."""
        return self.candidates[0].program

    @property
    def seconds(self) -> float:
        """Expected of cells side by side."""
        return self.candidates[0].seconds

    @property
    def chunks(self) -> list[np.ndarray]:
        """Positions in the group of each file's cells."""
        return self.chunks_among(np.arange(len(self.group.numbers)))

    @property
    def num_batches(self) -> int:
        """How many times the program makes whole runs."""
        return sum(len(self.batches_among(chunk)) for chunk in self.chunks)

    def chunks_among(self, positions: np.ndarray) -> list[np.ndarray]:
        """Some positions of the group, as many at a time as a file has; whatever the number of devices."""
        return batches_of(self.group, self.chunk_size, self.shares_seed, positions)

    def batches_among(self, positions: np.ndarray) -> list[np.ndarray]:
        """Some positions of the group, as many at a time as the program is wide."""
        return batches_of(self.group, self.program.width, self.shares_seed, positions)

    def fastest_shares(self, num_points: int) -> tuple[Share, ...]:
        """So many points dealt to one or two of the programs that there are, so that they end soonest.

        Full batches go to one, and what would not fill a batch to the same or to another.
        """
        num_seeds = len(np.unique(self.group.seeds))
        of_point = 1 if self.shares_seed else num_seeds

        def dealt(one: Candidate, other: Candidate) -> list[tuple[Candidate, int]]:
            full = num_points * of_point // one.program.width * one.program.width // of_point
            return [(one, full), (other, num_points - full)] if other is not one else [(one, num_points)]

        def seconds(shares: list[tuple[Candidate, int]]) -> float:
            return sum(one.seconds_of(of_point * num) for one, num in shares)

        best = min(itertools.starmap(dealt, itertools.product(self.candidates, repeat=2)), key=seconds)
        return tuple(Share(one.program.lanes, num) for one, num in best if num)

    def with_hparams(self, hparams: Any) -> Part:
        """The part with other hyperparameters for its cells, trained by the same program.

        Raises:
            InputError: sizes of a batch or numbers of steps that the program cannot make.
        """
        for size in np.unique(getattr(hparams, "batch_size", ())).tolist():
            if size < 1 or self.settings.batch_size % size:
                allowed = f"allowed are divisors of {self.settings.batch_size}, the rows of the program"
                raise InputError(f"batch_size = {size}, {allowed}; make it a setting")
        asked, most = np.max(getattr(hparams, "num_steps", 1)), self.program.num_steps
        if asked > most:
            raise InputError(f"num_steps = {asked}, allowed is at most {most}, those of the longest run")
        return self._replace(group=self.group._replace(hparams=hparams))

    def advanced(self, batch: np.ndarray, way: Way, until: int | None = None) -> Way:
        """A batch one entry further, at most to a step; see :func:`jaxnets.sweep.way.advanced`."""
        until = until or self.program.num_steps
        return advanced(
            self.program, self.group, batch, self.dataset, way, shares_seed=self.shares_seed, until=until
        )


def part_of(
    trial: Trial,
    group: Group,
    dataset: Dataset,
    layout: Layout,
    *,
    names: Sequence[str],
    devices: tuple,
    memory: int | None,
) -> Part:
    """Compiles and measures what the cells of one static combination need.

    Args:
        dataset: on the device.
        names: of the grid, which no metric may have.
        memory: bytes that may be used of each device; None for what it has.

    Raises:
        InputError: no steps, batches that cannot be, or one lane that does not fit the memory.
    """
    settings = _of_all(trials.complete(group.settings, dataset), group.hparams, dataset)
    _refuse_run(settings, trials.num_rows(dataset))
    refuse_names(trial, settings, group.hparams, dataset, names)
    if hasattr(group.hparams, "batch_size"):
        refuse_repeats(trial, settings, group.hparams, dataset)
    num_seeds = len(np.unique(group.seeds))
    num_points = len(group.numbers) // num_seeds
    shares_seed = num_seeds == 1 or num_points >= LEAST_POINTS
    side_by_side = num_points if shares_seed else len(group.numbers)
    part = Part(group, settings, dataset, (), shares_seed, 0)
    limit = memory or memory_of(devices[0])
    with trials.explained(trial):
        tried = candidates(
            partial(_compiled, trial, part, devices, limit), layout.lanes,
            most=-(-side_by_side // len(devices)), num_cells=len(group.numbers),
            least_bytes=partial(least_bytes, trial, settings, group.hparams, dataset),
            limit=limit,
        )  # fmt: skip
    program, seconds, *_ = tried[0]
    size = layout.chunk_size or program.width * max(1, round(CHUNK_SECONDS / max(seconds, 1e-3)))
    size = min(size, -(-side_by_side // program.lanes) * program.lanes)
    return part._replace(candidates=tried, chunk_size=size)


def _compiled(
    trial: Trial, part: Part, devices: tuple, limit: int, lanes: int, other: Candidate | None = None
) -> Candidate:
    """A program for a part, compiled and timed; not run where it does not fit the memory."""
    group, shares_seed = part.group, part.shares_seed
    program = compile_program(
        trial, part.settings, group.hparams, part.dataset,
        lanes=lanes, shares_seed=shares_seed, devices=devices, like=other.program if other else None,
    )  # fmt: skip
    if other is None:
        refuse_unfit(lanes, program.num_bytes, limit)
    elif program.num_bytes > limit:
        return Candidate(program, math.inf, program.seconds)
    batch = batches_of(group, program.width, shares_seed)[0]
    return measured(program, *inputs_of(group, batch, program.width, shares_seed), part.dataset, other)


def _refuse_run(settings: Any, num_rows: int) -> None:
    """Refuses numbers of steps that cannot be, and an order of the rows that names others."""
    check.count("num_steps", settings.num_steps, 1, 2**31 - 1)
    run = trials.run_settings(settings)
    if not callable(run.get("sampling", "epoch")):
        check.choice("sampling", run.get("sampling", "epoch"), sampling.ORDERS)
    if run.get("evaluate_every") is not None:
        check.count("evaluate_every", run["evaluate_every"], 1, settings.num_steps)
    if run.get("batch_size") is not None:
        check.count("batch_size", run["batch_size"], 1)
        if callable(run.get("sampling")):
            sampling.refuse(run["sampling"], num_rows=num_rows, batch_size=run["batch_size"])


def _of_all(settings: Any, hparams: Any, dataset: Dataset) -> Any:
    """Settings of a program for runs of several lengths and sizes of a batch, where these are traced."""
    if hasattr(hparams, "num_steps"):
        if len(np.unique(hparams.num_steps)) > 1 and getattr(settings, "evaluate_every", None) is None:
            raise InputError(
                "num_steps is traced, so evaluate_every is needed: entries of all runs are alike"
            )
        for number in (hparams.num_steps.min(), hparams.num_steps.max()):
            check.count("num_steps", int(number), 1, 2**31 - 1)
        settings = settings._replace(num_steps=int(hparams.num_steps.max()))
    if not hasattr(hparams, "batch_size"):
        return settings
    if not hasattr(settings, "batch_size"):
        raise InputError("batch_size is traced, so the settings need a field of that name")
    sizes, rows = np.unique(hparams.batch_size).tolist(), trials.num_rows(dataset)
    for size in sizes:
        check.count("batch_size", size, 1, rows)
    common = math.lcm(*sizes)
    if common > MOST_REPEATED * max(sizes):
        raise InputError(
            f"batch_size = {sizes}: their least common multiple is {common}, "
            f"allowed is at most {MOST_REPEATED} times the largest; make it a setting"
        )
    return settings._replace(batch_size=common)


def with_lanes(trial: Trial, part: Part, lanes: int, *, memory: int | None) -> Part:
    """The part, trained by the program of so many lanes; it is compiled where there is none.

    Args:
        memory: as for :func:`part_of`.

    Raises:
        InputError: so many lanes do not fit the memory.
    """
    devices, settings = part.program.devices, part.settings
    known = [one for one in part.candidates if one.program.lanes == lanes]
    others = [one for one in part.candidates if one.program.lanes != lanes]
    limit = memory or memory_of(devices[0])
    if not known:  # their states alone may be too many, which a program begins with
        refuse_unfit(lanes, least_bytes(trial, settings, part.group.hparams, part.dataset, lanes), limit)
    first = known or [_compiled(trial, part, devices, limit, lanes)]
    refuse_unfit(lanes, first[0].program.num_bytes, limit)
    return part._replace(candidates=(*first, *others))
