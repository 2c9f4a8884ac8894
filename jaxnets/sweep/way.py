"""A batch of cells on its way: runs side by side, their history so far, and how they go on."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnets import status
from jaxnets.sweep.cells import Group, inputs_of
from jaxnets.sweep.program import Program
from jaxnets.sweep.records import Arrays
from jaxnets.train import Run


class Way(NamedTuple):
    """Runs ``[width]`` between two segments.

    Attributes:
        run: as the program gives it.
        entries: the history so far, ``[width, entries]`` a metric.
        final: metrics of the test rows, NaN before the last step.
    """

    run: Run
    entries: Arrays
    final: Arrays

    @property
    def step(self) -> int:
        """Steps so far."""
        return int(self.run.step)

    def arrays(self, num_cells: int | None = None) -> Arrays:
        """All of it for a file; of the first cells, where the others fill up a batch."""
        rows = slice(num_cells)
        leaves = jax.tree.leaves((self.run.state, self.run.status))
        # Cut on the host: on devices, a slice would be a program of its own, and gather from all of them.
        found = {f"run/{number}": np.asarray(leaf)[rows] for number, leaf in enumerate(leaves)}
        for kind, values in (("entry", self.entries), ("final", self.final)):
            found |= {f"{kind}/{name}": np.asarray(array)[rows] for name, array in values.items()}
        standing = {"status": self.run.status.code, "kept_steps": self.run.status.step}
        found |= {name: np.asarray(array)[rows] for name, array in standing.items()}
        return found | {"step": np.asarray(self.run.step, np.int32)}


def begun(program: Program) -> Way:
    """Before the first step."""
    return Way(program.begun, {}, {})


def of_arrays(program: Program, arrays: Arrays) -> Way:
    """What :meth:`Way.arrays` gave; a batch that is not full is filled up with its last cell."""
    structure = jax.tree.structure((program.begun.state, program.begun.status))
    leaves = [_full(arrays[f"run/{number}"], program.width) for number in range(structure.num_leaves)]
    state, standing = jax.tree.unflatten(structure, leaves)
    entries, final = (
        {name: _full(values, program.width) for name, values in under(arrays, kind).items()}
        for kind in ("entry/", "final/")
    )
    return Way(Run(state, {}, standing, np.int32(arrays["step"])), entries, final)


def advanced(
    program: Program,
    group: Group,
    batch: np.ndarray,
    dataset: Any,
    way: Way,
    *,
    shares_seed: bool,
    until: int,
) -> Way:
    """One entry further, at most to the step ``until``; where all cells have ended, at once to there."""
    seeds, hparams = inputs_of(group, batch, program.width, shares_seed)
    run, num_entries = way.run, 1
    if way.step and (np.asarray(run.status.code) != status.OK).all():
        num_entries = max(1, -(-(until - way.step) // program.interval))  # they would all be alike
        run = run._replace(step=np.int32(until))
    run, entry, final = program.advance(seeds, hparams, np.int32(until), run, dataset)
    entry, final = jax.device_get((entry, final))
    entries = {
        name: np.concatenate(
            [*([way.entries[name]] if way.entries else []), np.repeat(values[:, None], num_entries, axis=1)],
            axis=1,
        )
        for name, values in entry.items()
    }
    return Way(run, entries, final)


def under(arrays: Arrays, prefix: str) -> Arrays:
    """The arrays whose names begin with a prefix, without it."""
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _full(values: np.ndarray, width: int) -> np.ndarray:
    missing = width - len(values)
    return np.concatenate([values, np.repeat(values[-1:], missing, axis=0)]) if missing > 0 else values
