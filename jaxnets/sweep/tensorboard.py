"""A sweep for TensorBoard: a run a cell, with its histories, its hyperparameters and its final numbers."""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from jaxnets.check import InputError
from jaxnets.sweep import events, records
from jaxnets.sweep.results import SweepResult

FILE = "events.out.tfevents.0.jaxnets"
"""The file in each run's folder; by ``tfevents`` in its name TensorBoard finds it."""
UNRANKED = ("diverged", "stopped")
MOST_LETTERS = 64


def write_tensorboard(path: str | Path, result: SweepResult) -> None:
    """Writes a folder for ``tensorboard --logdir``, whole or not at all.

    Each cell is a run (a sub-folder): every metric of its history at its steps, without the entries that are
    NaN, and ``final/...``, the table's numbers. Its hyperparameters, with seed and status, are in the HParams
    tab. A cell that diverged has failed there; it and one that was stopped early have no final numbers, so
    that none is ranked among those that made all steps. Seeds are not grouped: TensorBoard would average over
    those that diverged as well.

    Args:
        path: a new or an empty folder, or one of an earlier export, which is replaced.

    Raises:
        InputError: the folder holds other files or cannot be written, or tensorboardX is missing.

    Example:
        >>> import optax, tempfile
        >>> from jaxnets import data, gradient, losses, models, sweep
        >>> def learner(hparams):
        ...     return gradient(models.MLP((8,), 3), losses.softmax_cross_entropy, optax.adam(hparams.rate))
        >>> grid = sweep.Grid(rate=[0.01, 0.1])
        >>> done = sweep.run(sweep.plan(learner, grid, data.load("iris"), num_steps=20, lanes=2))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_tensorboard(folder, done)
        ...     sorted(run.name for run in Path(folder).iterdir() if run.is_dir())
        ['000000-rate-0.01-seed-0', '000001-rate-0.1-seed-0']
    """
    try:
        import tensorboardX  # noqa: F401
    except ImportError:
        raise InputError("tensorboardX is missing: pip install 'jaxnets[tensorboard]'") from None
    folder = Path(os.path.abspath(path))
    try:
        _refuse_what_is_not_ours(folder)
        _write(folder, result)
    except (OSError, ValueError) as error:  # the latter: a name with a zero byte
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: {getattr(error, 'strerror', None) or error}") from None


def run_name(result: SweepResult, cell: int) -> str:
    """A cell's folder: its number, and its values as far as 64 letters go."""
    values = {name: result.columns[name][cell] for name in (*result.names, "seed")}
    words = "".join(f"-{name}-{_word(value)}" for name, value in values.items())
    return re.sub(r"[^A-Za-z0-9._-]+", "_", f"{cell:06}{words}")[:MOST_LETTERS]


def _word(value: Any) -> str:
    if isinstance(value, tuple):
        return "x".join(map(_word, value))
    return f"{value:.6g}" if isinstance(value, (float, np.floating)) else str(value)


def _refuse_what_is_not_ours(folder: Path) -> None:
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise InputError(f"{folder}: a link or a file, allowed is a folder")
    walk = os.walk(folder, onerror=_raised) if folder.exists() else ()
    found = [Path(path, name) for path, folders, files in walk for name in folders + files]
    others = [path for path in found if path.is_symlink() or (path.name != FILE and not path.is_dir())]
    if others:
        name = others[0].name
        raise InputError(f"{folder}: holds other files ({name}), a new or an empty folder is needed")


def _raised(error: OSError) -> None:
    raise error


def _write(folder: Path, result: SweepResult) -> None:
    """All runs beside the folder, then at once in its place."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as temporary:
        whole = Path(temporary) / "new"
        for run, content in _runs(result):
            (whole / run).mkdir(mode=0o700)
            records.replace(whole / run / FILE, content)
        _put(whole, folder, old=Path(temporary) / "old")


def _put(whole: Path, folder: Path, *, old: Path) -> None:
    """Puts a folder in the place of another, which stays where that fails."""
    if folder.exists():
        folder.rename(old)
    try:
        whole.rename(folder)
    except OSError:
        if old.exists():
            old.rename(folder)
        raise


def _runs(result: SweepResult) -> Iterator[tuple[str, bytes]]:
    """Names of folders with their files; what all cells have in common is in the folder of all."""
    now, kinds = time.time(), _kinds(result)
    final = {f"final/{name}": name for name in result.metrics}
    yield ".", events.file_of(now, [(0, [events.experiment(kinds, final)])])
    for cell in range(len(result)):
        status, kept = result.columns["status"][cell], int(result.columns["step"][cell])
        hparams = {name: _as(kind, result.columns[name][cell]) for name, kind in kinds.items()}
        steps = result.steps[cell]
        entries = [
            (step, events.scalars({name: values[cell, place] for name, values in result.history.items()}))
            for place, step in enumerate(steps[np.isfinite(steps)].astype(int).tolist())
        ]
        numbers = {} if status in UNRANKED else {tag: result.columns[final[tag]][cell] for tag in final}
        first = [(0, [events.session_start(hparams)])]
        last = [*events.scalars(numbers), events.session_end(has_failed=status == "diverged")]
        yield run_name(result, cell), events.file_of(now, [*first, *entries, (kept, last)])


def _kinds(result: SweepResult) -> dict[str, type]:
    """Of each name, how all its values are written: numbers, truths, and all else as text."""
    columns = {name: result.columns[name] for name in (*result.names, "seed", "status")}
    truths = {
        name for name, column in columns.items() if all(isinstance(one, bool) for one in column.tolist())
    }
    return {
        name: float if column.dtype.kind in "iuf" else bool if name in truths else str
        for name, column in columns.items()
    }


def _as(kind: type, value: Any) -> float | bool | str:
    return _word(value) if kind is str else kind(value)
