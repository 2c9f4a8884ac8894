"""Points of a grid of hyperparameters: products, zips, random and Sobol points, from Python or from text."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from jaxnets import check
from jaxnets.check import InputError
from jaxnets.sweep import axes as axis_of
from jaxnets.sweep.axes import MOST_VALUES, Range, Value

RESERVED = (
    "cell", "seed", "status", "step", "row", "member", "mean", "std", "seeds", "low", "high", "diverged",
)  # fmt: skip
"""Names of columns that tables of sweeps have."""


class Grid:
    """Points in the space of hyperparameters and settings; each has a value for every name.

    ``Grid(a=..., b=...)`` is the product of its axes, and ``*`` that of two grids; ``+`` joins the points of
    two grids over the same names. A point that is there twice is there once.

    Args:
        axes: a sequence of values, or a range of :func:`log` or :func:`lin`, for each name. A value that is
            itself a sequence (widths of layers) is a tuple.

    Raises:
        InputError: an axis without values, with a value that is none (NaN, an array, an object), twice the
            same value, a reserved name, or more points than a table can number.

    Attributes:
        names: in the order of a point's values.
        points: a tuple of values each.
        drawn: names whose values were drawn from a range; a field of whole numbers takes the nearest ones.

    >>> grid = Grid(learning_rate=[0.1, 1], optimizer=["sgd", "adam"])
    >>> len(grid), next(iter(grid))
    (4, {'learning_rate': 0.1, 'optimizer': 'sgd'})
    """

    def __init__(self, **axes: Any) -> None:
        listed = {name: axis_of.values(name, axis) for name, axis in axes.items()}
        for name, values in listed.items():
            if len(set(values)) < len(values):
                twice = next(value for value in values if values.count(value) > 1)
                raise InputError(f"{name}: {twice!r} is given twice")
        _refuse_many(math.prod(map(len, listed.values())))
        self.names = tuple(_name(name) for name in listed)
        self.points = tuple(itertools.product(*listed.values()))
        self.drawn: frozenset[str] = frozenset()

    @classmethod
    def of_points(cls, names: Any, points: Any, *, drawn: Collection[str] = ()) -> Grid:
        """The points as they are given, each a value for every name.

        Args:
            names: a list or tuple of words, each once.
            points: a list or tuple of points, each a list or tuple itself.
            drawn: see :class:`Grid`.

        Raises:
            InputError: a name twice, a point that is none, or more points than a table can number.

        >>> [*Grid.of_points(["rate", "width"], [(0.1, 16), (0.3, 64)])]
        [{'rate': 0.1, 'width': 16}, {'rate': 0.3, 'width': 64}]
        """
        for what, given in (("names", names), ("points", points)):
            if not isinstance(given, (list, tuple)):
                raise InputError(f"grid: {what} in a {type(given).__name__}, allowed are lists and tuples")
        _refuse_many(len(points))
        grid = cls()
        grid.names = tuple(map(_name, names))
        if len({*grid.names}) < len(grid.names):
            raise InputError(f"grid: names {', '.join(grid.names)}, each is allowed once")
        grid.points = tuple(dict.fromkeys(_point(grid.names, values) for values in points))
        grid.drawn = frozenset(drawn)
        return grid

    @classmethod
    def zip(cls, **axes: Any) -> Grid:
        """The first values of all axes, the second of all, and so on.

        >>> [*Grid.zip(width=[16, 64], learning_rate=[0.1, 0.03])]
        [{'width': 16, 'learning_rate': 0.1}, {'width': 64, 'learning_rate': 0.03}]
        """
        listed = {name: axis_of.values(name, axis) for name, axis in axes.items()}
        lengths = {name: len(values) for name, values in listed.items()}
        if len(set(lengths.values())) > 1:
            raise InputError(f"zip: axes of {lengths} values, allowed are axes of one length")
        return cls.of_points([*listed], [*zip(*listed.values(), strict=True)])

    @classmethod
    def random(cls, num: int, *, seed: int = 0, **axes: Any) -> Grid:
        """Points drawn at random: a range's numbers evenly (in the logarithm), a sequence's values alike.

        Where a field takes whole numbers, a range's are rounded when it is planned.

        >>> from jaxnets.sweep import log
        >>> len(Grid.random(20, learning_rate=log(1e-3, 1), optimizer=["sgd", "adam"]))
        20
        """
        check.count("seed", seed)
        return cls._drawn(num, axes, lambda n, d: np.random.default_rng(seed).random((n, d)))

    @classmethod
    def sobol(cls, num: int, *, seed: int = 0, **axes: Any) -> Grid:
        """Scrambled Sobol points (Owen 1998): they fill the space more evenly than random ones.

        >>> from jaxnets.sweep import lin
        >>> rates = sorted(Grid.sobol(4, learning_rate=lin(0, 1)).column("learning_rate"))
        >>> [int(4 * rate) for rate in rates]  # one in each quarter
        [0, 1, 2, 3]
        """
        from scipy.stats import qmc  # a second, and seldom needed

        check.count("seed", seed)

        def draw(num: int, dimensions: int) -> np.ndarray:
            engine = qmc.Sobol(dimensions, rng=np.random.default_rng(seed))
            return engine.random_base2(math.ceil(math.log2(num)))[:num]

        return cls._drawn(num, axes, draw)

    @classmethod
    def parse(cls, words: Sequence[str], space: str = "product", *, seed: int = 0) -> Grid:
        """A grid from text: ``name=log:low:high:num``, ``name=lin:low:high:num``, ``name=a,b,c``.

        Args:
            words: a name and its values each. Values stay text until it is known what they are for.
            space: ``product``, ``zip``, ``random:NUM`` or ``sobol:NUM``; the last two take ranges without a
                number.

        >>> Grid.parse(["learning_rate=log:0.1:10:3", "optimizer=sgd,adam"]).points[-1]
        (10.0, 'adam')
        """
        check.kind("words", words, (list, tuple), "a list of texts, as name=a,b,c")
        check.kind("space", space, str, "product, zip, random:NUM or sobol:NUM")
        axes = {}
        for word in words:
            check.kind("grid", word, str, "a text, as name=a,b,c")
            name, equals, text = word.partition("=")
            if not equals or not name or not text:
                raise InputError(f"grid {word!r}, allowed is name=a,b,c or name=log:low:high:num")
            if name in axes:
                raise InputError(f"grid: {name!r} is given twice")
            axes[name] = axis_of.parse(name, text)
        kind, colon, number = space.partition(":")
        check.choice("space", kind, ("product", "zip", "random", "sobol"))
        if bool(colon) != (kind in ("random", "sobol")):
            raise InputError(f"space {space}, allowed is {kind}{':NUM' * (not colon)}")
        if not colon:
            return cls(**axes) if kind == "product" else cls.zip(**axes)
        num = axis_of.number(f"space {space}", number, int)
        return getattr(cls, kind)(num, seed=seed, **axes)

    @classmethod
    def _drawn(cls, num: int, axes: Mapping, draw: Callable[[int, int], np.ndarray]) -> Grid:
        check.count("num", num, 1, MOST_VALUES)
        listed = {
            name: axis if isinstance(axis, Range) else axis_of.values(name, axis)
            for name, axis in axes.items()
        }
        for name, axis in listed.items():
            if isinstance(axis, Range) and axis.num is not None:
                raise InputError(
                    f"{name}: a range of {axis.num} values, allowed are ends alone: {num} are drawn"
                )
        if not listed:
            raise InputError("grid: no names, at least one is needed")
        shares = draw(num, len(listed))
        columns = [
            [axis.at(float(share)) for share in column]
            if isinstance(axis, Range)
            else [axis[int(share * len(axis))] for share in column]
            for axis, column in zip(listed.values(), shares.T, strict=True)
        ]
        ranges = [name for name, axis in listed.items() if isinstance(axis, Range)]
        return cls.of_points([*listed], [*zip(*columns, strict=True)], drawn=ranges)

    def column(self, name: str) -> list[Value]:
        """The values of one name, point by point."""
        check.choice("name", name, self.names)
        return [values[self.names.index(name)] for values in self.points]

    def __len__(self) -> int:
        return len(self.points)

    def __iter__(self) -> Iterator[dict[str, Value]]:
        return (dict(zip(self.names, values, strict=True)) for values in self.points)

    def __mul__(self, other: Grid) -> Grid:
        check.kind("grid: factor", other, Grid, "a Grid")
        twice = set(self.names) & set(other.names)
        if twice:
            raise InputError(f"grid: {', '.join(sorted(twice))} in both factors")
        _refuse_many(len(self) * len(other))
        points = [mine + theirs for mine in self.points for theirs in other.points]
        return Grid.of_points(self.names + other.names, points, drawn=self.drawn | other.drawn)

    def __add__(self, other: Grid) -> Grid:
        check.kind("grid: summand", other, Grid, "a Grid")
        if set(self.names) != set(other.names):
            raise InputError(f"grid: points over {self.names} and over {other.names} cannot be joined")
        _refuse_many(len(self) + len(other))
        theirs = [tuple(point[name] for name in self.names) for point in other]
        return Grid.of_points(self.names, [*self.points, *theirs], drawn=self.drawn | other.drawn)

    def __repr__(self) -> str:
        return f"Grid of {len(self)} points over {', '.join(self.names) or 'nothing'}"


def _refuse_many(num_points: int) -> None:
    if num_points > MOST_VALUES:
        raise InputError(f"grid: {num_points} points, allowed are at most {MOST_VALUES}")


def _point(names: tuple[str, ...], values: Any) -> tuple[Value, ...]:
    if not isinstance(values, (tuple, list)) or len(values) != len(names):
        raise InputError(f"grid: point {values!r}, allowed are {len(names)} values, of {', '.join(names)}")
    return tuple(axis_of.value(name, value) for name, value in zip(names, values, strict=True))


def _name(name: Any) -> str:
    if not isinstance(name, str):
        raise InputError(f"grid: {name!r}, allowed are names of fields")
    if name in RESERVED:
        raise InputError(f"grid: {name!r} is a column of every table, allowed are other names")
    if not name.isidentifier():
        raise InputError(f"grid: {name!r}, allowed are names of fields")
    return name
