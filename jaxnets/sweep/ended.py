"""What is kept of cells that have ended: their histories, and the numbers that they come to."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets import status
from jaxnets.check import InputError
from jaxnets.sweep import way as ways
from jaxnets.sweep.grid import RESERVED
from jaxnets.sweep.part import Part
from jaxnets.sweep.plan import Plan
from jaxnets.sweep.records import Arrays
from jaxnets.sweep.trial import Trial
from jaxnets.sweep.way import Way


def arrays_of(plan: Plan, part: Part, batch: np.ndarray, way: Way) -> Arrays:
    """The record of a batch that made all steps."""
    record = record_of(part, batch, way.arrays(len(batch)))
    if plan.trial.evaluate:
        own = _evaluated(plan.trial, part, batch, way)
        if wrong := sorted({*own} & {*RESERVED, *plan.grid.names, *part.program.metrics}):
            raise InputError(f"evaluate: {wrong[0]!r} is a column of the table, allowed are other names")
        record |= {f"final/{name}": values for name, values in own.items()}
    return record


def record_of(part: Part, positions: np.ndarray, arrays: Arrays, code: int | None = None) -> Arrays:
    """What is kept of cells that have ended, from their arrays; their states are not.

    Args:
        code: their status, where it is not what the runs say.
    """
    entries = ways.under(arrays, "entry/")
    missing = part.program.num_segments - entries.pop("step").shape[1]
    nothing = np.full((len(positions), missing), np.nan, np.float32)
    codes = np.asarray(arrays["status"], np.int8)
    if code is not None:
        codes = np.where(codes == status.OK, np.int8(code), codes)
    return {
        "cell": part.group.numbers[positions],
        "status": codes,
        "kept_steps": np.asarray(arrays["kept_steps"], np.int32),
        **{f"history/{name}": np.concatenate([values, nothing], axis=1) for name, values in entries.items()},
        **{name: values for name, values in arrays.items() if name.startswith("final/")},
    }


def _evaluated(trial: Trial, part: Part, batch: np.ndarray, way: Way) -> Arrays:
    """Final numbers that the trial has a function of its own for, cell by cell, on the first device."""
    rows, states = [], jax.device_get(way.run.state)
    with jax.default_device(part.program.devices[0]):
        for lane, position in enumerate(batch):
            hparams = type(part.group.hparams)(*(column[position] for column in part.group.hparams))
            state = jax.tree.map(lambda leaf, lane=lane: jnp.asarray(leaf[lane]), states)
            rows.append(_numbers(trial.evaluate(trial.learner(hparams, part.settings), state, part.dataset)))
    if different := sorted(set().union(*rows) - set.intersection(*map(set, rows))):
        raise InputError(f"evaluate: {different[0]!r} of some cells alone, allowed are the same names of all")
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def _numbers(found: Any) -> dict[str, np.float32]:
    """What a trial's own function gave, a number a name.

    >>> _numbers({"margin": np.ones(1)})
    Traceback (most recent call last):
    jaxnets.check.InputError: evaluate: 'margin' is an array of shape (1,), allowed is a number
    """
    if not isinstance(found, dict) or not all(isinstance(name, str) and name for name in found):
        raise InputError(f"evaluate gave {found!r:.80}, allowed is a dict of numbers by name")
    for name, value in found.items():
        if np.ndim(value):
            raise InputError(
                f"evaluate: {name!r} is an array of shape {np.shape(value)}, allowed is a number"
            )
        if np.asarray(value).dtype.kind not in "fiub":
            raise InputError(f"evaluate: {name!r} is {value!r:.80}, allowed is a number")
    return {name: np.float32(value) for name, value in found.items()}
