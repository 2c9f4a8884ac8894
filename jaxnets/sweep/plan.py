"""What a sweep will be, before it runs: cells, compilations, lanes by measurement, memory and time."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets import check, check_rows
from jaxnets.check import InputError
from jaxnets.data.dataset import Dataset
from jaxnets.sweep import trial as trials
from jaxnets.sweep.cells import groups, seeds_of
from jaxnets.sweep.devices import devices_of
from jaxnets.sweep.fields import resolved
from jaxnets.sweep.grid import Grid
from jaxnets.sweep.lanes import MOST_LANES, Layout, layouts_in
from jaxnets.sweep.part import Part, part_of, with_lanes
from jaxnets.sweep.trial import Trial


@dataclasses.dataclass(frozen=True)
class Plan:
    """A sweep that is ready to run; ``print(plan)`` says what it will take.

    Attributes:
        given: the layout that was asked for; what is None there was measured.
        memory: bytes that may be used of each device; None for what it has.
    """

    trial: Trial
    grid: Grid
    seeds: tuple[int, ...]
    parts: tuple[Part, ...]
    given: Layout
    memory: int | None = None

    @property
    def compilations(self) -> int:
        """Programs that were compiled, each for every device."""
        return sum(len(part.candidates) * len(part.program.devices) for part in self.parts)

    @property
    def num_cells(self) -> int:
        """Points times seeds."""
        return len(self.grid) * len(self.seeds)

    @property
    def layouts(self) -> list[Layout]:
        """One a static combination."""
        return [Layout(part.program.lanes, part.chunk_size) for part in self.parts]

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
        like: the folder of a sweep that is to be gone on with: lanes and files are as there, so nothing is
            measured. Without it, resuming takes them from the folder as well, after a measurement.
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
        raise InputError(f"grid: {check.shown(grid)}, allowed is a Grid of one point or more")
    source = trials.of(source, data, grid.names, **options)
    grid = resolved(source, grid)
    for name, number in (("lanes", lanes), ("chunk_size", chunk_size)):
        if number is not None:
            check.count(name, number, 1, MOST_LANES)
    kind = jax.config.jax_default_prng_impl
    if kind != "threefry2x32":  # with others, a lane's numbers depend on its neighbours
        raise InputError(f"jax_default_prng_impl = {kind}, allowed is threefry2x32")
    if memory is not None:
        check.count("memory", memory, 1)
    devices = devices_of(devices)
    wanted, read = seeds_of(seeds), reader(source)
    found = groups(source, grid, wanted)
    given = Layout(lanes, chunk_size)
    layouts = [given if like is None else given.or_else(one) for one in layouts_in(like, len(found))]
    known = {"names": grid.names, "devices": devices, "memory": memory}
    with jax.default_device(devices[0]):
        parts = [
            part_of(source, group, read(group.settings), layout, **known)
            for group, layout in zip(found, layouts, strict=True)
        ]
    return Plan(source, grid, tuple(wanted), tuple(parts), given, memory)


def gone_on_with(plan: Any, out: str | Path | None, *, resume: bool) -> Plan:
    """The plan, laid out like the sweep in the folder where that is to be gone on with.

    Raises:
        InputError: it is none.
    """
    check.kind("plan", plan, Plan, "what sweep.plan gives")
    return laid_out_like(plan, out) if resume and out is not None else plan


def laid_out_like(plan: Plan, folder: str | Path) -> Plan:
    """The plan with the lanes and files of the sweep in a folder, where these were measured and not given."""
    try:
        layouts = layouts_in(folder, len(plan.parts))
    except InputError:  # a manifest that cannot be: what is wrong with it is said when the folder is opened
        return plan
    parts = []
    for part, found in zip(plan.parts, layouts, strict=True):
        layout = plan.given.or_else(found)
        with jax.default_device(part.program.devices[0]):
            lanes = layout.lanes or part.program.lanes
            part = with_lanes(plan.trial, part, lanes, memory=plan.memory)
        parts.append(part._replace(chunk_size=layout.chunk_size or part.chunk_size))
    return dataclasses.replace(plan, parts=tuple(parts))


def reader(trial: Trial) -> Callable[[Any], Dataset]:
    """Data by settings, checked, and each set copied to the device once, wherever it was before."""
    copies: dict[int, tuple[Dataset, Dataset]] = {}

    def read(settings: Any) -> Dataset:
        dataset = trial.data(settings)
        if id(dataset) not in copies:
            check_rows.splits(dataset.splits, dataset.num_classes)
            copies[id(dataset)] = dataset, jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf)), dataset)
        return copies[id(dataset)][1]

    return read


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
