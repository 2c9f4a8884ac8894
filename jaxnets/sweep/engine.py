"""Runs a plan: batch by batch, each from entry to entry of its history; finished chunks are kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxnets import status
from jaxnets.sweep.cells import inputs_of
from jaxnets.sweep.identity import manifest_of
from jaxnets.sweep.plan import Part, Plan
from jaxnets.sweep.records import Arrays
from jaxnets.sweep.results import SweepResult
from jaxnets.sweep.store import Store
from jaxnets.train import Run

KEEP_SECONDS = 10.0
"""A chunk's state is kept on its way where so much work would be lost."""


def run(
    plan: Plan,
    out: str | Path | None = None,
    *,
    resume: bool = False,
    fresh: bool = False,
    report: Callable[[int, Arrays], None] | None = None,
) -> SweepResult:
    """Trains every cell of a plan.

    Each cell's numbers are a function of its hyperparameters, its seed, the data and the number of lanes:
    who its neighbours are, whether it was stopped and resumed, or spread over devices, changes no bit.

    Args:
        out: a folder that keeps what is finished, so that a stopped sweep can be resumed; None for memory
            alone.
        resume: go on with the sweep in the folder; finished chunks are read, not trained.
        fresh: remove the sweep in the folder.
        report: called with the number of cells that are done and a finished chunk's arrays.

    Raises:
        InputError: the folder cannot be written to, or holds another sweep (the difference is named).

    Example:
        >>> import optax
        >>> from jaxnets import data, gradient, losses, models, sweep
        >>> def learner(hparams):
        ...     return gradient(models.MLP((8,), 3), losses.softmax_cross_entropy, optax.adam(hparams.rate))
        >>> grid = sweep.Grid(rate=[0.01, 0.1])
        >>> ready = sweep.plan(learner, grid, data.load("iris"), num_steps=20, lanes=2)
        >>> sweep.run(ready).best("loss").point
        {'rate': 0.1}
    """
    if out is None:
        return _collected(plan, None, report)
    with Store(out, manifest_of(plan), resume=resume, fresh=fresh) as store:
        return _collected(plan, store, report)


def _collected(plan: Plan, store: Store | None, report: Callable | None) -> SweepResult:
    chunks, done, number = [], 0, 0
    for part in plan.parts:
        for batches in part.chunks:
            arrays = store.finished(number) if store else None
            if arrays is None:
                arrays = _chunk(plan, part, batches, number, store)
                if store:
                    store.finish(number, arrays)
            chunks.append(arrays)
            done, number = done + len(arrays["cell"]), number + 1
            if report:
                report(done, arrays)
    return SweepResult.of_chunks(plan, chunks, store.damaged if store else [])


def _chunk(plan: Plan, part: Part, batches: list[np.ndarray], number: int, store: Store | None) -> Arrays:
    """The arrays of one file, from where it was left."""
    kept = store.begun(number) if store else None
    finished = [_group_of(kept, f"{place}/") for place in range(int(kept["batch"]))] if kept else []
    for place in range(len(finished), len(batches)):
        way = _Way(part.program.begun)
        if kept and place == int(kept["batch"]):
            way = _Way.of_arrays(_group_of(kept, "way/"), part.program.begun)
        saved = time.monotonic()
        while not way.is_over(part.program.num_steps):
            way = _advanced(part, batches[place], way)
            if store and time.monotonic() - saved > KEEP_SECONDS and not way.is_over(part.program.num_steps):
                store.keep(number, _kept(finished, way))
                saved = time.monotonic()
        finished.append(_arrays(plan, part, batches[place], way))
    return {name: np.concatenate([arrays[name] for arrays in finished]) for name in finished[0]}


class _Way:
    """A batch on its way: its runs, the history so far, and the final metrics once they are there."""

    def __init__(self, run: Run, entries: Arrays | None = None, final: Arrays | None = None) -> None:
        self.run, self.entries, self.final = run, entries or {}, final or {}

    def is_over(self, num_steps: int) -> bool:
        """Whether all steps are made."""
        return int(self.run.step) >= num_steps

    def arrays(self) -> Arrays:
        """All of it, for a file."""
        leaves = {f"run/{number}": np.asarray(leaf) for number, leaf in enumerate(jax.tree.leaves(self.run))}
        return leaves | {f"entry/{name}": values for name, values in self.entries.items()}

    @classmethod
    def of_arrays(cls, arrays: Arrays, begun: Run) -> _Way:
        """What :meth:`arrays` gave."""
        leaves = [arrays[f"run/{number}"] for number in range(len(jax.tree.leaves(begun)))]
        return cls(jax.tree.unflatten(jax.tree.structure(begun), leaves), _group_of(arrays, "entry/"))


def _advanced(part: Part, batch: np.ndarray, way: _Way) -> _Way:
    """One entry further; where all lanes have ended, at once to the end."""
    program = part.program
    seeds, hparams = inputs_of(part.group, batch, program.width, part.shares_seed)
    run = way.run
    if int(run.step) and (np.asarray(run.status.code) != status.OK).all():
        run = run._replace(step=np.int32(program.num_steps))
    run, entry, final = program.advance(seeds, hparams, np.int32(program.num_steps), run, part.dataset)
    entry, final = jax.device_get((entry, final))
    entries = {
        name: np.concatenate([way.entries[name], values[:, None]], axis=1) if way.entries else values[:, None]
        for name, values in entry.items()
    }
    return _Way(run, entries, final)


def _arrays(plan: Plan, part: Part, batch: np.ndarray, way: _Way) -> Arrays:
    """What is kept of a finished batch, without what filled it up."""
    num = len(batch)
    standing = jax.device_get(way.run.status)
    missing = part.program.num_segments - way.entries["step"].shape[1]
    entries = {name: _filled(values[:num], missing) for name, values in way.entries.items() if name != "step"}
    final = {name: np.asarray(values[:num]) for name, values in way.final.items()}
    if plan.trial.evaluate:
        final = _evaluated(plan, part, batch, way)
    return {
        "cell": part.group.numbers[batch],
        "status": np.asarray(standing.code[:num], np.int8),
        "kept_steps": np.asarray(standing.step[:num], np.int32),
        **{f"history/{name}": values for name, values in entries.items()},
        **{f"final/{name}": values for name, values in final.items()},
    }


def _filled(values: np.ndarray, missing: int) -> np.ndarray:
    """A history with NaN where its batch had ended."""
    return np.concatenate([values, np.full((len(values), missing), np.nan, np.float32)], axis=1)


def _evaluated(plan: Plan, part: Part, batch: np.ndarray, way: _Way) -> Arrays:
    """Final numbers that the trial has a function of its own for, cell by cell."""
    rows = []
    for lane, position in enumerate(batch):
        hparams = type(part.group.hparams)(*(column[position] for column in part.group.hparams))
        state = jax.tree.map(lambda leaf, lane=lane: leaf[lane], way.run.state)
        found = plan.trial.evaluate(plan.trial.learner(hparams, part.settings), state, part.dataset)
        rows.append({name: np.float32(value) for name, value in found.items()})
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def _kept(finished: list[Arrays], way: _Way) -> Arrays:
    """A chunk on its way, for a file."""
    done = {
        f"{place}/{name}": values for place, arrays in enumerate(finished) for name, values in arrays.items()
    }
    on_the_way = {f"way/{name}": values for name, values in way.arrays().items()}
    return {"batch": np.array(len(finished))} | done | on_the_way


def _group_of(arrays: Arrays, prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): values for name, values in arrays.items() if name.startswith(prefix)}
