"""One axis of a grid: the values of one name, from a sequence, a range, or text."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Set
from typing import Any, NamedTuple

import numpy as np

from jaxnets import check
from jaxnets.check import InputError

Value = float | int | str | bool | tuple | None
MOST_VALUES = 10**6


class Range(NamedTuple):
    """Numbers from ``low`` to ``high``, evenly spaced or evenly in the logarithm.

    Attributes:
        num: how many; None where they are drawn (:meth:`~jaxnets.sweep.Grid.random`, ``sobol``).
    """

    low: float
    high: float
    num: int | None
    is_log: bool

    def at(self, share: float) -> float:
        """The number at a share of the way, in [0, 1], to 12 digits: 0.1, not 0.10000000000000002.

        The ends are as they were given.
        """
        if share in (0, 1):
            return self.high if share else self.low
        if self.is_log:
            value = math.exp((1 - share) * math.log(self.low) + share * math.log(self.high))
        else:
            value = (1 - share) * self.low + share * self.high
        return float(f"{value:.12g}")

    @property
    def values(self) -> list[float]:
        """All of them, where their number is known."""
        return [self.at(number / max(1, self.num - 1)) for number in range(self.num)]


def log(low: Any, high: Any, num: Any = None) -> Range:
    """Numbers evenly spaced in the logarithm; both ends are among them.

    >>> log(0.01, 1, 3).values
    [0.01, 0.1, 1.0]
    """
    if all(_is_number(end) for end in (low, high)) and min(low, high) <= 0:
        raise InputError(f"log: from {low:g} to {high:g}, allowed are numbers above 0")
    return _range("log", low, high, num)


def lin(low: Any, high: Any, num: Any = None) -> Range:
    """Numbers evenly spaced; both ends are among them.

    >>> lin(0, 0.9, 4).values
    [0.0, 0.3, 0.6, 0.9]
    """
    return _range("lin", low, high, num)


def values(name: str, axis: Any) -> list[Value]:
    """The values of an axis as Python's numbers, words and tuples.

    Raises:
        InputError: there are none, they are of several kinds, or one is no value.
    """
    if isinstance(axis, Range):
        if axis.num is None:
            raise InputError(f"{name}: a range without a number of values, allowed is low, high, num")
        return axis.values
    if isinstance(axis, (str, bytes, Mapping, Set)) or not hasattr(axis, "__iter__"):
        raise InputError(f"{name} = {axis!r}, allowed are sequences of values, log(...) or lin(...)")
    given = axis.tolist() if hasattr(axis, "tolist") else [*itertools.islice(axis, MOST_VALUES + 1)]
    if not isinstance(given, list) or len(given) > MOST_VALUES:
        raise InputError(f"{name}: allowed are sequences of at most {MOST_VALUES} values")
    listed = [value(name, one) for one in given]
    if not listed:
        raise InputError(f"{name}: no values, at least one is needed")
    kinds = {_kind(one) for one in listed} - {"nothing"}
    if len(kinds) > 1:
        raise InputError(f"{name}: {' and '.join(sorted(kinds))} mixed, allowed is one kind")
    return listed


def value(name: str, given: Any) -> Value:
    """One value: a finite number, a word, True or False, None, or a tuple of these."""
    if isinstance(given, np.generic):
        given = given.item()
    if isinstance(given, (list, tuple)):
        return tuple(value(name, part) for part in given)
    if given is not None and not isinstance(given, (bool, int, float, str)):
        raise InputError(f"{name}: {type(given).__name__} {given!r}, allowed are numbers, words and tuples")
    if isinstance(given, float) and not math.isfinite(given):
        raise InputError(f"{name}: {given}, allowed are finite numbers")
    return given


def parse(name: str, text: str) -> Range | list[str]:
    """An axis from ``log:low:high:num``, ``lin:low:high:num`` (``num`` where all are wanted) or ``a,b,c``.

    >>> parse("rate", "lin:0:1:3").values, parse("optimizer", "sgd,adam")
    ([0.0, 0.5, 1.0], ['sgd', 'adam'])
    """
    kind, *numbers = text.split(":")
    if kind not in ("log", "lin") or not numbers:
        return text.split(",")
    if len(numbers) not in (2, 3):
        raise InputError(f"{name}={text}, allowed is {kind}:low:high:num")
    low, high = (number(f"{name}={text}", one, float) for one in numbers[:2])
    num = number(f"{name}={text}", numbers[2], int) if len(numbers) == 3 else None
    return (log if kind == "log" else lin)(low, high, num)


def number(where: str, text: str, kind: type) -> float | int:
    """The number that a text is."""
    try:
        return kind(text)
    except ValueError:
        raise InputError(f"{where}: {text!r} is no {'whole ' * (kind is int)}number") from None


def _range(kind: str, low: Any, high: Any, num: Any) -> Range:
    for end in (low, high):
        if not _is_number(end):
            raise InputError(f"{kind}: an end of {end!r}, allowed are finite numbers")
    if num is not None:
        check.count(f"{kind}: num", num, 1, MOST_VALUES)
    if low == high and num not in (None, 1):
        raise InputError(f"{kind}: {num} values from {low:g} to {high:g} would all be the same")
    return Range(float(low), float(high), num, kind == "log")


def _is_number(end: Any) -> bool:
    end = end.item() if isinstance(end, np.generic) else end  # float16 has no 1e300 to compare with
    return isinstance(end, (int, float)) and not isinstance(end, bool) and abs(end) < 1e300


def _kind(one: Value) -> str:
    if one is None:
        return "nothing"
    kinds = ((bool, "truths"), ((int, float), "numbers"), (str, "words"), (tuple, "tuples"))
    return next(name for kind, name in kinds if isinstance(one, kind))
