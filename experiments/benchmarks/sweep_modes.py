"""Lanes chosen by measurement against each fixed number of lanes, on six kinds of grid.

    python -m experiments.benchmarks.sweep_modes [NAME ...]

Prints the seconds of a whole sweep (planning, compiling, training) with the lanes that were measured, and
with each fixed number of them; the ratio is of the measured to the best fixed one. The persistent compilation
cache is off, so that each pays for what it compiles.
"""

from __future__ import annotations

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
            network(models.LeNet(10)), rates(8), digits(), {"num_steps": 50, "batch_size": 100}
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
    jax.clear_caches()
    begun = time.perf_counter()
    plan = sweep.plan(task.make, task.grid, task.rows, lanes=lanes, seeds=task.seeds, **task.run)
    sweep.run(plan)
    return time.perf_counter() - begun, plan.parts[0].program.lanes


def main(names: list[str]) -> None:
    """Prints a line a task."""
    known = tasks()
    for name in names:
        choice("task", name, known)
    print(f"{'task':10} {'measured':>16}   fixed: seconds by lanes", flush=True)
    for name in names or known:
        task = known[name]()
        widths = sorted({min(lanes, len(task.grid)) for lanes in FIXED})
        measured, lanes = seconds(task, None)
        print(f"{name:10} {measured:6.1f} s, {lanes:3} lanes   ", end="", flush=True)
        fixed = {}
        for width in widths:
            fixed[width] = seconds(task, width)[0]
            print(f"{width}: {fixed[width]:.1f}  ", end="", flush=True)
        print(f" ratio {measured / min(fixed.values()):.2f}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
