"""Where the program of a network can be cut open: its layers, and what follows from the rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from jaxnets.diagnose.equations import CONTRACTIONS
from jaxnets.diagnose.program import COPIES, Operation, Program

SAME = 1e-4
"""Relative: numbers that are computed twice differ by rounding."""


def mixed(program: Program) -> list[int]:
    """Numbers of the values, of a number a row at least, that params and rows both go into."""
    params, rows = (program.reached(program.starts[place]) for place in (0, 1))
    return sorted(place for place in params & rows & program.needed(program.ends) if program.sizes[place] > 1)


def is_same(value: np.ndarray, other: Any) -> bool:
    """Whether two arrays hold the same numbers, but for rounding; constants, which prove nothing, do not."""
    other = np.asarray(other)
    if value.dtype.kind != "f" or value.shape != other.shape or not np.isfinite(value).all():
        return False
    scale = np.abs(value).max(initial=0)
    return bool(value.max() > value.min() and np.abs(value - other).max() <= SAME * scale)


def contractions(program: Program) -> list[Operation]:
    """Operations that multiply something of the rows with something of the params only."""
    params, rows = (program.reached(program.starts[place]) for place in (0, 1))
    needed = program.needed(program.ends)

    def is_layer(one: Operation) -> bool:
        of_rows = [place in rows for place in one.sources]
        weights = [place for place in one.sources if place not in rows and place in params]
        is_needed = bool(needed.intersection(one.ends))
        return one.name in CONTRACTIONS and is_needed and any(of_rows) and bool(weights)

    return [one for one in program.operations if is_layer(one)]


def weight_of(program: Program, layer: Operation) -> int:
    """The number of the value of the params that a contraction multiplies with."""
    rows = program.reached(program.starts[1])
    return next(place for place in layer.sources if place not in rows)


def draws_numbers(program: Program) -> bool:
    """Whether random numbers are drawn in it."""
    return any("random" in one.name or "threefry" in one.name for one in program.operations)


def layers_after(program: Program, cut: int) -> bool:
    """Whether what follows from a value goes through another layer."""
    following = program.reached([cut])
    return any(following.intersection(one.sources) for one in contractions(program) if cut not in one.ends)


def last_layer(program: Program) -> int | None:
    """The number of the value that the last contraction gives, with the bias that is added to it."""
    layers = contractions(program)
    if not layers:
        return None
    rows, needed = program.reached(sum(program.starts[1:], ())), program.needed(program.ends)
    found = layers[-1].ends[0]
    while True:
        users = [one for one in program.operations if found in one.sources and needed.intersection(one.ends)]
        if len(users) != 1 or found in program.ends:
            return found
        of_rows = sum(place in rows for place in users[0].sources)
        if users[0].name not in COPIES and not (users[0].name in ("add", "sub") and of_rows == 1):
            return found
        found = users[0].ends[0]
