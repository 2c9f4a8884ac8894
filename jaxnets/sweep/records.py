"""Files of arrays that carry their own SHA-256: whole or not there, checked before a byte is believed.

A file is a line ``jaxnets-record 1 <sha256> <bytes of the header>``, a header in JSON (what the file is, and
the name, dtype and shape of each array) and the arrays' bytes one after another. The hash is that of all
after the first line. Nothing is ever unpickled.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import stat
import time
from pathlib import Path
from typing import IO, Any

import ml_dtypes
import numpy as np

from jaxnets.check import InputError

MAGIC = "jaxnets-record 1"
MOST_FIRST = 128
"""Bytes of the first line, at most."""
MOST_HEADER = 2**24
MOST_AXES = 32
KINDS = frozenset("biufc")
"""Kinds of dtype that are read: truths, integers, floats, complex numbers."""
NARROW = frozenset(
    np.dtype(kind).name
    for kind in vars(ml_dtypes).values()
    if isinstance(kind, type) and issubclass(kind, np.generic)
)
"""Dtypes beyond NumPy's own that are read too; they are written by these names."""

Arrays = dict[str, np.ndarray]


def write(path: Path, about: dict[str, Any], arrays: Arrays) -> None:
    """Writes a record whole or not at all: under another name, synced, renamed, the folder synced.

    Args:
        about: what the file is, in JSON's types.
        arrays: of truths or numbers, by name.

    Raises:
        InputError: an array of anything else, which could not be read again.
    """
    host = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    layout = [[name, _word(name, array.dtype), list(array.shape)] for name, array in host.items()]
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
    with _opened(path) as file:
        digest, length = _announced(path, file)
        body = file.read()
    if hashlib.sha256(body).hexdigest() != digest:
        raise InputError(f"{path.name}: damaged, its SHA-256 does not match")
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


def content_of(path: Path) -> bytes:
    """The bytes of a file; what is none (a link, a pipe, a device, a folder) is not read.

    Raises:
        InputError: it is none.
        OSError: it cannot be read.
    """
    with _opened(path) as file:
        return file.read()


def _opened(path: Path) -> IO[bytes]:
    """A plain file, for reading; nothing else is waited for or followed."""
    flags = os.O_RDONLY
    for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"):  # as far as the system has them
        flags |= getattr(os, name, 0)
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EMLINK, errno.ENXIO):  # a link, a socket
            raise InputError(f"{path.name}: damaged, no plain file") from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise InputError(f"{path.name}: damaged, no plain file")
    return os.fdopen(descriptor, "rb")


def _announced(path: Path, file: IO[bytes]) -> tuple[str, int]:
    """The SHA-256 and the bytes of the header, by the first line; all else is read only if that is one."""
    first = file.readline(MOST_FIRST)
    words = first.decode("ascii", "replace").removesuffix("\n").split(" ")
    is_first = first.endswith(b"\n") and len(words) == 4 and " ".join(words[:2]) == MAGIC
    if not is_first or not words[3].isdecimal() or len(words[3]) > 12:
        raise InputError(f"{path.name}: no whole record of jaxnets")
    return words[2], int(words[3])


def _arrays(path: Path, layout: list[tuple[str, np.dtype, tuple[int, ...]]], payload: bytes) -> Arrays:
    sizes = [kind.itemsize * math.prod(shape) for _, kind, shape in layout]
    is_sound = all(_is_read(kind) and _is_shape(shape) for _, kind, shape in layout)
    if not is_sound or sum(sizes) != len(payload):
        raise InputError(f"{path.name}: arrays of {sum(sizes)} bytes, the file has {len(payload)}")
    starts = np.cumsum([0, *sizes])
    return {
        name: np.frombuffer(payload[start : start + size], kind).reshape(shape)
        for (name, kind, shape), start, size in zip(layout, starts, sizes, strict=False)
    }


def _is_shape(shape: tuple[int, ...]) -> bool:
    return len(shape) <= MOST_AXES and all(0 <= size < 2**31 for size in shape)


def _word(name: str, kind: np.dtype) -> str:
    """How a dtype is written."""
    if not _is_read(kind):
        raise InputError(f"{name}: {kind} arrays, allowed are truths and numbers")
    return kind.name if kind.name in NARROW else kind.str


def _is_read(kind: np.dtype) -> bool:
    return kind.kind in KINDS or kind.name in NARROW


def _sync(folder: Path) -> None:
    """Makes a rename outlast a loss of power, where folders can be synced."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
