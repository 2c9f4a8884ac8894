"""A space that a study draws points from: its ranges and choices, checked before a point is drawn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from jaxnets.check import InputError
from jaxnets.sweep import axes as axis_of
from jaxnets.sweep.axes import Range, Value
from jaxnets.sweep.fields import resolved
from jaxnets.sweep.grid import Grid
from jaxnets.sweep.trial import Trial


def names_of(axes: Any) -> list[str]:
    """The names of what is to be a space.

    >>> names_of({"learning_rate": axis_of.log(0.1, 1)})
    ['learning_rate']

    Raises:
        InputError: there are none.
    """
    if not isinstance(axes, Mapping) or not axes or not all(isinstance(name, str) for name in axes):
        raise InputError(f"space: {axes!r}, allowed are names with log(...), lin(...) or their choices")
    return [*axes]


class Space:
    """What each name may be.

    Args:
        trial: declares the names. A range of a field of whole numbers is one of whole numbers.
        axes: a range or a sequence of choices for each name, as for :meth:`~jaxnets.sweep.Grid.random`.

    Raises:
        InputError: a name that is declared nowhere, a choice or an end that is not allowed.
    """

    def __init__(self, trial: Trial, axes: Mapping[str, Any]) -> None:
        self.trial = trial
        self.axes = {
            name: axis if isinstance(axis, Range) else axis_of.values(name, axis)
            for name, axis in axes.items()
        }
        for name, axis in self.axes.items():
            if isinstance(axis, Range) and axis.low > axis.high:
                raise InputError(f"space: {name} from {axis.low:g} to {axis.high:g}, allowed is low <= high")
        self.whole = {
            name for name, axis in self.axes.items() if isinstance(axis, Range) and self._is_whole(name)
        }

    def _is_whole(self, name: str) -> bool:
        ends = sorted({self.axes[name].low, self.axes[name].high})
        return isinstance(resolved(self.trial, Grid(**{name: ends})).points[0][0], int)

    def distributions(self) -> dict[str, Any]:
        """Optuna's, by name."""
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

        found: dict[str, Any] = {}
        for name, axis in self.axes.items():
            if isinstance(axis, Range):
                kind = IntDistribution if name in self.whole else FloatDistribution
                found[name] = kind(axis.low, axis.high, log=axis.is_log)
            else:
                found[name] = CategoricalDistribution([_shown(choice) for choice in axis])
        return found

    def point(self, params: Mapping[str, Any]) -> tuple[Value, ...]:
        """A trial's parameters as the fields take them."""
        chosen = [
            params[name] if isinstance(axis, Range) else {_shown(one): one for one in axis}[params[name]]
            for name, axis in self.axes.items()
        ]
        return self._as_taken(chosen)

    def _as_taken(self, values: Sequence[Value]) -> tuple[Value, ...]:
        return resolved(self.trial, Grid.of_points([*self.axes], [tuple(values)])).points[0]

    def in_32_bits(self, point: tuple[Value, ...]) -> tuple[Value, ...]:
        """The point as it is trained: two that are the same so are one."""
        traced = [name in self.trial.hparams._fields for name in self.axes]
        with np.errstate(over="ignore"):
            return tuple(
                float(np.float32(value)) if is_traced and isinstance(value, float) else value
                for value, is_traced in zip(point, traced, strict=True)
            )

    def distinct(self, points: Iterable[tuple[Value, ...]]) -> Grid:
        """A grid that has each point once."""
        found: dict[tuple[Value, ...], tuple[Value, ...]] = {}
        for point in points:
            found.setdefault(self.in_32_bits(point), point)
        return Grid.of_points([*self.axes], [*found.values()])

    def spread(self, least: int) -> Grid:
        """Points all over the space, about so many; every end and every choice is in one of them."""
        num = max(2, least, *(len(axis) for axis in self.axes.values() if not isinstance(axis, Range)))
        rows = [[self._at(name, place, num) for name in self.axes] for place in range(num)]
        return self.distinct(map(self._as_taken, rows))

    def _at(self, name: str, place: int, num: int) -> Value:
        axis = self.axes[name]
        if not isinstance(axis, Range):
            return axis[place % len(axis)]
        value = axis.at(place / (num - 1))
        return round(value) if name in self.whole else value


def _shown(choice: Value) -> Value:
    """A choice as a study's storage keeps it: a tuple is text there."""
    return str(choice) if isinstance(choice, tuple) else choice
