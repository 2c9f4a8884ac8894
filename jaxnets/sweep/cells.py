"""From a grid to cells: which names are traced and which are static, and the values that each cell has."""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxnets import check
from jaxnets.check import InputError
from jaxnets.sweep.axes import Value
from jaxnets.sweep.grid import Grid
from jaxnets.sweep.trial import Trial
from jaxnets.types import Int

SEEDS = 2**32


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
        seeds: see :func:`seeds_of`.

    Raises:
        InputError: a name that is declared nowhere, or a value that its field does not take.
    """
    _names(trial, grid)
    if len(grid) * len(seeds) >= 2**31:
        raise InputError(f"{len(grid)} points with {len(seeds)} seeds, allowed are less than 2**31 cells")
    found: dict[Any, list[tuple[int, Any]]] = {}
    for number, point in enumerate(grid):
        hparams = _with(trial.hparams, trial.hparams._asdict() | point, is_number=True)
        settings = _with(trial.settings, point, is_number=False)
        check.fields(hparams)
        check.fields(settings)
        found.setdefault(settings, []).append((number, hparams))
    return [_group(settings, points, seeds) for settings, points in found.items()]


def _with(values: Any, point: dict[str, Value], *, is_number: bool) -> Any:
    """Hparams or settings with what a point has of their fields."""
    taken = {
        name: converted(name, value, _hint(values, name), is_number=is_number)
        for name, value in point.items()
        if name in values._fields
    }
    return values._replace(**taken)


def _group(settings: Any, points: list[tuple[int, Any]], seeds: list[int]) -> Group:
    numbers = [number * len(seeds) + place for number, _ in points for place in range(len(seeds))]
    columns = zip(*(hparams for _, hparams in points), strict=True)
    hparams = [np.repeat(_in_32_bits(column), len(seeds)) for column in columns]
    if len({*zip(*(column.tolist() for column in hparams), strict=True)}) < len(points) and hparams:
        raise InputError("grid: two points are the same in 32 bits, each is allowed once")
    return Group(
        settings,
        np.array(numbers, np.int32),
        type(points[0][1])(*hparams),
        np.tile(np.array(seeds, np.uint32), len(points)),
    )


def _in_32_bits(column: Sequence[float | int]) -> np.ndarray:
    is_whole = all(isinstance(value, int) for value in column)
    return np.array(column, np.int32 if is_whole else np.float32)


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
        check.count("seeds", seeds, 1, SEEDS)
        return [*range(seeds)]
    if isinstance(seeds, (str, bytes)) or not hasattr(seeds, "__iter__") or not len(seeds):
        raise InputError(f"seeds = {seeds!r}, allowed are a number of seeds or a sequence of them")
    for seed in seeds:
        check.count("seed", seed, 0, SEEDS - 1)
    if len(set(map(int, seeds))) < len(seeds):
        raise InputError(f"seeds = {list(seeds)}, each is allowed once")
    return [*map(int, seeds)]


def _names(trial: Trial, grid: Grid) -> None:
    declared = [*trial.hparams._fields, *trial.settings._fields]
    for name in grid.names:
        if name not in declared:
            near = check.suggestion(name, declared)
            raise InputError(
                f"grid: {trial.name} has no {name!r}; {near}traced: {', '.join(trial.hparams._fields)}; "
                f"static: {', '.join(trial.settings._fields)}"
            )


def _hint(values: Any, name: str) -> Any:
    """The type of a field, without annotations; of a field without a type, that of its default."""
    hint = typing.get_type_hints(type(values)).get(name)
    return type(getattr(values, name)) if hint is None else hint


def converted(name: str, value: Any, hint: Any, *, is_number: bool) -> Value:
    """A value as its field takes it: text becomes what the field holds, a float that is whole an int.

    >>> converted("widths", "64x32", tuple[int, ...], is_number=False)
    (64, 32)

    Raises:
        InputError: it cannot be.
    """
    kinds = typing.get_args(hint) if _is_union(hint) else (hint,)
    if is_number and (isinstance(value, (bool, tuple)) or value is None):
        raise InputError(f"{name} = {value!r}, allowed are numbers: it is traced")
    if value in (None, "none") and type(None) in kinds:
        return None
    for kind in kinds:
        found = _as(value, kind)
        if found is not _NOT:
            return found
    names = " or ".join(getattr(kind, "__name__", str(kind)) for kind in kinds)
    raise InputError(f"{name} = {value!r}, allowed is {names}")


_NOT = object()


def _as(value: Any, kind: Any) -> Any:
    """The value as a kind of value, or ``_NOT``."""
    origin = typing.get_origin(kind)
    if origin is typing.Annotated:
        return _as(value, typing.get_args(kind)[0])
    if origin is typing.Literal:
        return value if value in typing.get_args(kind) else _NOT
    if origin is tuple or kind is tuple:
        part = (typing.get_args(kind) or (int,))[0]
        texts = value.split("x") if isinstance(value, str) else value
        parts = [_as(one, part) for one in texts] if isinstance(texts, (list, tuple)) else [_NOT]
        return _NOT if _NOT in parts else tuple(parts)
    if kind is bool:
        return {"true": True, "false": False, True: True, False: False}.get(value, _NOT)
    if kind in (int, float):
        return _number(value, kind)
    return value if kind is str and isinstance(value, str) else _NOT


def _number(value: Any, kind: type) -> Any:
    try:
        number = float(value) if not isinstance(value, (bool, tuple)) else math.nan
    except (TypeError, ValueError):
        return _NOT
    if not math.isfinite(number) or (kind is int and number != round(number)):
        return _NOT
    return kind(int(value) if isinstance(value, int) and kind is int else number)


def _is_union(hint: Any) -> bool:
    return typing.get_origin(hint) in (typing.Union, types.UnionType)
