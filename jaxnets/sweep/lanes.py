"""How many lanes, by measurement: wider programs are compiled and timed as long as that pays."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnets.check import InputError
from jaxnets.data.dataset import Dataset
from jaxnets.sweep.program import Program
from jaxnets.sweep.store import folder_of, manifest_in
from jaxnets.train import Run

MOST_LANES = 2**16
"""On a device, and cells in a file."""
WIDER = 8
"""A candidate has so many times the lanes of the one before,"""
CAREFUL = 2
"""or so many where the work is slow: a wide program may be far slower than its lanes one after another."""
SLOW = 0.125
"""Seconds of the first step and entry from which on work is slow: eight, one after another, take a second."""
WORTH = 1.5
"""A wider candidate is tried where it is expected to save so many times what trying the last one took: what
many lanes save is often less than what the step before lets expect."""
PROBE_SECONDS = 0.1
"""Least time of the steps that are timed."""
PROBES = 3
"""So often they are timed; the shortest counts."""


class Layout(NamedTuple):
    """How cells are laid out, as far as that is known; None is to be measured.

    Attributes:
        lanes: cells side by side on a device.
        chunk_size: most cells whose results are one file.
    """

    lanes: int | None = None
    chunk_size: int | None = None

    def or_else(self, other: Layout) -> Layout:
        """What is known here, or else there."""
        return Layout(self.lanes or other.lanes, self.chunk_size or other.chunk_size)


def layouts_in(folder: Any, num_parts: int) -> list[Layout]:
    """The layouts of the sweep that a folder holds, one a static combination; unknown where it has none."""
    found = manifest_in(folder_of(folder, "like")).get("parts", {}) if folder is not None else {}
    parts = [found.get(str(number), {}) if isinstance(found, dict) else None for number in range(num_parts)]
    layouts = [
        Layout(*(part.get(name) for name in Layout._fields)) if isinstance(part, dict) else None
        for part in parts
    ]
    for layout in layouts:
        if layout is None or not all(map(_is_possible, layout)):
            raise InputError(f"{folder}: no manifest of a sweep; start afresh")
    return layouts


def _is_possible(number: Any) -> bool:
    return number is None or (type(number) is int and 1 <= number <= MOST_LANES)


class Candidate(NamedTuple):
    """A program with the seconds that all steps of one batch are expected to take.

    Attributes:
        trial_seconds: that compiling and timing it took.
        first: seconds of the beginning, the first step and its entry.
    """

    program: Program
    seconds: float
    trial_seconds: float
    first: float = 0.0

    @property
    def seconds_a_cell(self) -> float:
        """Expected, of a cell among its neighbours."""
        return self.seconds / self.program.width

    def seconds_of(self, num_cells: int) -> float:
        """Expected of so many cells, batch after batch."""
        return -(-num_cells // self.program.width) * self.seconds


def candidates(
    compiled: Callable[[int, Candidate | None], Candidate],
    lanes: int | None,
    *,
    most: int,
    num_cells: int,
    least_bytes: Callable[[int], int],
    limit: int,
) -> tuple[Candidate, ...]:
    """Programs that were compiled and timed, the one with the least expected time first.

    Args:
        compiled: compiles and measures so many lanes, to be compared with another candidate.
        lanes: the number wanted; None to measure.
        most: lanes beyond this would be filled with nothing.
        num_cells: to train in all.
        least_bytes: that so many lanes take, known before anything is compiled.
        limit: bytes of a device's memory.

    Raises:
        InputError: the lanes wanted, or a single one, do not fit the memory.
    """
    first = lanes or 1
    refuse_unfit(first, least_bytes(first), limit)
    tried = [compiled(first, None)]
    refuse_unfit(first, tried[0].program.num_bytes, limit)
    while lanes is None and _is_worth_more(tried, most, num_cells, limit):
        wider = min(most, tried[-1].program.lanes * _factor(tried[-1]))
        if least_bytes(wider) > limit:
            break
        tried.append(compiled(wider, tried[-1]))
    fitting = [one for one in tried if one.program.num_bytes <= limit]
    return tuple(sorted(fitting, key=lambda one: one.seconds_a_cell))


def _is_worth_more(tried: list[Candidate], most: int, num_cells: int, limit: int) -> bool:
    """Whether a wider program than the last one may save more time than trying it takes.

    A cell's time is taken to be ``a + b / lanes``, by the last two programs; with one alone, ``a`` is half.
    """
    last, *before = tried[::-1]
    if last.program.lanes >= most or last.program.num_bytes * _factor(last) > limit:
        return False
    shared = last.seconds_a_cell / 2
    if before:
        share = last.program.lanes / before[0].program.lanes
        shared = (before[0].seconds_a_cell - last.seconds_a_cell) / (share - 1)  # b / lanes of the last
    return shared * (1 - 1 / _factor(last)) * num_cells > WORTH * last.trial_seconds


def _factor(last: Candidate) -> int:
    return CAREFUL if last.first > SLOW else WIDER


def refuse_unfit(lanes: int, num_bytes: int, limit: int) -> None:
    """Refuses lanes that take more memory than there is, with advice."""
    if num_bytes > limit:
        fitting = limit * lanes // num_bytes
        allowed = f"{fitting} lanes" if fitting else "a smaller batch_size or model"
        raise InputError(
            f"lanes = {lanes} take {_megabytes(num_bytes)}, there are {_megabytes(limit)}; "
            f"allowed is {allowed}"
        )


def _megabytes(num_bytes: int) -> str:
    return f"{num_bytes / 1e6:.0f} MB" if num_bytes >= 1e8 else f"{num_bytes / 1e6:.2g} MB"


def measured(
    program: Program,
    seeds: np.ndarray | np.uint32,
    hparams: Any,
    dataset: Dataset,
    other: Candidate | None = None,
) -> Candidate:
    """Times a short run: how it begins, a step, and what is done between segments.

    Args:
        other: one with fewer lanes. Where a cell's first step takes longer than there, so will the others:
            no more is timed.
    """

    def shortest(run: Run, num_steps: int) -> tuple[float, Run]:
        times: list[float] = []
        while len(times) < PROBES and sum(times) < PROBES * PROBE_SECONDS:
            step, begun = np.int32(run.step), time.perf_counter()
            run, *found = program.advance(seeds, hparams, step + np.int32(num_steps), run, dataset)
            jax.block_until_ready((run, found))
            times.append(time.perf_counter() - begun)
            run = run._replace(step=step)
        return min(times), run

    started = time.perf_counter()
    first, run = shortest(program.begun, 1)
    lost = first / program.width / (other.first / other.program.width) if other else 0.0
    if program.num_steps == 1 or lost > 1:
        seconds = first if program.num_steps == 1 else lost * other.seconds_a_cell * program.width
        return Candidate(program, seconds, program.seconds + time.perf_counter() - started, first)
    between, run = shortest(run._replace(step=np.int32(1)), 0)
    most, steps, total = min(program.interval, program.num_steps - 1), 0, between
    while steps < most and total < between + PROBE_SECONDS:
        steps = min(max(1, 2 * steps), most)
        total, run = shortest(run, steps)
    a_step = max(0.0, total - between) / steps
    later = (program.num_segments - 1) * between + (program.num_steps - 1) * a_step
    spent = program.seconds + time.perf_counter() - started
    return Candidate(program, first + later, spent, first)
