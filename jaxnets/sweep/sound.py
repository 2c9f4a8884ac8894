"""Whether arrays that were read are those of a sweep's cells: their names, dtypes, shapes and codes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import jax
import numpy as np

from jaxnets import status
from jaxnets.sweep import way as ways
from jaxnets.sweep.grid import RESERVED
from jaxnets.sweep.part import Part
from jaxnets.sweep.program import Program
from jaxnets.sweep.records import NARROW, Arrays

Kind = tuple[set[str], tuple[int, ...]]
"""Kinds or names of the dtypes that an array may have, and its shape."""
INTEGER, FLOAT, NUMBER = set("i"), set("f"), set("biuf") | NARROW


def is_record(arrays: Arrays, part: Part, positions: np.ndarray, others: Iterable[str] | None) -> bool:
    """Whether these are the records of cells that made all steps.

    Args:
        positions: of the cells in the part.
        others: columns of the table whose names no final number may have, where the trial has final numbers
            of its own; None where it has none.
    """
    program, size = part.program, len(positions)
    numbers = part.group.numbers[positions]
    kinds: dict[str, Kind] = {"cell": ({numbers.dtype.name}, (size,))}
    kinds |= {"status": ({"int8"}, (size,)), "kept_steps": ({"int32"}, (size,))}
    kinds |= {f"history/{name}": (FLOAT, (size, program.num_segments)) for name in program.metrics}
    kinds |= {f"final/{name}": (FLOAT, (size,)) for name in program.finals}
    own = [] if others is None else [name for name in arrays if name.startswith("final/")]
    if {name.partition("/")[2] for name in own} & {"", *RESERVED, *(others or ())}:
        return False
    kinds |= dict.fromkeys(own, (FLOAT, (size,)))
    return (
        _are(arrays, kinds)
        and np.array_equal(arrays["cell"], numbers)
        and _are_codes(arrays["status"])
        and bool((arrays["kept_steps"] >= 0).all() and (arrays["kept_steps"] <= program.num_steps).all())
    )


def is_way(arrays: Arrays, program: Program) -> bool:
    """Whether these are a batch's runs between two entries, as :meth:`Way.arrays` gives them."""
    step = arrays.get("step", np.zeros(0))
    if not _are({"step": step}, {"step": ({"int32"}, ())}) or not 0 < step < program.num_steps:
        return False
    if step % program.interval:
        return False
    kinds = _kinds_of_runs(program, program.width, int(step))
    return _are(arrays, kinds) and _are_codes(ways.of_arrays(program, arrays).run.status.code)


def is_stop(arrays: Arrays, part: Part, batch: np.ndarray, step: int) -> bool:
    """Whether these are the runs of cells that were stopped at a step, with the cells' numbers."""
    program, numbers = part.program, part.group.numbers[batch]
    kinds = _kinds_of_runs(program, len(batch), step) | {"cell": ({numbers.dtype.name}, (len(batch),))}
    return (
        _are(arrays, kinds)
        and np.array_equal(arrays["cell"], numbers)
        and bool(arrays["step"] == step)
        and _are_codes(arrays["status"])
        and _are_codes(ways.of_arrays(program, arrays).run.status.code)
    )


def _kinds_of_runs(program: Program, size: int, step: int) -> dict[str, Kind]:
    """What :meth:`Way.arrays` gives of so many runs at a step."""
    leaves = jax.tree.leaves((program.begun.state, program.begun.status))
    kinds: dict[str, Kind] = {
        f"run/{number}": ({leaf.dtype.name}, (size, *leaf.shape[1:])) for number, leaf in enumerate(leaves)
    }
    entries = (size, -(-step // program.interval))
    kinds |= {f"entry/{name}": (NUMBER, entries) for name in (*program.metrics, "step")}
    kinds |= {f"final/{name}": (FLOAT, (size,)) for name in program.finals}
    return kinds | {"step": ({"int32"}, ()), "status": (NUMBER, (size,)), "kept_steps": (NUMBER, (size,))}


def is_begun(arrays: Arrays, part: Part, batches: Sequence[np.ndarray], others: Iterable[str] | None) -> bool:
    """Whether these are a chunk's finished batches and the one that is not, by a program as wide as its."""
    first = arrays.get("batch", np.zeros(0))
    if not is_width(arrays) or not _are({"batch": first}, {"batch": (INTEGER, ())}):
        return False
    if not 0 <= first < len(batches):
        return False
    way = ways.under(arrays, "way/")
    finished = [ways.under(arrays, f"{place}/") for place in range(int(first))]
    return (
        len(arrays) == 2 + len(way) + sum(map(len, finished))
        and is_way(way, part.program)
        and all(is_record(one, part, batch, others) for one, batch in zip(finished, batches, strict=False))
    )


def is_width(arrays: Arrays) -> bool:
    """Whether it is known how wide the program was that a chunk's state is of."""
    width = arrays.get("width", np.zeros(0))
    return _are({"width": width}, {"width": (INTEGER, ())}) and int(width) > 0


def _are(arrays: Arrays, kinds: Mapping[str, Kind]) -> bool:
    return arrays.keys() == kinds.keys() and all(
        arrays[name].shape == shape
        and arrays[name].dtype.isnative
        and allowed & {arrays[name].dtype.name, arrays[name].dtype.kind}
        for name, (allowed, shape) in kinds.items()
    )


def _are_codes(codes: np.ndarray) -> bool:
    return bool(((codes >= 0) & (codes < len(status.NAMES))).all())
