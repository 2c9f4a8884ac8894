"""What is refused, in one line each: what was found, and what is allowed.

Only concrete values can be looked at; inside ``jit`` and ``vmap`` values are traced, and pass.
"""

from __future__ import annotations

import difflib
import math
import textwrap
from collections.abc import Hashable, Iterable
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.types import PyTree


class InputError(ValueError):
    """Something a person gave cannot be used; the message is one line, for that person."""


class Interval(NamedTuple):
    """Allowed values of a hyperparameter, for ``Annotated[float, Interval(0)]``."""

    low: float = -math.inf
    high: float = math.inf
    includes_low: bool = True
    includes_high: bool = True

    def __contains__(self, value: Any) -> bool:
        above = self.low <= value if self.includes_low else self.low < value
        below = value <= self.high if self.includes_high else value < self.high
        return above and below

    def __str__(self) -> str:
        left, right = "[" if self.includes_low else "(", "]" if self.includes_high else ")"
        return f"{left}{self.low:g}, {self.high:g}{right}"


POSITIVE = Interval(0, includes_low=False, includes_high=False)
NON_NEGATIVE = Interval(0, includes_high=False)
FRACTION = Interval(0, 1, includes_high=False)
REAL = (jnp.floating, jnp.integer, jnp.bool_)
"""Kinds of arrays that are computed with."""


def is_traced(*values: Any) -> bool:
    """Whether a value is known only when the compiled program runs."""
    return any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(values))


def interval(name: str, value: Any, allowed: Interval) -> None:
    """Refuses a number, or an array with a number, outside ``allowed`` (NaN is outside always).

    >>> interval("learning_rate", -0.1, NON_NEGATIVE)
    Traceback (most recent call last):
    jaxnets.check.InputError: learning_rate = -0.1, allowed is [0, inf)
    """
    if is_traced(value):
        return
    for number in np.ravel(np.asarray(value)).tolist():
        if not isinstance(number, (int, float)) or number not in allowed:
            raise InputError(f"{name} = {number}, allowed is {allowed}")


def fields(values: Any) -> None:
    """Refuses a field outside its annotation's :class:`Interval` or ``Literal``, or no number in 32 bits.

    >>> from typing import Annotated, Literal
    >>> Hparams = NamedTuple("Hparams", [("learning_rate", Annotated[float, POSITIVE])])
    >>> fields(Hparams(1e-50))
    Traceback (most recent call last):
    jaxnets.check.InputError: learning_rate = 0.0, allowed is (0, inf)
    >>> Settings = NamedTuple("Settings", [("optimizer", Literal["sgd", "adam"])])
    >>> fields(Settings("adm"))
    Traceback (most recent call last):
    jaxnets.check.InputError: unknown optimizer 'adm': did you mean 'adam'? allowed: sgd, adam
    """
    for name, hint in get_type_hints(type(values), include_extras=True).items():
        inner = get_args(hint)[0] if get_origin(hint) is tuple else hint
        words = [part for part in (inner, *get_args(inner)) if get_origin(part) is Literal]
        if words:
            choice(name, getattr(values, name), get_args(words[0]))
        allowed = [part for part in get_args(inner)[1:] if isinstance(part, Interval)]
        if allowed and getattr(values, name) is not None:
            for number in np.ravel(getattr(values, name)).tolist():
                interval(name, _in_32_bits(number), allowed[0])


def ends(kind: type, name: str) -> tuple[float, float]:
    """The least and the largest number in 32 bits that a field's :class:`Interval` allows.

    >>> from typing import Annotated
    >>> Hparams = NamedTuple("Hparams", [("momentum", Annotated[float, FRACTION])])
    >>> ends(Hparams, "momentum")
    (0.0, 0.9999999403953552)
    """
    allowed = [
        part
        for part in get_args(get_type_hints(kind, include_extras=True).get(name))[1:]
        if isinstance(part, Interval)
    ]
    low, high, includes_low, includes_high = allowed[0] if allowed else Interval()
    low, high = np.float32(low), np.float32(high)
    inner_low = low if includes_low else np.nextafter(low, np.float32(np.inf))
    inner_high = high if includes_high else np.nextafter(high, np.float32(-np.inf))
    return float(inner_low), float(inner_high)


def _in_32_bits(value: float | int) -> float | int:
    """The value, or what becomes of it on the device where it does not fit: 0 or infinity."""
    with np.errstate(over="ignore"):
        narrow = float(np.float32(value))
    return narrow if narrow != value and (narrow == 0 or np.isinf(narrow)) else value


