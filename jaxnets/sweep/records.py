"""Files of arrays that carry their own SHA-256: whole or not there, checked before a byte is believed.

A file is a line ``jaxnets-record 1 <sha256> <bytes of the header>``, a header in JSON (what the file is, and
the name, dtype and shape of each array) and the arrays' bytes one after another. The hash is that of all
after the first line. Nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from jaxnets.check import InputError

MAGIC = "jaxnets-record 1"
MOST_HEADER = 2**24
KINDS = frozenset("biuf")
"""Kinds of dtype that are read: truths, integers, floats."""

Arrays = dict[str, np.ndarray]


def write(path: Path, about: dict[str, Any], arrays: Arrays) -> None:
    """Writes a record whole or not at all: under another name, synced, renamed, the folder synced.

    Args:
        about: what the file is, in JSON's types.
        arrays: of truths, integers or floats, by name.
    """
    host = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    layout = [[name, array.dtype.str, list(array.shape)] for name, array in host.items()]
    header = json.dumps({"about": about, "arrays": layout}).encode()
    body = b"".join([header, *(array.tobytes() for array in host.values())])
    first = f"{MAGIC} {hashlib.sha256(body).hexdigest()} {len(header)}\n"
    replace(path, first.encode() + body)


def replace(path: Path, content: bytes) -> None:
    """Puts a file in its place at once; what stood there is lost only when the new one is safe."""
    # The time is among the letters: machines that share a folder may have equal numbers of processes.
    mine = f"{os.getpid()}{time.monotonic_ns()}"
    temporary = path.with_name(f".{path.name}.{mine}")
    try:
        descriptor = os.open(
            temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600
        )
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync(path.parent)


def read(path: Path, about: dict[str, Any]) -> Arrays:
    """The arrays of a record.

    Args:
        about: what the file has to be; a sound file that is another one is refused.

    Raises:
        InputError: not a whole record, or one about something else.
        OSError: it cannot be read.
    """
    content = path.read_bytes()
    first, newline, body = content.partition(b"\n")
    words = first.decode("ascii", "replace").split(" ")
    if (
        not newline
        or " ".join(words[:2]) != MAGIC
        or len(words) != 4
        or not words[3].isdecimal()
        or len(words[3]) > 12
    ):
        raise InputError(f"{path.name}: no whole record of jaxnets")
    if hashlib.sha256(body).hexdigest() != words[2]:
        raise InputError(f"{path.name}: damaged, its SHA-256 does not match")
    length = int(words[3])
    if length > min(MOST_HEADER, len(body)):
        raise InputError(f"{path.name}: a header of {length} bytes, the file has {len(body)}")
    try:
        header = json.loads(body[:length])
        layout = [
            (str(name), np.dtype(kind), tuple(map(int, shape))) for name, kind, shape in header["arrays"]
        ]
        found = header["about"]
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError):
        raise InputError(f"{path.name}: a header that cannot be read") from None
    if found != about:
        raise InputError(f"{path.name}: it is about {found}, wanted is {about}")
    return _arrays(path, layout, body[length:])


def _arrays(path: Path, layout: list[tuple[str, np.dtype, tuple[int, ...]]], payload: bytes) -> Arrays:
    sizes = [kind.itemsize * math.prod(shape) for _, kind, shape in layout]
    is_sound = all(kind.kind in KINDS and min(shape, default=0) >= 0 for _, kind, shape in layout)
    if not is_sound or sum(sizes) != len(payload):
        raise InputError(f"{path.name}: arrays of {sum(sizes)} bytes, the file has {len(payload)}")
    starts = np.cumsum([0, *sizes])
    return {
        name: np.frombuffer(payload[start : start + size], kind).reshape(shape)
        for (name, kind, shape), start, size in zip(layout, starts, sizes, strict=False)
    }


def _sync(folder: Path) -> None:
    """Makes a rename outlast a loss of power, where folders can be synced."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
