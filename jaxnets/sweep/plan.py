"""What a sweep will be, before it runs: cells, compilations, lanes by measurement, memory and time."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets import check
from jaxnets.check import InputError
from jaxnets.data.dataset import Dataset
from jaxnets.sweep import trial as trials
from jaxnets.sweep.cells import Group, batches_of, groups, inputs_of, seeds_of
from jaxnets.sweep.fields import resolved
from jaxnets.sweep.grid import Grid
from jaxnets.sweep.lanes import Candidate, Layout, candidates, layouts_in, measured, memory_of
from jaxnets.sweep.program import Program, compile_program, least_bytes
from jaxnets.sweep.trial import Trial
from jaxnets.sweep.way import Way, advanced

LEAST_POINTS = 8
"""With fewer points, cells of different seeds stand side by side."""
CHUNK_SECONDS = 2.0
"""Least work between two files, so that writing them is a small part."""
MOST_LANES = 2**16
"""On a device, and cells in a file."""
MOST_REPEATED = 4
"""Traced sizes of a batch share an array of rows in which each batch is repeated: at most so much longer."""


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
        return batches_of(self.group, self.chunk_size, self.shares_seed)

    @property
    def num_batches(self) -> int:
        """How many times the program makes whole runs."""
        return sum(len(self.batches_among(chunk)) for chunk in self.chunks)

    def batches_among(self, positions: np.ndarray) -> list[np.ndarray]:
        """Some positions of the group, as many at a time as the program is wide."""
        return batches_of(self.group, self.program.width, self.shares_seed, positions)

    def fastest_lanes(self, num_points: int) -> int:
        """Of the programs that there are, the lanes of the one that trains so many points soonest."""
        num_seeds = len(np.unique(self.group.seeds))
        alike, times = (num_points, num_seeds) if self.shares_seed else (num_points * num_seeds, 1)
        return min(self.candidates, key=lambda one: times * one.seconds_of(alike)).program.lanes

    def advanced(self, batch: np.ndarray, way: Way, until: int | None = None) -> Way:
        """A batch one entry further, at most to a step; see :func:`jaxnets.sweep.way.advanced`."""
        until = until or self.program.num_steps
        return advanced(
            self.program, self.group, batch, self.dataset, way, shares_seed=self.shares_seed, until=until
        )


@dataclasses.dataclass(frozen=True)
class Plan:
    """A sweep that is ready to run; ``print(plan)`` says what it will take."""

    trial: Trial
    grid: Grid
    seeds: tuple[int, ...]
    parts: tuple[Part, ...]

    @property
    def compilations(self) -> int:
        """Programs that were compiled."""
        return sum(len(part.candidates) for part in self.parts)

    @property
    def num_cells(self) -> int:
        """Points times seeds."""
        return len(self.grid) * len(self.seeds)

    @property
    def data_name(self) -> str:
        """What is trained on."""
        return ", ".join(dict.fromkeys(part.dataset.name for part in self.parts))

    @property
    def seconds(self) -> float:
        """Expected of the whole."""
        return sum(part.seconds * part.num_batches for part in self.parts)

    def __str__(self) -> str:
        points, seeds = _counted(len(self.grid), "point"), _counted(len(self.seeds), "seed")
        lines = [
            f"{self.trial.name}: {_counted(self.num_cells, 'cell')} = {points} x {seeds}, "
            f"{_counted(len(self.parts), 'static combination')}, "
            f"{_counted(self.compilations, 'compilation')}, about {_duration(self.seconds)}"
        ]
        return "\n".join([*lines, *(f"  {self._line(part)}" for part in self.parts)])

    def _line(self, part: Part) -> str:
        program = part.program
        varied = {
            name: getattr(part.settings, name) for name in self.grid.names if name in part.settings._fields
        }
        mode = "one after another" if program.width == 1 else f"{program.lanes} lanes"
        devices = f" on each of {len(program.devices)} devices" if len(program.devices) > 1 else ""
        per_lane = program.num_bytes / program.lanes / 1e6
        return (
            "".join(f"{name} {value}, " for name, value in varied.items())
            + f"{_counted(len(part.group.numbers), 'cell')} {mode}{devices}, "
            f"{_counted(len(part.chunks), 'chunk')}, {per_lane:.3g} MB a lane, "
            f"about {_duration(part.seconds * part.num_batches)}"
        )


def plan(
    source: Any,
    grid: Any,
    data: Any = None,
    *,
    seeds: Any = 1,
    lanes: int | None = None,
    chunk_size: int | None = None,
    devices: Any = None,
    memory: Any = None,
    like: str | Path | None = None,
    **options: Any,
) -> Plan:
    """Compiles and measures what a sweep needs; nothing of it has run yet.

    Args:
        source: a :class:`~jaxnets.sweep.trial.Trial`, an experiment, or a function
            ``(hparams) -> Learner`` or ``(hparams, settings) -> Learner``.
        grid: the points.
        data: for a function, what :func:`jaxnets.train.run` takes.
        seeds: how many (0, 1, ...), or which; each gives initialisation, order of rows and dropout.
        lanes: cells side by side on a device; by default measured. A run's last bits depend on it.
        chunk_size: most cells whose results are one file; by default some seconds' work.
        devices: to spread the lanes over; by default all of this process.
        memory: bytes that may be used of each device; by default what it has.
        like: the folder of a sweep that is to be gone on with: lanes and files are as there.
        options: for a function: ``num_steps``, ``batch_size``, ``metrics``, ``hparams``, ``settings``, see
            :func:`~jaxnets.sweep.trial.of_function`.

    Raises:
        InputError: a name, value or number that is not allowed, or one lane that does not fit the memory.

    Example:
        >>> import optax
        >>> from jaxnets import data, gradient, losses, models, sweep
        >>> def learner(hparams):
        ...     return gradient(models.MLP((8,), 3), losses.softmax_cross_entropy, optax.adam(hparams.rate))
        >>> grid = sweep.Grid(rate=[0.01, 0.1])
        >>> ready = plan(learner, grid, data.load("iris"), num_steps=20, lanes=2)
        >>> ready.num_cells, ready.compilations
        (2, 1)
    """
    if not isinstance(grid, Grid) or not len(grid):
        raise InputError(f"grid: {grid!r}, allowed is a Grid of one point or more")
    source = trials.of(source, data, grid.names, **options)
    grid = resolved(source, grid)
    for name, number in (("lanes", lanes), ("chunk_size", chunk_size)):
        if number is not None:
            check.count(name, number, 1, MOST_LANES)
    if memory is not None:
        check.count("memory", memory, 1)
    devices = tuple(jax.local_devices() if devices is None else devices)
    if not devices or not all(isinstance(device, jax.Device) for device in devices):
        raise InputError(f"devices = {devices!r}, allowed are jax's devices, one or more")
    wanted, read = seeds_of(seeds), _reader(source)
    found = groups(source, grid, wanted)
    layouts = layouts_in(like, len(found)) if like else [Layout(lanes, chunk_size)] * len(found)
    parts = [
        _part(source, group, read, layout, devices, memory)
        for group, layout in zip(found, layouts, strict=True)
    ]
    return Plan(source, grid, tuple(wanted), tuple(parts))


def with_lanes(plan: Plan, part: Part, lanes: int) -> Part:
    """A part of a plan, trained by the program of so many lanes; it is compiled where the plan has none."""
    known = [one for one in part.candidates if one.program.lanes == lanes]
    others = [one for one in part.candidates if one.program.lanes != lanes]
    first = known or [_compiled(plan.trial, part, part.program.devices, lanes)]
    return part._replace(candidates=(*first, *others))


def _reader(trial: Trial) -> Callable[[Any], tuple[Dataset, Dataset]]:
    """Data by settings, checked, and each set copied to the device once."""
    copies: dict[int, tuple[Dataset, Dataset]] = {}

    def read(settings: Any) -> tuple[Dataset, Dataset]:
        dataset = trial.data(settings)
        if id(dataset) not in copies:
            check.splits(dataset.splits, dataset.num_classes)
            copies[id(dataset)] = dataset, jax.tree.map(jnp.asarray, dataset)
        return copies[id(dataset)]

    return read


def _part(
    trial: Trial, group: Group, read: Callable, layout: Layout, devices: tuple, memory: int | None
) -> Part:
    """One static combination, with the programs that were compiled for it."""
    host, dataset = read(group.settings)
    settings = _of_all(trials.complete(group.settings, host), group.hparams, host)
    check.count("num_steps", settings.num_steps, 1, 2**31 - 1)
    num_seeds = len(np.unique(group.seeds))
    num_points = len(group.numbers) // num_seeds
    shares_seed = num_seeds == 1 or num_points >= LEAST_POINTS
    side_by_side = num_points if shares_seed else len(group.numbers)
    part = Part(group, settings, dataset, (), shares_seed, 0)
    tried = candidates(
        partial(_compiled, trial, part, devices), layout.lanes,
        most=-(-side_by_side // len(devices)), num_cells=len(group.numbers),
        least_bytes=partial(least_bytes, trial, settings, group.hparams, dataset),
        limit=memory or memory_of(devices[0]),
    )  # fmt: skip
    program, seconds = tried[0]
    size = layout.chunk_size or program.width * max(1, round(CHUNK_SECONDS / max(seconds, 1e-3)))
    size = min(size, -(-side_by_side // program.lanes) * program.lanes)
    return part._replace(candidates=tried, chunk_size=size)


def _compiled(trial: Trial, part: Part, devices: tuple, lanes: int) -> Candidate:
    """A program for a part, compiled and timed."""
    group, shares_seed = part.group, part.shares_seed
    program = compile_program(
        trial, part.settings, group.hparams, part.dataset,
        lanes=lanes, shares_seed=shares_seed, devices=devices,
    )  # fmt: skip
    batch = batches_of(group, program.width, shares_seed)[0]
    return measured(program, *inputs_of(group, batch, program.width, shares_seed), part.dataset)


def _of_all(settings: Any, hparams: Any, dataset: Dataset) -> Any:
    """Settings of a program for runs of several lengths and sizes of a batch, where these are traced."""
    if hasattr(hparams, "num_steps"):
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


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
