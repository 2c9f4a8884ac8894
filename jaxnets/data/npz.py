"""The arrays of an ``.npz`` file, whoever made it: measured before they are read, never unpickled."""

from __future__ import annotations

import io
import math
import warnings
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from jaxnets.check import InputError

Arrays = dict[str, np.ndarray]

MAX_BYTES = 2**34  # of all arrays read from one file
MAX_HEADER = 4096  # bytes; NumPy writes 128 for plain numbers and text
HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def names(path: Path) -> tuple[str, ...]:
    """The names of the arrays in a file.

    Raises:
        InputError: not an ``.npz`` file, or damaged.
        PermissionError: it may not be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return tuple(_members(archive))
    except PermissionError:
        raise
    except Exception as error:
        raise _unusable(path, error) from None


def read(path: Path, wanted: Iterable[str]) -> Arrays:
    """Reads the wanted arrays, and no byte of the others.

    Raises:
        InputError: an array that is not there, of Python objects (which only pickle reads), of another size
            than its header says; more than 16 GiB in all; a damaged file, or one too large for the memory.
        PermissionError: it may not be read.
    """
    try:
        with zipfile.ZipFile(path) as archive, warnings.catch_warnings(action="ignore"):
            members = _members(archive)
            chosen = {name: members[name] for name in wanted}
            for member in chosen.values():
                _measure(path, archive, member)
            total = sum(member.file_size for member in chosen.values())
            if total > MAX_BYTES:
                raise InputError(f"{str(path)!r}: arrays of {total} bytes, allowed are {MAX_BYTES} in all")
            return {name: _array(archive, member) for name, member in chosen.items()}
    except (InputError, PermissionError):
        raise
    except Exception as error:  # wrong bytes make zipfile, zlib, tokenize and ast raise almost anything
        raise _unusable(path, error) from None


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    return {member.filename.removesuffix(".npy"): member for member in archive.infolist()}


def _measure(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    """Refuses an array whose header does not account for every byte of it."""
    with archive.open(member) as file:
        head = io.BytesIO(file.read(MAX_HEADER))
    shape, _, dtype = HEADERS[np.lib.format.read_magic(head)](head)
    if dtype.hasobject:
        raise InputError(f"{str(path)!r}: holds Python objects, allowed are arrays of numbers or text")
    if not dtype.itemsize or math.prod(shape) * dtype.itemsize != member.file_size - head.tell():
        raise ValueError("another size than the header says")


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(member) as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def _unusable(path: Path, error: Exception) -> InputError:
    memory = isinstance(error, MemoryError)
    found = "does not fit into memory" if memory else "not an .npz file, or damaged"
    return InputError(f"{str(path)!r}: {found}")
