"""Cells between two stops of their runs: where each is, and how it goes on to the next stop."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from jaxnets import check, status
from jaxnets.check import InputError
from jaxnets.sweep import sound
from jaxnets.sweep import way as ways
from jaxnets.sweep.ended import arrays_of, record_of
from jaxnets.sweep.part import Part
from jaxnets.sweep.plan import Plan
from jaxnets.sweep.records import Arrays
from jaxnets.sweep.results import in_the_end
from jaxnets.sweep.store import Store


class Held:
    """Runs that stop together, are compared, and go on, end, or take another's place.

    As many cells as a chunk of the sweep has are a file of the store from stop to stop, on any number of
    devices: they are trained once, whoever is killed in between.

    Attributes:
        rows: of each cell, by its position in the part, the arrays of its run (:meth:`Way.arrays`).
    """

    def __init__(self, plan: Plan, store: Store | None) -> None:
        self.rows: dict[int, Arrays] = {}
        self._plan, self._store, self._number = plan, store, 0

    def advance(self, part: Part, positions: np.ndarray, step: int) -> Arrays:
        """Takes cells to a step; the arrays of the last file.

        Args:
            part: with the program and the hyperparameters to go on with.
        """
        for cells in part.chunks_among(positions):
            arrays = self._finished(part, cells, step)
            if arrays is None:
                arrays = _joined([self._trained(part, batch, step) for batch in part.batches_among(cells)])
                if self._store:
                    self._store.finish(self._number, arrays)
            self.rows |= {position: _row(arrays, row) for row, position in enumerate(cells.tolist())}
            self._number += 1
        return arrays

    def copy(self, parents: np.ndarray) -> None:
        """Each cell takes the run of its parent."""
        self.rows = {cell: self.rows[parent] for cell, parent in enumerate(parents.tolist())}

    def value(self, position: int, metric: str) -> float:
        """A metric's number in the end; NaN of a cell that has diverged."""
        arrays = self.rows[position]
        if int(arrays["status"][0]) == status.DIVERGED:
            return math.nan
        return float(in_the_end(arrays[f"entry/{metric}"], arrays["entry/loss"])[0])

    def records(self, part: Part, positions: np.ndarray, code: int | None = None) -> Iterator[Arrays]:
        """What is kept of cells that made all steps; or of those that end here, with their status."""
        if code is not None:
            for position in positions.tolist():
                yield record_of(part, np.array([position]), self.rows[position], code)
            return
        for batch in part.batches_among(positions) if len(positions) else ():
            yield arrays_of(self._plan, part, batch, self._way(part, batch))

    def _trained(self, part: Part, batch: np.ndarray, step: int) -> Arrays:
        """Cells side by side, at a step."""
        way = self._way(part, batch)
        while way.step < step:
            way = part.advanced(batch, way, step)
        return way.arrays(len(batch)) | {"cell": part.group.numbers[batch]}

    def _way(self, part: Part, batch: np.ndarray) -> ways.Way:
        before = [self.rows[position] for position in batch.tolist() if position in self.rows]
        return ways.of_arrays(part.program, _joined(before)) if before else ways.begun(part.program)

    def _finished(self, part: Part, cells: np.ndarray, step: int) -> Arrays | None:
        """A chunk's arrays, if they are those of its cells at that step."""
        arrays = self._store.finished(self._number) if self._store else None
        if arrays is None or sound.is_stop(arrays, part, cells, step):
            return arrays
        self._store.blame(f"chunk {self._number}: not the arrays of its cells")
        return None


def only_part(plan: Any, way: str) -> Part:
    """The part of a plan whose runs can be stopped together and compared.

    Args:
        way: what is to be done with them; begins the refusal.

    Raises:
        InputError: no plan, several static combinations, or runs of several lengths.
    """
    check.kind("plan", plan, Plan, "what sweep.plan gives")
    if len(plan.parts) > 1:
        raise InputError(f"{way}: {len(plan.parts)} static combinations, allowed is one")
    if "num_steps" in plan.trial.hparams._fields:
        raise InputError(f"{way}: num_steps is a field of the hparams, allowed is one of the settings")
    return plan.parts[0]


def _row(arrays: Arrays, row: int) -> Arrays:
    return {name: values if values.ndim == 0 else values[row : row + 1] for name, values in arrays.items()}


def _joined(rows: list[Arrays]) -> Arrays:
    return {
        name: values if values.ndim == 0 else np.concatenate([row[name] for row in rows])
        for name, values in rows[0].items()
    }
