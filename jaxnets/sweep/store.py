"""One folder a sweep: a manifest, a lock that dies with its owner, and a file for each finished chunk."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from jaxnets.check import InputError
from jaxnets.sweep import records
from jaxnets.sweep.lock import Lock
from jaxnets.sweep.records import Arrays

OURS = re.compile(r"\.?\d{6,}\.(chunk|part)(\.\d+)?")
"""Names of the files in the folder of chunks."""
MOST_LETTERS = 60
"""Of a value that is named."""
ELSEWHERE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
"""How addresses begin (``gs://``, also as a path, with one slash); one letter is a drive."""


class Store:
    """The folder of one sweep.

    Args:
        folder: made where it is not there.
        manifest: all that the results depend on, in JSON's types; kept in ``manifest.json``.
        resume: go on with the sweep that the folder holds; it must have the same manifest.
        fresh: remove the sweep that the folder holds.
        share: let other processes work on it too; those that come later resume what the first began.

    Raises:
        InputError: the folder holds a sweep and neither is asked for, or one with another manifest (each
            difference is named), or it cannot be written to.
    """

    def __init__(
        self,
        folder: str | Path,
        manifest: dict[str, Any],
        *,
        resume: bool = False,
        fresh: bool = False,
        share: bool = False,
    ) -> None:
        self.folder = folder_of(folder)
        self.manifest = json.loads(json.dumps(manifest))
        self.damaged: list[str] = []
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            (self.folder / "chunks").mkdir(exist_ok=True, mode=0o700)
            self._refuse_what_is_not_ours()
            self._lock = Lock(self.folder, share=share)
        except (OSError, ValueError) as error:  # the latter: a name with a zero byte
            raise error if isinstance(error, InputError) else self._refused(error) from None
        try:
            self._open(resume or not self._lock.is_alone, fresh and self._lock.is_alone)
            self._lock.admit()
        except BaseException:
            self.close()
            raise

    def _open(self, resume: bool, fresh: bool) -> None:
        path = self.folder / "manifest.json"
        try:
            if path.exists() and not fresh:
                if not resume:
                    raise InputError(f"{self.folder}: holds a sweep; resume it, or start afresh")
                different = differences(manifest_in(self.folder), self.manifest)
                if different:
                    raise InputError(f"{self.folder}: another sweep: {'; '.join(different)}")
                if self._lock.is_alone:
                    self._remove(".*")
                return
            if not fresh:
                self._refuse_work_without_manifest()
            self._remove("*")
            records.replace(path, json.dumps(self.manifest, indent=1).encode())
        except OSError as error:
            raise self._refused(error) from None

    def _refuse_what_is_not_ours(self) -> None:
        """Only files of sweeps are ever removed, and nothing is written through a link."""
        chunks = self.folder / "chunks"
        for path in (chunks, self.folder / "manifest.json"):
            if path.is_symlink():
                raise InputError(f"{path}: a link, allowed is a folder or a file of a sweep")
        for path in chunks.iterdir():
            if not OURS.fullmatch(path.name) or (path.is_dir() and not path.is_symlink()):
                raise InputError(f"{path}: not a file of a sweep; another folder is needed")

    def _refuse_work_without_manifest(self) -> None:
        """What a sweep has finished is removed only by one that is told to."""
        if any((self.folder / "chunks").glob("[0-9]*")) or not self._lock.is_alone:
            raise InputError(
                f"{self.folder}: a sweep whose manifest.json is lost; put it back, or use another folder, "
                "or remove what is finished with fresh"
            )

    def _remove(self, pattern: str) -> None:
        """Removes files: all of another sweep, or what a write that was killed has left."""
        for file in [*(self.folder / "chunks").glob(pattern), *self.folder.glob(".manifest.json.*")]:
            file.unlink()

    def finished(self, chunk: int) -> Arrays | None:
        """The arrays of a finished chunk; None where it is not there, or damaged (then it is named)."""
        arrays = self._read(self._path(chunk), {"chunk": chunk})
        if arrays is not None:  # one that was killed may have finished it and left its way
            self._path(chunk, "part").unlink(missing_ok=True)
        return arrays

    def finish(self, chunk: int, arrays: Arrays) -> None:
        """Keeps a finished chunk; what was kept of its way is removed."""
        self._write(self._path(chunk), {"chunk": chunk}, arrays)
        self._path(chunk, "part").unlink(missing_ok=True)

    def begun(self, chunk: int) -> Arrays | None:
        """What was kept last of a chunk's way."""
        return self._read(self._path(chunk, "part"), {"part": chunk})

    def keep(self, chunk: int, arrays: Arrays) -> None:
        """Keeps a chunk's state on its way, in the place of the one before."""
        self._write(self._path(chunk, "part"), {"part": chunk}, arrays)

    def _path(self, chunk: int, kind: str = "chunk") -> Path:
        return self.folder / "chunks" / f"{chunk:06}.{kind}"

    def _read(self, path: Path, about: dict[str, int]) -> Arrays | None:
        try:
            return records.read(path, about | {"sweep": self.manifest["sweep"]})
        except FileNotFoundError:
            return None
        except InputError as refusal:
            self.blame(str(refusal))
            return None
        except OSError as error:
            raise self._refused(error) from None

    def blame(self, line: str) -> None:
        """Names what was found damaged, once however often it is looked at."""
        if line not in self.damaged:
            self.damaged.append(line)

    def _write(self, path: Path, about: dict[str, int], arrays: Arrays) -> None:
        try:
            records.write(path, about | {"sweep": self.manifest["sweep"]}, arrays)
        except OSError as error:
            raise self._refused(error) from None

    def claim(self, chunk: int) -> bool:
        """Whether this process is to work on a chunk: nobody else does; a killed one left nothing."""
        is_mine = self._lock.claim(chunk)
        for file in (self.folder / "chunks").glob(f".{chunk:06}.*") if is_mine else ():
            file.unlink(missing_ok=True)
        return is_mine

    def is_claimed(self, chunk: int) -> bool:
        """Whether another process works on a chunk."""
        if not self._lock.claim(chunk):
            return True
        self._lock.release(chunk)
        return False

    def release(self, chunk: int) -> None:
        """Gives a chunk back to the others."""
        self._lock.release(chunk)

    def close(self) -> None:
        """Gives the folder free."""
        self._lock.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _refused(self, error: OSError | ValueError) -> InputError:
        reason = getattr(error, "strerror", None) or error
        return InputError(f"{self.folder}: {reason}; what was finished is kept")


def folder_of(given: Any, name: str = "out") -> Path:
    """The folder that is meant.

    Args:
        name: of the argument, for the refusal.

    Raises:
        InputError: it is no name of a folder, or an address.

    >>> folder_of(3)
    Traceback (most recent call last):
    jaxnets.check.InputError: out = 3, allowed is the name of a folder
    """
    if not isinstance(given, (str, Path)) or not str(given):
        raise InputError(f"{name} = {given!r}, allowed is the name of a folder")
    if ELSEWHERE.match(str(given)):
        raise InputError(f"{name} = {str(given)!r}, allowed is a local or mounted folder")
    return Path(given)


def manifest_in(folder: str | Path) -> dict[str, Any]:
    """The manifest of the sweep that a folder holds; empty where it holds none.

    Raises:
        InputError: the file is none.
    """
    path = folder_of(folder) / "manifest.json"
    try:
        found = json.loads(records.content_of(path))
    except FileNotFoundError:
        return {}
    except (ValueError, OSError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise InputError(f"{path}: no manifest of a sweep; start afresh")
    return found


def differences(old: dict[str, Any], new: dict[str, Any], prefix: str = "") -> list[str]:
    """Each entry that differs, with both values."""
    lines = []
    for name in dict.fromkeys([*old, *new]):
        here, there = old.get(name), new.get(name)
        if isinstance(here, dict) and isinstance(there, dict):
            lines += differences(here, there, f"{prefix}{name}.")
        elif here != there:
            lines.append(f"{prefix}{name} {_changed(here, there)}")
    return lines


def _changed(here: Any, there: Any) -> str:
    """Both values, from the first place on at which they differ, if they are long."""
    was, now = json.dumps(here), json.dumps(there)
    same = next((place for place, pair in enumerate(zip(was, now, strict=False)) if len({*pair}) > 1), 0)
    start = max(0, same - 20) if max(len(was), len(now)) > MOST_LETTERS else 0
    return f"was {_from(was, start)}, is {_from(now, start)}"


def _from(text: str, start: int) -> str:
    end = start + MOST_LETTERS
    return f"{'...' * bool(start)}{text[start:end]}{'...' * (len(text) > end)}"
