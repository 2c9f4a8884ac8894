"""What the fields of hyperparameters and settings take: text becomes what a field holds."""

from __future__ import annotations

import math
import types
import typing
from typing import Any

from jaxnets import check
from jaxnets.check import InputError
from jaxnets.sweep.axes import Value
from jaxnets.sweep.grid import Grid
from jaxnets.sweep.trial import Trial

OF_RUNS = ("num_steps", "batch_size")
"""Names that may be traced beside the setting: that of the longest run, or of the array of rows."""


def resolved(trial: Trial, grid: Grid) -> Grid:
    """The grid with every value as its field takes it.

    Raises:
        InputError: a name that is declared nowhere, a value that its field does not take, or two points that
            become the same.
    """
    _names(trial, grid)
    kinds = [
        (name, name in trial.hparams._fields, _hint(part_with(trial, name), name)) for name in grid.names
    ]
    points = [
        tuple(
            converted(name, _rounded(value, hint) if name in grid.drawn else value, hint, is_number=is_number)
            for (name, is_number, hint), value in zip(kinds, values, strict=True)
        )
        for values in grid.points
    ]
    found = Grid.of_points(grid.names, points, drawn=grid.drawn)
    if len(found) < len(grid) and not grid.drawn:
        raise InputError("grid: two points are the same, each is allowed once")
    return found


def part_with(trial: Trial, name: str) -> Any:
    """The hyperparameters or the settings, where a name is declared; in both, it is traced."""
    return trial.hparams if name in trial.hparams._fields else trial.settings


def as_numbers(hparams: Any) -> Any:
    """Defaults as their fields hold them: 2 in a field of floats is 2.0."""
    given = hparams._asdict()
    return hparams._replace(
        **{
            name: converted(name, value, _hint(hparams, name), is_number=True)
            for name, value in given.items()
        }
    )


def _names(trial: Trial, grid: Grid) -> None:
    both = {*trial.hparams._fields} & {*trial.settings._fields} & {*grid.names} - {*OF_RUNS}
    if both:
        raise InputError(f"grid: {min(both)!r} is traced and static, allowed is a name declared once")
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
        if found is not _NOT and not (is_number and isinstance(found, str)):
            return found
    if is_number and str in kinds:
        raise InputError(f"{name} = {value!r}, allowed are numbers: it is traced; make it a setting")
    for words in (typing.get_args(kind) for kind in kinds if typing.get_origin(kind) is typing.Literal):
        check.choice(name, value, words)
    names = " or ".join(getattr(kind, "__name__", str(kind)) for kind in kinds)
    raise InputError(f"{name} = {value!r}, allowed is {names}")


def _rounded(value: Any, hint: Any) -> Any:
    """The nearest whole number, of one that was drawn for a field that takes no others."""
    kinds = typing.get_args(hint) if _is_union(hint) else (hint,)
    bare = [
        typing.get_args(kind)[0] if typing.get_origin(kind) is typing.Annotated else kind for kind in kinds
    ]
    return round(value) if int in bare and float not in bare else value


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
    except (TypeError, ValueError, OverflowError):
        return _NOT
    if not math.isfinite(number) or (kind is int and number != round(number)):
        return _NOT
    return kind(int(value) if isinstance(value, int) and kind is int else number)


def _is_union(hint: Any) -> bool:
    return typing.get_origin(hint) in (typing.Union, types.UnionType)
