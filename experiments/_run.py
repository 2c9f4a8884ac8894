"""Trains one row of an experiment's table over its seeds: compiled once, called once a seed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments._contract import Experiment
from jaxnets import status, train
from jaxnets.check import InputError
from jaxnets.data import Dataset
from jaxnets.learner import Learner
from jaxnets.sweep import trial
from jaxnets.train import Run

LONG_FIT = 30.0
"""Seconds; where a fit takes longer, one seed is enough by default."""


class Result(NamedTuple):
    """A row of the table: one pair of hyperparameters and settings, trained with several seeds."""

    name: str
    hparams: Any
    settings: Any
    num_rows: int
    learner: Learner
    runs: list[Run]
    metrics: dict[str, np.ndarray]
    seconds_to_fit: np.ndarray
    seconds_to_compile: float

    @property
    def statuses(self) -> list[str]:
        """How each seed ended, with the step where it diverged."""
        words = []
        for run in self.runs:
            name = status.NAMES[int(run.status.code)]
            words.append(f"{name} at step {int(run.status.step)}" if name == "diverged" else name)
        return words

    @property
    def steps(self) -> np.ndarray:
        """At which steps the history has entries, in the run that came farthest."""
        return max(self.histories("step"), key=len)

    def histories(self, name: str) -> list[np.ndarray]:
        """The history of one metric, an array a seed; empty where no step was made."""
        return [run.history[name] if run.history else np.zeros(0) for run in self.runs]


class Refusal(NamedTuple):
    """A row that cannot be trained on this data, and why."""

    name: str
    reason: str


class Program(NamedTuple):
    """A compiled training: its beginning, and the functions that make the steps, one after another."""

    begin: Callable[[jax.Array], Run]
    advances: list[Callable[[jax.Array, Run], Run]]
    seconds_to_compile: float


def train_row(
    experiment: Experiment,
    name: str,
    hparams: Any,
    settings: Any,
    *,
    seeds: int | None,
    report: Callable[[str, float, dict], None],
) -> Result | Refusal:
    """Trains and evaluates one row; a learner that does not fit the data gives a refusal.

    Args:
        seeds: how many (0, 1, ...); None for three, or one where a fit takes over ``LONG_FIT`` seconds.
        report: called between segments with what is being done, the share done and the last metrics.
    """
    report(f"{name}: reading data", 0.0, {})
    dataset = experiment.data(settings)
    settings = trial.complete(settings, dataset)
    report(f"{name}: compiling", 0.0, {})
    try:
        learner = experiment.learner(hparams, settings)
        program = compile_program(experiment, hparams, settings, dataset)
    except InputError as refusal:
        return Refusal(name, str(refusal))
    runs, seconds, metrics = [], [], []
    for seed, wanted in enumerate(_seeds(seeds, seconds)):
        begun = time.perf_counter()
        runs.append(_train(program, jax.random.key(seed), lambda *news: report(f"{name} {wanted}", *news)))  # noqa: B023
        seconds.append(time.perf_counter() - begun)
        metrics.append(experiment.evaluate(learner, runs[-1].state, dataset))
    columns = {key: np.array([float(row[key]) for row in metrics]) for key in metrics[0]}
    return Result(
        name, hparams, settings, trial.num_rows(dataset), learner, runs, columns,
        seconds_to_fit=np.array(seconds), seconds_to_compile=program.seconds_to_compile,
    )  # fmt: skip


def compile_program(experiment: Experiment, hparams: Any, settings: Any, dataset: Dataset) -> Program:
    """Compiles the initial state and one segment; hyperparameters and rows are arguments, not constants."""
    begun = time.perf_counter()
    arguments = trial.run_settings(settings)
    num_steps = arguments.pop("num_steps")
    interval = arguments.setdefault("evaluate_every", None) or max(1, num_steps // 20)
    hparams = jax.tree.map(jnp.asarray, hparams)
    dataset = jax.tree.map(jnp.asarray, dataset)

    def run(key: jax.Array, hparams: Any, dataset: Dataset, num_steps: int, state: Run | None = None) -> Run:
        learner = experiment.learner(hparams, settings)
        return train.run(
            key, learner, dataset, num_steps=num_steps, metrics=experiment.metrics, state=state, **arguments
        )

    compiled = jax.jit(run, static_argnums=3, donate_argnums=4)
    key = jax.random.key(0)
    begin = compiled.lower(key, hparams, dataset, 0).compile()
    start = jax.eval_shape(lambda: run(key, hparams, dataset, 0))
    whole, rest = divmod(num_steps, interval)
    lengths = [interval] * whole + [rest] * bool(rest)
    steps = {
        length: compiled.lower(key, hparams, dataset, length, start).compile() for length in set(lengths)
    }
    advances = [partial(_advance, steps[length], hparams, dataset) for length in lengths]
    return Program(lambda key: begin(key, hparams, dataset), advances, time.perf_counter() - begun)


def _advance(step: Callable, hparams: Any, dataset: Dataset, key: jax.Array, run: Run) -> Run:
    return step(key, hparams, dataset, run)


def _train(program: Program, key: jax.Array, report: Callable[[float, dict], None]) -> Run:
    run, histories = program.begin(key), []
    for number, advance in enumerate(program.advances, start=1):
        run = advance(key, run._replace(history={}))
        histories.append(jax.device_get(run.history))
        report(number / len(program.advances), {name: value[-1] for name, value in histories[-1].items()})
        if int(run.status.code) != status.OK:
            break
    history = jax.tree.map(lambda *parts: np.concatenate(parts), *histories) if histories else {}
    return jax.block_until_ready(run._replace(history=history))


def _seeds(wanted: int | None, seconds: list[float]) -> Iterator[str]:
    """Words for each seed in turn; by default three, unless the first took long."""
    for number in range(wanted or 3):
        if wanted is None and seconds and seconds[0] > LONG_FIT:
            return
        yield f"(seed {number + 1} of {wanted or 3})"
