"""Who works on a folder: one process, or several that share it chunk by chunk. Locks die with their owner."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from jaxnets.check import InputError

try:
    import fcntl
except ImportError:  # no POSIX: one process at a time is trusted to be alone
    fcntl = None

WAIT_SECONDS = 5.0
"""So long one that would share waits for another to set the folder up."""
_SHARED: set[tuple[int, int, int]] = set()
"""Folders that are shared here: this process, and the lock file's device and number on it."""
_GUARD = threading.Lock()


class Lock:
    """The right to work on a folder, alone or shared; the system takes it back when the process ends.

    Args:
        folder: with a file ``lock`` (whose holder's number stands in it) and, if shared, ``claims``.
        share: whether others may work on it at the same time.

    Raises:
        InputError: another process works on it, with its number; this one shares it already; or the file
            system has no locks.
        OSError: the files cannot be made.
    """

    def __init__(self, folder: Path, *, share: bool) -> None:
        self._folder = folder
        self._claims: IO | None = None
        self._file = _opened(folder / "lock")
        self._place: tuple[int, int, int] | None = None
        self.is_alone = True
        if fcntl is None:
            return
        try:
            self.is_alone = self._taken_alone(share)
            if share:
                self._place = self._alone_here()  # first: to close claims would give back the other's
                self._claims = _opened(folder / "claims")
        except BaseException:
            self.close()
            raise
        if self.is_alone:
            self._file.truncate(0)
            self._file.write(f"{os.getpid()}\n")
            self._file.flush()

    def _taken_alone(self, share: bool) -> bool:
        """Takes the folder; whether nobody else has it."""
        until = time.monotonic() + WAIT_SECONDS
        while True:
            if self._has(fcntl.flock, self._file, fcntl.LOCK_EX):
                return True
            if share and self._has(fcntl.flock, self._file, fcntl.LOCK_SH):
                return False
            if not share or time.monotonic() > until:
                self._file.seek(0)
                owner = self._file.read().strip() or "unknown"
                raise InputError(f"{self._folder}: process {owner} works on it")
            time.sleep(0.02)  # another sets the folder up

    def _alone_here(self) -> tuple[int, int, int]:
        """The folder, for this process: claims do not tell its threads apart."""
        found = os.fstat(self._file.fileno())
        place = (os.getpid(), found.st_dev, found.st_ino)
        with _GUARD:
            if place in _SHARED:
                raise InputError(
                    f"{self._folder}: another thread of this process works on it; allowed is one a process"
                )
            _SHARED.add(place)
        return place

    def admit(self) -> None:
        """Lets the others in, where the folder is shared: it is set up."""
        if fcntl is not None and self._claims is not None:
            fcntl.flock(self._file, fcntl.LOCK_SH)

    def claim(self, chunk: int) -> bool:
        """Whether this process is to work on a chunk: nobody else does."""
        return self._claims is None or self._has(fcntl.lockf, self._claims, fcntl.LOCK_EX, 1, chunk)

    def _has(self, take: Callable, file: IO, kind: int, *place: int) -> bool:
        """Takes a lock at once; whether it is free."""
        try:
            take(file, kind | fcntl.LOCK_NB, *place)
        except (BlockingIOError, PermissionError):  # the latter too is another's lock, by POSIX
            return False
        except OSError as error:
            raise InputError(
                f"{self._folder}: {error.strerror}: locks are needed, allowed is a disk with them"
            ) from None
        return True

    def release(self, chunk: int) -> None:
        """Gives a chunk back."""
        if self._claims is not None:
            fcntl.lockf(self._claims, fcntl.LOCK_UN, 1, chunk)

    def close(self) -> None:
        """Gives the folder free."""
        self._file.close()
        if self._claims is not None:
            self._claims.close()
        with _GUARD:
            _SHARED.discard(self._place)
        self._place = None


def _opened(path: Path) -> IO:
    """The file, made for its owner alone; a link is not followed."""
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
    return os.fdopen(os.open(path, flags, 0o600), "a+", encoding="utf8")
