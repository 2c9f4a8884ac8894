"""Decoded arrays kept in one ``.npz`` file that carries its own SHA-256; no pickle is ever read or written.

A file appears whole or not at all: it is written under another name, synced, renamed. One that does not
match its hash counts as absent, and is built again.
"""

from __future__ import annotations

import os
import stat
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from jaxnets.data import npz
from jaxnets.data.fingerprint import digest
from jaxnets.data.npz import Arrays

WRITABLE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH


def user_folder() -> Path:
    """The user's cache folder: ``$XDG_CACHE_HOME/jaxnets``, or ``~/.cache/jaxnets``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "jaxnets"


def cached(key: str, folders: Sequence[Path], build: Callable[[], Arrays]) -> Arrays:
    """The arrays stored under ``key``, or those that ``build`` makes, which are then stored.

    Args:
        key: names the content: another content needs another key.
        folders: where to look, and to write: the first that can be written gets the file. Where
            none can, the arrays are built each time.
        build: makes the arrays.
    """
    paths = [folder / f"jaxnets-{key}.npz" for folder in folders]
    for path in paths:
        if (stored := read(path)) is not None:
            return stored
    arrays = build()
    for path in paths:
        try:
            write(path, arrays)
            break
        except OSError:
            continue
    return arrays


def read(path: Path) -> Arrays | None:
    """The arrays of a file; None where it is absent, cut short, or does not match its SHA-256."""
    try:
        arrays = npz.read(path, npz.names(path))
        stored = str(arrays.pop("sha256"))
        return _unpack(arrays) if stored == digest(arrays) else None
    except Exception:  # whatever is wrong with it, the arrays can be built again
        return None


def write(path: Path, arrays: Arrays) -> None:
    """Writes arrays and their SHA-256, whole or not at all, for this user alone.

    Raises:
        OSError: the folder cannot be written, or is full; nothing is left behind.
    """
    packed = _pack(arrays)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.parent.stat().st_mode & WRITABLE:  # the administrator's account could write it all the same
        raise PermissionError(f"{path.parent} is read-only")
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with open(temporary, "xb", opener=partial(os.open, mode=0o600)) as file:
            np.savez(file, allow_pickle=False, **packed, sha256=np.array(digest(packed)))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _pack(arrays: Arrays) -> Arrays:
    """Texts become one run of UTF-8 bytes and the length of each: NumPy can store them only by pickle."""
    packed = {}
    for name, array in arrays.items():
        if array.dtype.kind != "T":
            packed[name] = array
            continue
        texts = [text.encode() for text in array]
        packed[f"{name}:utf8"] = np.frombuffer(b"".join(texts), np.uint8)
        packed[f"{name}:lengths"] = np.array([len(text) for text in texts], np.int64)
    return packed


def _unpack(packed: Arrays) -> Arrays:
    arrays = {name: array for name, array in packed.items() if ":" not in name}
    for name in (name.removesuffix(":utf8") for name in packed if name.endswith(":utf8")):
        run = packed[f"{name}:utf8"].tobytes()
        ends = np.cumsum(packed[f"{name}:lengths"])
        texts = [
            run[end - size : end].decode() for end, size in zip(ends, packed[f"{name}:lengths"], strict=True)
        ]
        arrays[name] = np.array(texts, np.dtypes.StringDType())
    return arrays
