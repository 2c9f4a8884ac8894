"""Whether a step on repeated rows is the step on the rows: else sizes of a batch cannot share a program.

Batches of several sizes stand in one array, each repeated to the sizes' least common multiple. Means over
rows are the same then; sums grow, and what is random in each row (dropout) is drawn for every repeated one.
"""

from __future__ import annotations

from functools import partial
from operator import itemgetter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets import check
from jaxnets.check import InputError
from jaxnets.data.dataset import Dataset
from jaxnets.learner import Learner
from jaxnets.sweep import trial as trials
from jaxnets.sweep.trial import Trial
from jaxnets.types import Array, Batch, PyTree

TOLERANCE = 1e-3
"""Two steps are one if their changes differ at most by so much of the largest change of a leaf."""
ROUNDING = 8
"""Beside that, numbers may differ by so many units in their last place."""


def refuse_repeats(trial: Trial, settings: Any, hparams: Any, dataset: Dataset) -> None:
    """Refuses a learner whose step on repeated rows is another one.

    One step from the initial state is made on as many rows as the smallest size has, and on these repeated;
    with the hyperparameters of the cells that have the least and the largest of each.

    Args:
        settings: of the program, with the rows of its batches.
        hparams: of the cells, their sizes among them.

    Raises:
        InputError: the states or the metrics of the two differ.
    """
    size = int(np.min(hparams.batch_size))
    if size == settings.batch_size:
        return
    cells = sorted({int(place(column)) for column in hparams for place in (np.argmin, np.argmax)})
    some = type(hparams)(*(column[cells] for column in hparams))
    some = some._replace(batch_size=np.full_like(some.batch_size, size))
    with trials.explained(trial):
        before, *ends = jax.jit(partial(_steps, trial, settings, size))(some, dataset)
    what = next((name for name in before if not _are_alike(before[name], *(end[name] for end in ends))), None)
    if what:
        raise InputError(
            f"batch_size is traced, but a step of {trial.name} on {size} rows that are repeated to "
            f"{settings.batch_size} has another {what} (a sum over rows, dropout?); allowed are means, or "
            "batch_size among the settings, which has a program for each size"
        )


def _steps(trial: Trial, settings: Any, size: int, hparams: Any, dataset: Dataset) -> tuple[PyTree, ...]:
    """Of each cell: the first state, and what one step makes of it on rows and on these repeated."""
    rows = np.arange(size) * trials.num_rows(dataset) // size
    own = settings._replace(batch_size=size)

    def of_cell(hparams: Any) -> tuple[PyTree, ...]:
        state = jax.tree.map(jnp.asarray, trial.learner(hparams, own).init(jax.random.key(0), dataset.train))
        ends = [
            _step(trial.learner(hparams, given), state, jax.tree.map(itemgetter(taken), dataset.train))
            for given, taken in ((own, rows), (settings, np.resize(rows, settings.batch_size)))
        ]
        return {"state": state} | {name: 0.0 for name in ends[0] if name != "state"}, *ends

    return jax.lax.map(of_cell, hparams)


def _step(learner: Learner, state: PyTree, batch: Batch) -> dict[str, PyTree]:
    new, metrics = learner.step(jax.random.key(1), state, batch)
    check.same_state(state, new)
    return {"state": new} | {f"metric {name!r}": value for name, value in metrics.items()}


def _are_alike(before: PyTree, one: PyTree, other: PyTree) -> bool:
    """Whether the floats of two states, or two metrics, are the same but for rounding."""
    return all(map(_is_alike, *map(jax.tree.leaves, (before, one, other))))


def _is_alike(before: Array, one: Array, other: Array) -> bool:
    if not jnp.issubdtype(one.dtype, jnp.floating):
        return True
    old, new, again = (np.asarray(leaf, np.float64) for leaf in (before, one, other))
    largest, changed = (np.nan_to_num(np.abs(leaf), posinf=0).max(initial=0) for leaf in (new, new - old))
    allowed = TOLERANCE * changed + ROUNDING * float(jnp.finfo(one.dtype).eps) * largest
    return np.allclose(new, again, rtol=0, atol=allowed, equal_nan=True)
