"""Lanes chosen by measurement against each fixed number of lanes, on six kinds of grid.

    python -m experiments.benchmarks.sweep_modes [NAME ...]

Prints the seconds of a whole sweep (planning, compiling, training) with the lanes that were measured, and
with each fixed number of them; the ratio is of the measured to the best fixed one. Each is a process of its
own and the persistent compilation cache is off, so that each pays for what it compiles. A fixed number that
takes twice as long as the measured one is given up.
"""

from __future__ import annotations

import math
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from jaxnets import data, kernels, losses, models, sweep
from jaxnets.check import choice
from jaxnets.data import Dataset
from jaxnets.layers import recurrent
from jaxnets.learner import Learner, gradient
from jaxnets.sweep import Grid
from jaxnets.types import Batch

FIXED = (1, 4, 16, 64)
"""Lanes that the measured ones are compared with."""
HOPELESS, SETTING_UP = 2.0, 15.0
"""So many times the measured seconds, and so many to start a process, are waited for a fixed number."""


class Task(NamedTuple):
    """A grid, what it trains, and on what."""

    make: Callable[[Any], Learner]
    grid: Grid
    rows: Dataset | Batch
    run: dict[str, int]
    seeds: int = 1


def network(model: nn.Module) -> Callable[[Any], Learner]:
    """A classifier by SGD at the grid's rate."""
    return lambda hparams: gradient(model, losses.softmax_cross_entropy, optax.sgd(hparams.learning_rate))


def rates(num: int) -> Grid:
    """That many learning rates."""
    return Grid(learning_rate=sweep.log(0.01, 1, num))


def sentences(num_rows: int, num_steps: int) -> Batch:
    """Sequences of words without sense: the speed does not depend on it."""
    key, label_key = jax.random.split(jax.random.key(0))
    words = jax.random.randint(key, (num_rows, num_steps), 1, 10_000)
    lengths = jnp.full(num_rows, num_steps)
    return Batch({"tokens": words, "lengths": lengths}, jax.random.randint(label_key, (num_rows,), 0, 2))


def tasks() -> dict[str, Callable[[], Task]]:
    """By name; made when they are wanted."""
    digits = lambda: data.load("mnist5k").replace(test=None)  # noqa: E731
    return {
        "small_net": lambda: Task(
            network(models.MLP((30,), 10, activation=nn.sigmoid)), rates(64), digits(),
            {"num_steps": 4000, "batch_size": 10}, seeds=4,
        ),
        "mlp": lambda: Task(
            network(models.MLP((128,), 10)), rates(32), digits(),
            {"num_steps": 1000, "batch_size": 128}, seeds=3,
        ),
        "lenet": lambda: Task(
            network(models.LeNet(10)), rates(8), digits(), {"num_steps": 20, "batch_size": 100}
        ),
        "gru": lambda: Task(
            network(models.SequenceClassifier(10_000, cell=recurrent.gru)), rates(8), sentences(1000, 256),
            {"num_steps": 40, "batch_size": 32},
        ),
        "ridge": lambda: Task(
            lambda hparams: models.ridge_classifier(num_classes=10, alpha=hparams.alpha),
            Grid(alpha=sweep.log(1e-3, 1e3, 64)), digits(), {"num_steps": 1},
        ),
        "svm": lambda: Task(
            lambda hparams: models.kernel_svm(
                num_classes=3, kernel=kernels.rbf(gamma=hparams.gamma), C=hparams.C
            ),
            Grid(C=sweep.log(0.01, 100, 8), gamma=sweep.log(0.01, 100, 8)), data.load("wine"),
            {"num_steps": 1},
        ),
    }  # fmt: skip


def seconds(task: Task, lanes: int | None) -> tuple[float, int]:
    """Of the whole sweep, and its lanes."""
    begun = time.perf_counter()
    plan = sweep.plan(task.make, task.grid, task.rows, lanes=lanes, seeds=task.seeds, **task.run)
    sweep.run(plan)
    return time.perf_counter() - begun, plan.parts[0].program.lanes


def apart(name: str, lanes: int | None, most: float | None = None) -> tuple[float, int]:
    """The same in a process of its own; infinity where it takes longer than ``most`` seconds."""
    command = [sys.executable, "-m", "experiments.benchmarks.sweep_modes", f"{name}:{lanes or ''}"]
    try:
        found = subprocess.run(command, check=True, timeout=most, capture_output=True, text=True)  # noqa: S603
    except subprocess.TimeoutExpired:
        return math.inf, lanes or 0
    taken, chosen = found.stdout.split()
    return float(taken), int(chosen)


def compare(name: str, task: Task) -> None:
    """Prints a task's line."""
    measured, lanes = apart(name, None)
    print(f"{name:10} {measured:6.1f} s, {lanes:3} lanes   ", end="", flush=True)
    best, most = math.inf, HOPELESS * measured + SETTING_UP
    for width in sorted({min(lanes, len(task.grid)) for lanes in FIXED}):
        found, _ = apart(name, width, most)
        best = min(best, found)
        print(f"{width}: {f'{found:.1f}' if found < most else f'over {most:.0f}'}  ", end="", flush=True)
    print(f" ratio {measured / best:.2f}", flush=True)


def main(words: list[str]) -> None:
    """Prints a line a task; ``NAME:LANES`` prints the seconds and lanes of that one, in this process."""
    known = tasks()
    for word in words:
        choice("task", word.partition(":")[0], known)
    if words and ":" in words[0]:
        name, _, lanes = words[0].partition(":")
        print(*seconds(known[name](), int(lanes) if lanes else None))
        return
    print(f"{'task':10} {'measured':>16}   fixed: seconds by lanes", flush=True)
    for name in words or known:
        compare(name, known[name]())


if __name__ == "__main__":
    main(sys.argv[1:])
