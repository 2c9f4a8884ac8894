"""What a sweep will be, before it runs: cells, compilations, lanes by measurement, memory and time."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
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
from jaxnets.sweep.lanes import Candidate, Layout, chosen, layouts_in, measured, memory_of
from jaxnets.sweep.program import Program, compile_program
from jaxnets.sweep.trial import Trial
from jaxnets.sweep.way import Way, advanced

LEAST_POINTS = 8
"""With fewer points, cells of different seeds stand side by side."""
CHUNK_SECONDS = 2.0
"""Least work between two files, so that writing them is a small part."""


class Part(NamedTuple):
    """The cells of one static combination, and how they will be trained.

    Attributes:
        group: its cells.
        settings: complete.
        dataset: on the device.
        program: compiled.
        shares_seed: whether cells side by side have one seed, so they share their rows.
        chunk_size: most cells whose results are one file; whatever the number of devices.
        seconds: expected of cells side by side.
    """

    group: Group
    settings: Any
    dataset: Dataset
    program: Program
    shares_seed: bool
    chunk_size: int
    seconds: float

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
    compilations: int

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
    devices: Sequence[jax.Device] | None = None,
    memory: int | None = None,
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
            check.count(name, number, 1, 2**16)
    devices = tuple(devices or jax.local_devices())
    wanted, read = seeds_of(seeds), _reader(source)
    found = groups(source, grid, wanted)
    layouts = layouts_in(like, len(found)) if like else [Layout(lanes, chunk_size)] * len(found)
    built = [
        _part(source, group, read, layout, devices, memory)
        for group, layout in zip(found, layouts, strict=True)
    ]
    parts, counts = zip(*built, strict=True)
    return Plan(source, grid, tuple(wanted), parts, sum(counts))


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
) -> tuple[Part, int]:
    """One static combination, with the number of programs that were compiled for it."""
    host, dataset = read(group.settings)
    settings = trials.complete(group.settings, host)
    if hasattr(group.hparams, "num_steps"):
        settings = settings._replace(num_steps=int(group.hparams.num_steps.max()))
    check.count("num_steps", settings.num_steps, 1, 2**31 - 1)
    num_seeds = len(np.unique(group.seeds))
    num_points = len(group.numbers) // num_seeds
    shares_seed = num_seeds == 1 or num_points >= LEAST_POINTS
    side_by_side = num_points if shares_seed else len(group.numbers)

    def candidate(lanes: int) -> Candidate:
        program = compile_program(
            trial, settings, group.hparams, dataset, lanes=lanes, shares_seed=shares_seed, devices=devices
        )
        batch = batches_of(group, program.width, shares_seed)[0]
        return measured(program, *inputs_of(group, batch, program.width, shares_seed), dataset)

    (program, seconds), count = chosen(
        candidate, layout.lanes, most=-(-side_by_side // len(devices)), num_cells=len(group.numbers),
        limit=memory or memory_of(devices[0]),
    )  # fmt: skip
    size = layout.chunk_size or program.width * max(1, round(CHUNK_SECONDS / max(seconds, 1e-3)))
    size = min(size, -(-side_by_side // program.lanes) * program.lanes)
    return Part(group, settings, dataset, program, shares_seed, size, seconds), count


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
