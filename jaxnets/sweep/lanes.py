"""How many lanes, by measurement: wider programs are compiled and timed as long as that pays."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnets.check import InputError
from jaxnets.data.dataset import Dataset
from jaxnets.sweep.program import Program
from jaxnets.sweep.store import manifest_in

WIDER = 4
"""A candidate has so many times the lanes of the one before."""
WORTH = 3.0
"""A wider candidate is compiled while what is left takes more than so many compilations."""
GAIN = 0.95
"""A wider one is better if it takes less than this share of the time."""
PROBE_SECONDS = 0.1
"""Least time of the steps that are timed."""


class Layout(NamedTuple):
    """How cells are laid out, as far as that is known; None is to be measured.

    Attributes:
        lanes: cells side by side on a device.
        chunk_size: most cells whose results are one file.
    """

    lanes: int | None = None
    chunk_size: int | None = None


def layouts_in(folder: str | Path, num_parts: int) -> list[Layout]:
    """The layouts of the sweep that a folder holds, one a static combination; unknown where it has none."""
    found = manifest_in(folder).get("parts", {})
    parts = [found.get(str(number), {}) if isinstance(found, dict) else None for number in range(num_parts)]
    layouts = [
        Layout(*(part.get(name) for name in Layout._fields)) if isinstance(part, dict) else None
        for part in parts
    ]
    for layout in layouts:
        if layout is None or not all(type(number) in (int, type(None)) and number != 0 for number in layout):
            raise InputError(f"{folder}: no manifest of a sweep; start afresh")
    return layouts


class Candidate(NamedTuple):
    """A program with the seconds that all steps of one batch are expected to take."""

    program: Program
    seconds: float

    @property
    def seconds_a_cell(self) -> float:
        """Expected, of a cell among its neighbours."""
        return self.seconds / self.program.width


def chosen(
    candidate: Callable[[int], Candidate], lanes: int | None, *, most: int, num_cells: int, limit: int
) -> tuple[Candidate, int]:
    """The candidate with the least expected time, and how many were compiled.

    Args:
        candidate: compiles and measures so many lanes.
        lanes: the number wanted; None to measure.
        most: lanes beyond this would be filled with nothing.
        num_cells: to train in all.
        limit: bytes of a device's memory.

    Raises:
        InputError: the lanes wanted, or a single one, do not fit the memory.
    """
    best, count = candidate(lanes or 1), 1
    if best.program.num_bytes > limit:
        raise InputError(_too_large(best.program, limit))
    while lanes is None and best.program.lanes < most:
        left = best.seconds_a_cell * num_cells
        if left < WORTH * best.program.seconds or best.program.num_bytes * WIDER > limit:
            break
        wider, count = candidate(min(most, best.program.lanes * WIDER)), count + 1
        if wider.program.num_bytes > limit or wider.seconds_a_cell > GAIN * best.seconds_a_cell:
            break
        best = wider
    return best, count


def _too_large(program: Program, limit: int) -> str:
    fitting = limit * program.lanes // program.num_bytes
    allowed = f"{fitting} lanes" if fitting else "a smaller batch_size or model"
    taken = f"{program.num_bytes / 1e6:.0f} MB, there are {limit / 1e6:.0f} MB"
    return f"lanes = {program.lanes} take {taken}; allowed is {allowed}"


def measured(program: Program, seeds: np.ndarray | np.uint32, hparams: Any, dataset: Dataset) -> Candidate:
    """Times a short run: a step, and what is done between segments."""

    def seconds(run: Any, num_steps: int) -> tuple[float, Any]:
        until, begun = np.int32(run.step + num_steps), time.perf_counter()
        run, *found = program.advance(seeds, hparams, until, run, dataset)
        jax.block_until_ready((run, found))
        return time.perf_counter() - begun, run

    most = min(program.interval, program.num_steps - 1)
    _, run = seconds(program.begun, 1)
    between, run = seconds(run, 0)
    steps, total = 0, between
    while steps < most and total < between + PROBE_SECONDS:
        steps = min(max(1, 2 * steps), most)
        total, run = seconds(run._replace(step=np.int32(1)), steps)
    a_step = max(0.0, total - between) / max(1, steps)
    return Candidate(program, program.num_segments * between + program.num_steps * a_step)


def memory_of(device: jax.Device) -> int:
    """Bytes that a device has."""
    known = device.memory_stats() or {}
    return known.get("bytes_limit") or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
