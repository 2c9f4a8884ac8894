"""What a plan forecasts against what is measured: bytes and seconds of whole sweeps.

    python -m experiments.benchmarks.sweep_forecasts [NAME ...]

Prints a line for each task of :mod:`~experiments.benchmarks.sweep_modes` and number of lanes, each in a
process of its own: the bytes that the compiled program was said to take, and by how much the process grew at
most while it was first called; the seconds expected of the sweep, and those that it took. Linux counts the
bytes, with the pages of code that are touched for the first time: some megabytes, whatever the program.
"""

from __future__ import annotations

import ctypes
import re
import subprocess
import sys
import time
from pathlib import Path

import jax

from experiments.benchmarks.sweep_modes import Task, tasks
from jaxnets import sweep
from jaxnets.check import InputError, choice
from jaxnets.sweep import way as ways
from jaxnets.sweep.plan import Plan

LANES = (1, 8, 64)
M_MMAP_THRESHOLD, LEAST_PAGES = -3, 2**16
"""Blocks from so many bytes on are pages of their own (malloc.h)."""


def resident(kind: str) -> int:
    """Bytes of this process: ``VmRSS`` are there now, ``VmHWM`` were at most."""
    text = Path("/proc/self/status").read_text(encoding="ascii")
    return 1024 * int(re.search(rf"{kind}:\s+(\d+) kB", text)[1])


def grown(plan: Plan) -> int:
    """Bytes by which the process grows at most in a first segment, with the rows that are there already."""
    (part,) = plan.parts
    batch, rows = part.batches_among(part.chunks[0])[0], jax.tree.leaves(part.dataset)
    ctypes.CDLL("libc.so.6").malloc_trim(0)  # what was freed would be taken again unseen
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak is now
    jax.block_until_ready(part.advanced(batch, ways.begun(part.program)).run)
    return resident("VmHWM") - before + sum(leaf.nbytes for leaf in rows)


def line_of(name: str, task: Task, lanes: int) -> str:
    """Forecast, measured, and their ratio."""
    ctypes.CDLL("libc.so.6").mallopt(M_MMAP_THRESHOLD, LEAST_PAGES)  # so that it is given back when freed
    plan = sweep.plan(task.make, task.grid, task.rows, lanes=lanes, **task.run)
    forecast, num_bytes = plan.parts[0].program.num_bytes, grown(plan)
    begun = time.perf_counter()
    sweep.run(plan)
    seconds = time.perf_counter() - begun
    return (
        f"{name:10} {lanes:5}  {forecast / 1e6:9.1f} {num_bytes / 1e6:9.1f} MB {num_bytes / forecast:6.2f}"
        f"  {plan.seconds:9.2f} {seconds:9.2f} s {seconds / plan.seconds:6.2f}"
    )


def main(words: list[str]) -> None:
    """Prints a line a task and number of lanes; ``NAME:LANES`` is one of them, in this process."""
    if sys.platform != "linux":
        raise InputError(f"{sys.platform}, allowed is Linux, which tells a process's peak")
    known = tasks()
    name, _, lanes = words[0].partition(":") if words else ("", "", "")
    if lanes:
        print(line_of(name, known[name](), int(lanes)), flush=True)
        return
    for name in words:
        choice("task", name, known)
    print(f"{'task':10} lanes   forecast  measured    ratio   forecast  measured   ratio", flush=True)
    for name in words or known:
        for number in (number for number in LANES if number <= len(known[name]().grid)):
            command = [sys.executable, "-m", "experiments.benchmarks.sweep_forecasts", f"{name}:{number}"]
            subprocess.run(command, check=True)  # noqa: S603, this module itself


if __name__ == "__main__":
    main(sys.argv[1:])
