"""What the progress line of a sweep costs: many tiny chunks with it and without, in turn.

    python -m experiments.benchmarks.sweep_progress [REPETITIONS]

Prints the medians of the repetitions' seconds and of their ratios, on the clock and of the processor (which
other programs disturb less): with a line that a terminal shows, and with plain lines, as into a file. Every
chunk is one cell, so the line hears of it as often as it can.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import optax
from rich.console import Console

from experiments._progress import progress
from jaxnets import data, losses, models, sweep
from jaxnets.learner import Learner, gradient
from jaxnets.sweep import Plan

NUM_CELLS = 1000


def network(hparams: tuple) -> Learner:
    """A small classifier by SGD at the grid's rate."""
    return gradient(models.MLP((8,), 3), losses.softmax_cross_entropy, optax.sgd(hparams.rate))


def planned() -> Plan:
    """A sweep of chunks that take about a millisecond each."""
    grid = sweep.Grid(rate=sweep.log(0.001, 1, NUM_CELLS))
    return sweep.plan(
        network,
        grid,
        data.load("iris"),
        num_steps=60,
        evaluate_every=20,
        batch_size=16,
        lanes=1,
        chunk_size=1,
    )


def alone(plan: Plan) -> None:
    """The sweep with nothing reported."""
    sweep.run(plan)


def with_line(plan: Plan, *, is_watched: bool) -> None:
    """The sweep with its progress line, on a terminal that nobody sees or in plain lines."""
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):
        console = Console(file=nowhere, force_terminal=is_watched, width=100)
        with progress(plan.num_cells, "loss", lowest=True, console=console) as report:
            sweep.run(plan, report=report)


def seconds(what: Callable[[Plan], None], plan: Plan) -> tuple[float, float]:
    """That it takes, on the clock and of the processor."""
    begun = time.perf_counter(), time.process_time()
    what(plan)
    return time.perf_counter() - begun[0], time.process_time() - begun[1]


def main(words: list[str]) -> None:
    """Prints a line for each kind of line."""
    plan = planned()
    ways = {
        "alone": alone,
        "terminal": partial(with_line, is_watched=True),
        "plain": partial(with_line, is_watched=False),
    }
    alone(plan)
    repetitions = range(int(words[0]) if words else 15)
    taken = np.array([[seconds(way, plan) for way in ways.values()] for _ in repetitions])
    for number, name in enumerate(ways):
        medians, ratios = (
            np.median(taken[:, number], axis=0),
            np.median(taken[:, number] / taken[:, 0], axis=0),
        )
        clock, processor = (
            f"{one:.3f} s, ratio {ratio:.3f}" for one, ratio in zip(medians, ratios, strict=True)
        )
        print(f"{name:8}  clock {clock}   processor {processor}")


if __name__ == "__main__":
    main(sys.argv[1:])
