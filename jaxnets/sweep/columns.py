"""Names of what a run is measured by, before it is compiled: none may stand in another column's place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from jaxnets import train
from jaxnets.check import InputError
from jaxnets.data.dataset import Dataset
from jaxnets.learner import Learner
from jaxnets.sweep import trial as trials
from jaxnets.sweep.grid import RESERVED
from jaxnets.sweep.trial import Trial


def refuse_names(trial: Trial, settings: Any, hparams: Any, dataset: Dataset, names: Sequence[str]) -> None:
    """Refuses metrics of a step, or of rows, that have the name of another column.

    Args:
        settings: complete.
        hparams: of any cells.
        names: of the grid.

    Raises:
        InputError: one is a name of the grid's or the table's, or is measured by the sweep itself.
    """
    one = type(hparams)(*(column[0] for column in hparams))
    found: list[dict] = []
    with trials.explained(trial):
        jax.eval_shape(lambda *given: found.extend(_measured(trial, settings, *given)), one, dataset)
    of_step, of_rows = found
    splits = [name for name in ("valid", "test") if dataset.splits.get(name) is not None]
    measured = {f"{split}_{name}" for split in splits for name in of_rows}
    taken = {*names, *RESERVED}
    twice = (measured & taken) | ({*of_step} & (measured | taken))
    if twice:
        raise InputError(f"{trial.name}: a metric {min(twice)!r}, which is a column already; rename it")


def _measured(trial: Trial, settings: Any, hparams: Any, dataset: Dataset) -> tuple[dict, dict]:
    """What a step returns, and what is measured of rows, whatever it is."""
    learner = trial.learner(hparams, settings)
    if not isinstance(learner, Learner):  # which is refused where it is compiled, as are metrics in no dict
        return {}, {}
    key, rows = jax.random.key(0), dataset.train
    size = getattr(settings, "batch_size", None) or trials.num_rows(dataset)
    batch = jax.tree.map(lambda leaf: leaf[np.arange(size) % len(leaf)], rows)
    state = learner.init(key, rows)
    _, of_step = learner.step(key, state, batch)
    of_rows = {}
    if trial.metrics is not None:
        of_rows = trial.metrics(train.predict(learner, state, rows.inputs), rows.targets)
    return tuple(found if isinstance(found, dict) else {} for found in (of_step, of_rows))
