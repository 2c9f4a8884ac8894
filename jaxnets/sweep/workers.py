"""The workers of an executor take their part of a sweep, chunk by chunk, from the folder that all share."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor
from pathlib import Path
from typing import NamedTuple

import jax

from jaxnets import check
from jaxnets.check import InputError
from jaxnets.sweep.grid import Grid
from jaxnets.sweep.plan import Plan, plan
from jaxnets.sweep.trial import Trial


class Job(NamedTuple):
    """What a worker is sent: it plans for itself, like the sweep in the folder."""

    trial: Trial
    grid: Grid
    seeds: tuple[int, ...]
    out: str
    precision: str | None


def work(job: Job) -> int:
    """A worker's part: chunks that nobody else works on, until none is left; the number of cells."""
    from jaxnets.sweep.engine import run  # it imports this module

    jax.config.update("jax_default_matmul_precision", job.precision)
    ready = plan(job.trial, job.grid, seeds=job.seeds, like=job.out)
    return len(run(ready, job.out, resume=True, share=True))


def submitted(
    executor: Executor, num_workers: int, ready: Plan, out: str | Path | None
) -> Callable[[], bool]:
    """Sends the plan to workers; the result says whether any of them still works.

    A worker that is killed, or a pool that breaks, only ends sooner: what it had begun, others take over.

    Raises:
        InputError: no folder that they could share, or a worker that cannot be sent the learner.
    """
    check.count("num_workers", num_workers, 1)
    if out is None:
        raise InputError("workers: out is missing, the folder that they share")
    job = Job(
        ready.trial,
        ready.grid,
        ready.seeds,
        str(Path(out).resolve()),
        jax.config.jax_default_matmul_precision,
    )
    futures = [executor.submit(work, job) for _ in range(num_workers)]

    def is_busy() -> bool:
        for future in futures:
            error = future.exception() if future.done() else None
            if error is not None and not _was_killed(error):
                raise InputError(f"workers: {type(error).__name__}: {' '.join(str(error).split())}") from None
        return not all(future.done() for future in futures)

    return is_busy


def _was_killed(error: BaseException) -> bool:
    """Whether a worker did not end by itself."""
    return isinstance(error, BrokenExecutor) or type(error).__name__ == "KilledWorker"  # the latter is Dask's
