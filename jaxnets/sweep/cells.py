"""From a grid to cells: which names are traced and which are static, and the values that each cell has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxnets import check
from jaxnets.check import InputError
from jaxnets.sweep.fields import as_numbers
from jaxnets.sweep.grid import Grid
from jaxnets.sweep.trial import Trial
from jaxnets.types import Int

SEEDS = 2**32
MOST_SEEDS = 10**6


class Group(NamedTuple):
    """The cells that share their settings, so one compiled program trains them all.

    Attributes:
        settings: static.
        numbers: of the cells, in the order of the table.
        hparams: the trial's NamedTuple, with an array ``[cells]`` in each field.
        seeds: of each cell.
    """

    settings: Any
    numbers: Int[np.ndarray, " cells"]
    hparams: Any
    seeds: np.ndarray


def groups(trial: Trial, grid: Grid, seeds: list[int]) -> list[Group]:
    """The cells of a grid: each point with each seed, seeds innermost, sorted by their static settings.

    Args:
        trial: declares the names: the fields of its hparams are traced, those of its settings static.
        grid: with values as their fields take them, see :func:`~jaxnets.sweep.fields.resolved`.
        seeds: see :func:`seeds_of`.

    Raises:
        InputError: two points that are the same in 32 bits, a value outside its interval, too many cells.
    """
    if len(grid) * len(seeds) >= 2**31:
        raise InputError(f"{len(grid)} points with {len(seeds)} seeds, allowed are less than 2**31 cells")
    for name, value in trial.settings._asdict().items():
        if not _is_hashable(value):
            allowed = "a number, a word, a tuple or a function, which cannot change"
            raise InputError(f"{name} = {check.shown(value)}, allowed is {allowed}")
    defaults, found = as_numbers(trial.hparams), {}
    for number, point in enumerate(grid):
        traced = {name: value for name, value in point.items() if name in trial.hparams._fields}
        static = {name: value for name, value in point.items() if name not in traced}
        settings = trial.settings._replace(**static)
        found.setdefault(settings, []).append((number, defaults._replace(**traced)))
    for settings in found:
        check.fields(settings)
    return [_group(settings, points, seeds) for settings, points in found.items()]


def _is_hashable(value: Any) -> bool:
    """Whether it is, with all that is in it."""
    try:
        hash(value)
    except TypeError:
        return False
    return True


def _group(settings: Any, points: list[tuple[int, Any]], seeds: list[int]) -> Group:
    numbers = [number * len(seeds) + place for number, _ in points for place in range(len(seeds))]
    kind, names = type(points[0][1]), points[0][1]._fields
    columns = kind(*zip(*(hparams for _, hparams in points), strict=True))
    check.fields(columns)
    hparams = [
        np.repeat(_in_32_bits(name, column), len(seeds)) for name, column in zip(names, columns, strict=True)
    ]
    if len({*zip(*(column.tolist() for column in hparams), strict=True)}) < len(points) and hparams:
        raise InputError("grid: two points are the same in 32 bits, each is allowed once")
    return Group(
        settings,
        np.array(numbers, np.int32),
        kind(*hparams),
        np.tile(np.array(seeds, np.uint32), len(points)),
    )


def _in_32_bits(name: str, column: Sequence[float | int]) -> np.ndarray:
    is_whole = all(isinstance(value, int) for value in column)
    try:
        with np.errstate(over="ignore"):
            narrow = np.array(column, np.int32 if is_whole else np.float32)
    except OverflowError:
        raise InputError(f"{name} = {max(column, key=abs)}, allowed are numbers of 32 bits") from None
    for value, found in zip(column, narrow, strict=True):
        if not np.isfinite(found) or (found == 0) != (value == 0):
            raise InputError(f"{name} = {value}, which is {found} in 32 bits")
    return narrow


def batches_of(
    group: Group, width: int, shares_seed: bool, positions: np.ndarray | None = None
) -> list[np.ndarray]:
    """Positions in the group that are trained side by side; where they share a seed, of one seed each.

    Args:
        positions: those that there are still; by default all.
    """
    positions = np.arange(len(group.numbers)) if positions is None else positions
    alike = (
        [positions[group.seeds[positions] == seed] for seed in np.unique(group.seeds[positions])]
        if shares_seed
        else [positions]
    )
    return [rows[start : start + width] for rows in alike for start in range(0, len(rows), width)]


def inputs_of(
    group: Group, batch: np.ndarray, width: int, shares_seed: bool
) -> tuple[np.ndarray | np.uint32, Any]:
    """Seeds and hyperparameters of a batch, filled up with its last cell."""
    padded = np.concatenate([batch, np.repeat(batch[-1:], width - len(batch))])
    seeds = group.seeds[padded]
    return seeds[0] if shares_seed else seeds, type(group.hparams)(
        *(column[padded] for column in group.hparams)
    )


def seeds_of(seeds: Any) -> list[int]:
    """The seeds wanted: as many as are asked for (0, 1, ...), or those.

    Raises:
        InputError: no whole numbers below 2**32, none, or one twice.
    """
    if isinstance(seeds, (int, np.integer)):
        check.count("seeds", seeds, 1, MOST_SEEDS)
        return [*range(seeds)]
    is_listed = isinstance(seeds, Sequence) and not isinstance(seeds, (str, bytes))
    if not (is_listed or (isinstance(seeds, np.ndarray) and seeds.ndim)) or not len(seeds):
        found = repr(seeds) if isinstance(seeds, (str, float, list, tuple)) else type(seeds).__name__
        raise InputError(f"seeds = {found}, allowed are a number of seeds or a sequence of them, no keys")
    if len(seeds) > MOST_SEEDS:
        raise InputError(f"seeds: {len(seeds)} of them, allowed are at most {MOST_SEEDS}")
    for seed in seeds:
        check.count("seed", seed, 0, SEEDS - 1)
    if len(set(map(int, seeds))) < len(seeds):
        raise InputError(f"seeds = {list(seeds)}, each is allowed once")
    return [*map(int, seeds)]
