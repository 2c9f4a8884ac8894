"""Runs a plan: batch by batch, each from entry to entry of its history; finished chunks are kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from jaxnets import check
from jaxnets.check import InputError
from jaxnets.sweep import sound
from jaxnets.sweep import way as ways
from jaxnets.sweep.ended import arrays_of
from jaxnets.sweep.identity import manifest_of
from jaxnets.sweep.part import Part
from jaxnets.sweep.plan import Plan, gone_on_with
from jaxnets.sweep.records import Arrays
from jaxnets.sweep.results import SweepResult
from jaxnets.sweep.store import Store
from jaxnets.sweep.way import Way
from jaxnets.sweep.workers import submitted

Tasks = dict[int, tuple[Part, np.ndarray]]
"""Chunks by number: of each, its part and the positions of its cells there."""

WAIT_SECONDS = 0.2
"""Between two looks at what others finish."""
PATIENCE_SECONDS = 60.0
"""So long workers may finish nothing; then chunks that none of them holds are trained here."""
KEEP_SECONDS = 10.0
"""A chunk's state is kept on its way where so much work would be lost."""


def run(
    plan: Plan,
    out: str | Path | None = None,
    *,
    resume: bool = False,
    fresh: bool = False,
    share: bool = False,
    workers: Executor | None = None,
    num_workers: int = 2,
    host: tuple[int, int] = (0, 1),
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
        share: let other processes that are given the same plan and folder take their part, chunk by chunk;
            what one that is killed had begun, another takes over. Lanes and files that were measured and not
            given are those of the process that came first.
        workers: an executor (of processes, Dask's, MPI's) that is given the work; its processes share the
            folder. A pool of processes must not fork: ``mp_context=multiprocessing.get_context("spawn")``.
        num_workers: how many of them.
        host: which of how many hosts this is, from 0, where they have no folder in common: each trains its
            own chunks and has their cells in its table; :func:`~jaxnets.sweep.merge.merge` joins the folders
            of plans that are given the same ``lanes`` and ``chunk_size``.
        report: called with the number of cells that are done and a finished chunk's arrays.

    Raises:
        InputError: the folder cannot be written to, or holds another sweep (the difference is named), there
            are more hosts than chunks, or what should be called cannot be.

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
    refuse_callers(workers, report, resume=resume, fresh=fresh, share=share)
    check.count("num_workers", num_workers, 1)
    if workers is not None and host != (0, 1):
        raise InputError("workers and host, allowed is one of them")
    if share and fresh:  # one that came later would remove what the first has finished
        raise InputError("share and fresh, allowed is one of them")
    plan = gone_on_with(plan, out, resume=resume or share)
    entry = {"resume": resume, "fresh": fresh, "share": share or workers is not None}
    plan, tasks, entered = _entered(plan, out, host, **entry)
    with entered as store:
        is_busy = submitted(workers, num_workers, plan, out) if workers is not None else lambda: False
        return collected(plan, store, tasks, report, is_busy)


def _entered(
    plan: Plan, out: str | Path | None, host: Any, *, resume: bool, fresh: bool, share: bool
) -> tuple[Plan, Tasks, AbstractContextManager[Store | None]]:
    """The plan, its chunks and its store; it is laid out anew where another has begun the sweep meanwhile."""
    tasks = tasks_of(plan, host)
    try:
        return plan, tasks, opened(plan, out, {}, resume=resume, fresh=fresh, share=share)
    except InputError:
        first = gone_on_with(plan, out, resume=share)
        if first.layouts == plan.layouts:
            raise
    return _entered(first, out, host, resume=resume, fresh=fresh, share=share)


def refuse_callers(workers: Any, report: Any, **truths: Any) -> None:
    """Refuses workers that cannot be given work, a report that cannot be called, words for truth values."""
    if workers is not None and not isinstance(workers, Executor):
        raise InputError(f"workers = {workers!r}, allowed is an executor, as in concurrent.futures")
    if workers is not None:
        try:  # before anything in the folder is touched
            workers.submit(int)
        except Exception as error:  # one that is shut, or whose processes are dead
            raise InputError(f"workers: {type(error).__name__}: {' '.join(str(error).split())}") from None
    if report is not None and not callable(report):
        raise InputError(f"report = {report!r}, allowed is a function (cells done, a chunk's arrays)")
    for name, value in truths.items():
        check.truth(name, value)


def opened(
    plan: Plan, out: str | Path | None, about: dict[str, Any], *, resume: bool, fresh: bool, share: bool
) -> AbstractContextManager[Store | None]:
    """The store of a sweep, or None where nothing is to be kept.

    Args:
        about: what its numbers depend on beside the plan.
    """
    if resume and fresh:
        raise InputError("resume and fresh, allowed is one of them")
    if out is None:
        if resume or fresh or share:
            raise InputError("out is missing: resume, fresh, share and workers need a folder")
        return nullcontext()
    return Store(out, manifest_of(plan, about), resume=resume, fresh=fresh, share=share)


def collected(
    plan: Plan,
    store: Store | None,
    tasks: Tasks,
    report: Callable[[int, Arrays], None] | None = None,
    is_busy: Callable[[], bool] = lambda: False,
) -> SweepResult:
    """Every chunk, trained here or, while ``is_busy``, by others."""
    waiting, chunks, done, last = dict(tasks), [], 0, time.monotonic()
    while waiting:
        before, leave = len(waiting), is_busy() and _is_hopeful(store, waiting, last)
        for number, (part, positions) in [*waiting.items()]:
            read = partial(_finished, plan, store, number, part, positions)
            arrays = read() if leave else _claimed(plan, part, positions, number, store, read)
            if arrays is not None:
                del waiting[number]
                chunks.append(arrays)
                done, last = done + len(positions), time.monotonic()
                if report:
                    report(done, arrays)
        if len(waiting) == before:
            time.sleep(WAIT_SECONDS)  # others work on all that is left
    return SweepResult.of_chunks(plan, chunks, store.damaged if store else [])


def _is_hopeful(store: Store, waiting: Tasks, last: float) -> bool:
    """Whether workers may be waited for: they finished something not long ago, or one holds a chunk.

    An executor whose workers are all dead may still call them busy.
    """
    return time.monotonic() - last < PATIENCE_SECONDS or any(map(store.is_claimed, waiting))


def _finished(plan: Plan, store: Store, number: int, part: Part, positions: np.ndarray) -> Arrays | None:
    """A chunk's arrays, if they are those of its cells."""
    arrays = store.finished(number)
    if arrays is None or sound.is_record(arrays, part, positions, _others(plan)):
        return arrays
    store.blame(f"chunk {number}: not the arrays of its cells")
    return None


def _begun(plan: Plan, store: Store, number: int, part: Part, batches: list[np.ndarray]) -> Arrays:
    """What was kept of a chunk's way, if it is that of its cells and of as many devices; or nothing."""
    kept = store.begun(number)
    if not kept or (sound.is_width(kept) and kept["width"] != part.program.width):
        return {}
    if sound.is_begun(kept, part, batches, _others(plan)):
        return kept
    store.blame(f"{number:06}.part: not the state of its cells")
    return {}


def _others(plan: Plan) -> tuple[str, ...] | None:
    """The grid's names, which no final number of a trial's own has; None where it has none."""
    return plan.grid.names if plan.trial.evaluate else None


def _claimed(
    plan: Plan, part: Part, positions: np.ndarray, number: int, store: Store | None, read: Callable
) -> Arrays | None:
    """The arrays of a chunk, read or trained; None where another process works on it."""
    if store is None:
        return _chunk(plan, part, positions, number, None)
    arrays = read()
    if arrays is None and store.claim(number):
        try:
            arrays = read()  # the one that had it may have finished it since
            if arrays is None:
                arrays = _chunk(plan, part, positions, number, store)
                store.finish(number, arrays)
        finally:
            store.release(number)
    return arrays


def tasks_of(plan: Plan, host: Any = (0, 1)) -> Tasks:
    """The chunks of a host, every so many, so that static combinations are spread."""
    chunks = [(part, positions) for part in plan.parts for positions in part.chunks]
    is_pair = isinstance(host, tuple) and len(host) == 2 and {type(number) for number in host} == {int}
    if not is_pair or not 0 <= host[0] < host[1] <= len(chunks):
        allowed = f"(index, hosts) with 0 <= index < hosts <= {len(chunks)}, as many as there are chunks"
        raise InputError(f"host = {host!r}, allowed is {allowed}")
    return {number: chunks[number] for number in range(host[0], len(chunks), host[1])}


def _chunk(plan: Plan, part: Part, positions: np.ndarray, number: int, store: Store | None) -> Arrays:
    """The arrays of one file, from where it was left; with other devices, from its beginning."""
    program, batches = part.program, part.batches_among(positions)
    kept = _begun(plan, store, number, part, batches) if store else {}
    first = int(kept.get("batch", 0))
    finished = [ways.under(kept, f"{place}/") for place in range(first)]
    for place in range(first, len(batches)):
        way = ways.of_arrays(program, ways.under(kept, "way/")) if kept else ways.begun(program)
        kept, saved = {}, time.monotonic()
        while way.step < program.num_steps:
            way = part.advanced(batches[place], way)
            if store and way.step < program.num_steps and time.monotonic() - saved > KEEP_SECONDS:
                store.keep(number, _on_the_way(finished, way, program.width))
                saved = time.monotonic()
        finished.append(arrays_of(plan, part, batches[place], way))
    return {name: np.concatenate([arrays[name] for arrays in finished]) for name in finished[0]}


def _on_the_way(finished: list[Arrays], way: Way, width: int) -> Arrays:
    """A chunk's finished batches and the one that is not."""
    chunks = enumerate(finished)
    done = {f"{place}/{name}": values for place, arrays in chunks for name, values in arrays.items()}
    here = {f"way/{name}": values for name, values in way.arrays().items()}
    return {"batch": np.array(len(finished)), "width": np.array(width)} | done | here
