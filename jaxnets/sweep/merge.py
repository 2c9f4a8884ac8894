"""Folders of one sweep, from hosts that have no folder in common, are joined into one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxnets.check import InputError
from jaxnets.sweep import records
from jaxnets.sweep.records import Arrays
from jaxnets.sweep.store import Store, differences, folder_of, manifest_in


class Merged(NamedTuple):
    """What a joined folder holds.

    Attributes:
        num_cells: that are finished.
        num_missing: that are not: ``resume=True`` trains them.
        damaged: files that were not taken, with what is wrong with each.
    """

    num_cells: int
    num_missing: int
    damaged: list[str]


def merge(folders: Sequence[str | Path], out: str | Path) -> Merged:
    """Copies the finished chunks of folders of the same sweep into one, each checked by its SHA-256.

    Damaged chunks are left out and named. The folder is then resumed with the same plan, which trains what is
    missing and gives the whole table. What ``out`` holds of the sweep already is kept.

    Raises:
        InputError: a folder holds no sweep or another one (the difference is named), two folders have
            different numbers for a chunk, or ``out`` cannot be written to.

    Example:
        >>> import optax, tempfile
        >>> from jaxnets import data, gradient, losses, models, sweep
        >>> def learner(hparams):
        ...     return gradient(models.MLP((8,), 3), losses.softmax_cross_entropy, optax.adam(hparams.rate))
        >>> options = {"num_steps": 20, "lanes": 1, "chunk_size": 1}
        >>> ready = sweep.plan(learner, sweep.Grid(rate=[0.01, 0.1]), data.load("iris"), **options)
        >>> folder = tempfile.TemporaryDirectory()
        >>> hosts = [f"{folder.name}/{index}" for index in range(2)]
        >>> [len(sweep.run(ready, host, host=(index, 2))) for index, host in enumerate(hosts)]
        [1, 1]
        >>> merge(hosts, f"{folder.name}/all")
        Merged(num_cells=2, num_missing=0, damaged=[])
        >>> sweep.run(ready, f"{folder.name}/all", resume=True).best("loss").point
        {'rate': 0.1}
        >>> folder.cleanup()
    """
    if isinstance(folders, (str, Path)) or not hasattr(folders, "__iter__") or not folders:
        raise InputError(f"folders = {folders!r}, allowed is a list of one or more")
    sources = [folder_of(folder, "folders") for folder in folders]
    manifest = _manifest_of(sources[0])
    for folder in sources[1:]:
        different = differences(manifest, _manifest_of(folder))
        if different:
            raise InputError(f"{folder}: another sweep than in {sources[0]}: {'; '.join(different)}")
    with Store(out, manifest, resume=True) as store:
        for path in [path for folder in sources for path in _chunks_in(folder)]:
            _take(store, path)
        return _found(store)


def _manifest_of(folder: Path) -> dict[str, Any]:
    manifest = manifest_in(folder)
    kinds = {"sweep": str, "points": list, "seeds": list}
    if not all(isinstance(manifest.get(name), kind) for name, kind in kinds.items()):
        raise InputError(f"{folder}: holds no sweep")
    for way in {"halving", "population"} & set(manifest):
        raise InputError(f"{folder}: a sweep by {way}, whose chunks need each other")
    return manifest


def _chunks_in(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / "chunks").glob("*.chunk") if path.stem.isdecimal())


def _take(store: Store, path: Path) -> None:
    """Copies a chunk that is whole; what is there already has to be the same."""
    number = int(path.stem)
    try:
        arrays = records.read(path, {"chunk": number, "sweep": store.manifest["sweep"]})
    except InputError as refusal:
        store.blame(f"{path.parent.parent}: {refusal}")
        return
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    if not _are_cells(arrays, _num_cells(store)):
        store.blame(f"{path.parent.parent}: {path.name}: not the arrays of cells")
        return
    there = store.finished(number)
    if there is None:
        store.finish(number, arrays)
    elif not _are_same(arrays, there):
        raise InputError(f"{path}: other numbers than in {store.folder}, which has this chunk already")


def _are_cells(arrays: Arrays, num_cells: int) -> bool:
    """Whether these are some cells of the sweep; which they have to be, the plan knows, not the manifest."""
    cells = arrays.get("cell", np.zeros(0))
    is_whole = cells.dtype.kind == "i" and len(np.unique(cells)) == cells.size > 0
    lengths = {array.shape[:1] for array in arrays.values()}
    return is_whole and lengths == {cells.shape} and bool(((cells >= 0) & (cells < num_cells)).all())


def _are_same(one: Arrays, other: Arrays) -> bool:
    """Whether arrays agree in every bit."""
    mine, theirs = (
        {name: (array.dtype, array.shape, array.tobytes()) for name, array in arrays.items()}
        for arrays in (one, other)
    )
    return mine == theirs


def _num_cells(store: Store) -> int:
    return len(store.manifest["points"]) * len(store.manifest["seeds"])


def _found(store: Store) -> Merged:
    """What there is in the end."""
    num_cells, found = _num_cells(store), set()
    for path in _chunks_in(store.folder):
        arrays = store.finished(int(path.stem))
        if arrays is not None and _are_cells(arrays, num_cells):
            found.update(arrays["cell"].tolist())
    return Merged(len(found), num_cells - len(found), store.damaged)