def kind(name: str, value: Any, wanted: type | tuple[type, ...], allowed: str) -> None:
    """Refuses what is of another kind."""
    if not isinstance(value, wanted):
        raise InputError(f"{name} = {shown(value)}, allowed is {allowed}")


def truth(name: str, value: Any, *others: Any) -> None:
    """Refuses what is neither True nor False nor one of the others."""
    if not any(value is one for one in (True, False, *others)):
        raise InputError(
            f"{name} = {shown(value)}, allowed are {', '.join(['True, False', *map(str, others)])}"
        )


def shown(value: Any) -> str:
    """A value in one short line."""
    return textwrap.shorten(repr(value), 80, placeholder=" ...")


def choice(name: str, value: Any, allowed: Iterable[str]) -> None:
    """Refuses what is no name among the allowed ones, and suggests the nearest.

    >>> choice("sampling", "epochs", ["epoch", "sequential"])
    Traceback (most recent call last):
    jaxnets.check.InputError: unknown sampling 'epochs': did you mean 'epoch'? allowed: epoch, sequential
    """
    allowed = list(allowed)
    if not isinstance(value, Hashable) or value not in allowed:
        advice = f"{suggestion(str(value), allowed)}allowed: {', '.join(allowed)}"
        raise InputError(f"unknown {name} {shown(value)}: {advice}")


def suggestion(value: str, names: Iterable[str]) -> str:
    """``did you mean 'mnist'? ``, with the names nearest to a value, or nothing; case does not count.

    >>> suggestion("MNST", ["iris", "mnist"]) + suggestion("xyz", ["iris", "mnist"])
    "did you mean 'mnist'? "
    """
    folded = {name.casefold(): name for name in names}
    near = difflib.get_close_matches(value.casefold(), folded, n=3, cutoff=0.6)
    return f"did you mean {' or '.join(repr(folded[name]) for name in near)}? " if near else ""


def count(name: str, value: Any, low: int = 0, high: int | None = None) -> None:
    """Refuses what is no whole number from ``low`` to ``high``; a bool is none.

    >>> count("seed", 2.5)
    Traceback (most recent call last):
    jaxnets.check.InputError: seed = 2.5, allowed are 0, 1, 2, ...
    """
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or value < low or (high is not None and value > high):
        allowed = f"{low} to {high}" if high is not None else f"{low}, {low + 1}, {low + 2}, ..."
        raise InputError(f"{name} = {value!r}, allowed are {allowed}")


def same_state(before: PyTree, after: PyTree) -> None:
    """Refuses a step that changes what a state is made of: its structure, a shape or a dtype.

    >>> same_state({"w": np.zeros(3)}, {"w": np.zeros(4)})
    Traceback (most recent call last):
    jaxnets.check.InputError: a step changes state['w'] from float64[3] to float64[4], allowed is the same
    """
    old, new = jax.tree.structure(before), jax.tree.structure(after)
    if old != new:
        raise InputError(f"a step changes the state from {old} to {new}, allowed is the same structure")
    for (path, one), other in zip(
        jax.tree_util.tree_leaves_with_path(before), jax.tree.leaves(after), strict=True
    ):
        kinds = [f"{jnp.result_type(leaf)}[{','.join(map(str, np.shape(leaf)))}]" for leaf in (one, other)]
        if kinds[0] != kinds[1]:
            place = f"state{jax.tree_util.keystr(path)}"
            raise InputError(f"a step changes {place} from {kinds[0]} to {kinds[1]}, allowed is the same")


def scalars(found: Any) -> dict[str, Any]:
    """The arrays of metrics by their names, each one number.

    >>> scalars({"accuracy": np.zeros(3)})
    Traceback (most recent call last):
    jaxnets.check.InputError: metric 'accuracy': float64 of shape (3,), allowed is one real number
    """
    if not isinstance(found, dict):
        raise InputError(f"metrics: {type(found).__name__}, allowed is a dict of numbers by name")
    for name, value in found.items():
        is_array = isinstance(value, (bool, int, float, np.generic, np.ndarray, jax.Array))
        kind = (value if hasattr(value, "dtype") else np.asarray(value)).dtype if is_array else None
        is_real = is_array and any(jnp.issubdtype(kind, one) for one in REAL)
        if not is_real or np.shape(value):
            what = f"{kind} of shape {np.shape(value)}" if is_array else type(value).__name__
            raise InputError(f"metric {name!r}: {what}, allowed is one real number")
    return {name: jnp.asarray(value) for name, value in found.items()}
