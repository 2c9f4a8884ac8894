"""The workers of an executor take their part of a sweep, chunk by chunk, from the folder that all share."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import jax

from jaxnets.check import InputError
from jaxnets.sweep.grid import Grid
from jaxnets.sweep.identity import file_of
from jaxnets.sweep.plan import Plan, plan
from jaxnets.sweep.store import manifest_in
from jaxnets.sweep.trial import Trial

HERE = uuid.uuid4().hex
"""This process."""
_TAKEN: set[str] = set()
"""The folders of which this process takes its part."""
_GUARD = threading.Lock()


class Job(NamedTuple):
    """What a worker is sent: it plans for itself, like the sweep in the folder.

    Attributes:
        learner: hash of the learner's file, which a worker need not have: Dask sends functions themselves.
        sender: the process that waits.
        place: among the workers; of jobs that are the same, Dask would do one.
    """

    trial: Trial
    grid: Grid
    seeds: tuple[int, ...]
    out: str
    precision: str | None
    x64: bool
    learner: str
    sender: str
    place: int


def work(job: Job) -> int:
    """A worker's part: chunks that nobody else works on, until none is left; how many cells there are then.

    A process takes one part, with all its devices: its other threads have nothing to do.
    """
    from jaxnets.sweep.engine import collected, opened, tasks_of  # it imports this module

    with _part_of(job) as is_mine:
        if not is_mine:
            return 0
        if not manifest_in(job.out):
            raise InputError(f"{job.out}: not there; workers and their sender share one folder")
        jax.config.update("jax_default_matmul_precision", job.precision)
        jax.config.update("jax_enable_x64", job.x64)
        ready = plan(job.trial, job.grid, seeds=job.seeds, like=job.out)
        about = {"learner": job.learner}
        with opened(ready, job.out, about, resume=True, fresh=False, share=True) as store:
            return len(collected(ready, store, tasks_of(ready)))


@contextmanager
def _part_of(job: Job) -> Iterator[bool]:
    """Whether nobody else in this process takes part: locks do not tell its threads apart."""
    with _GUARD:
        is_mine = job.sender != HERE and job.out not in _TAKEN
        if is_mine:
            _TAKEN.add(job.out)
    try:
        yield is_mine
    finally:
        if is_mine:
            _TAKEN.discard(job.out)


def submitted(executor: Executor, num_workers: int, ready: Plan, out: str | Path) -> Callable[[], bool]:
    """Sends the plan to workers; the result says whether any of them still works.

    A worker that is killed, or a pool that breaks, only ends sooner: what it had begun, others take over.

    Raises:
        InputError: a worker that cannot be sent the learner.
    """
    job = Job(
        ready.trial,
        ready.grid,
        ready.seeds,
        str(Path(out).resolve()),
        jax.config.jax_default_matmul_precision,
        jax.config.jax_enable_x64,
        file_of(ready.trial.learner),
        HERE,
        0,
    )
    futures = [executor.submit(work, job._replace(place=place)) for place in range(num_workers)]

    def is_busy() -> bool:
        for future in futures:
            error = future.exception() if future.done() and not future.cancelled() else None
            if error is not None and not _was_killed(error):
                raise InputError(f"workers: {type(error).__name__}: {' '.join(str(error).split())}") from None
        return not all(future.done() for future in futures)

    return is_busy


def _was_killed(error: BaseException) -> bool:
    """Whether a worker did not end by itself."""
    return isinstance(error, BrokenExecutor) or type(error).__name__ == "KilledWorker"  # the latter is Dask's
