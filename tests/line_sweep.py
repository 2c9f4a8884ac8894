"""The smallest sweep there is, for tests that stop, damage and refuse it: planned and run once."""

import functools
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxnets import sweep
from jaxnets.data import Dataset
from jaxnets.learner import Learner
from jaxnets.sweep import Grid
from jaxnets.sweep.trial import Trial
from jaxnets.types import Batch

ROWS = Batch(np.arange(12.0, dtype=np.float32).reshape(6, 2), np.arange(6) % 2)


class Hparams(NamedTuple):
    rate: float = 0.1


class Settings(NamedTuple):
    num_steps: int = 4
    evaluate_every: int = 1


def line(hparams, settings):
    """The smallest learner there is: the mean of its rows, a bit nearer with each step."""

    def step(key, state, batch):
        mean = batch.inputs.mean() + jnp.asarray(batch.targets, jnp.float32).mean()
        return state + hparams.rate * (mean - state), {"loss": (mean - state) ** 2}

    return Learner(lambda key, batch: jnp.zeros(()), step, lambda state, inputs: inputs * state)


def rows(settings):
    return Dataset(ROWS)


TRIAL = Trial("line", line, Hparams(), Settings(), rows)
GRID = Grid(rate=[0.1, 0.2, 0.3, 0.4, 0.5])


def planned(trial=TRIAL, **options):
    return sweep.plan(trial, GRID, **({"lanes": 1, "chunk_size": 1} | options))


@functools.cache
def five():
    """Five cells in five chunks."""
    return planned()


@functools.cache
def whole():
    return sweep.run(five())


def two_hundred():
    """Cells of 40 steps and two entries, in 20 chunks."""
    trial = TRIAL._replace(settings=Settings(num_steps=40, evaluate_every=20))
    return sweep.plan(trial, Grid(rate=sweep.lin(0.001, 0.1, 100)), seeds=2, lanes=2, chunk_size=10)


def bits(result):
    """All numbers of a table."""
    return b"".join(column.tobytes() for column in result.columns.values() if column.dtype != object).hex()
