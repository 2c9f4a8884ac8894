"""Ratings of items by users: files as MovieLens has them, and users renumbered by how much they rated."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from jaxnets.check import InputError
from jaxnets.types import Batch, Int


def read(path: Path) -> Batch:
    """Pairs (user, item) and their ratings, of lines ``user, item, rating`` with tabs between.

    What follows in a line, as the time, is left out; the first line may be a header.

    Raises:
        InputError: the file cannot be read, holds no ratings, or a line is none; the line is named.
    """
    try:
        lines = path.read_text(encoding="utf8").splitlines()
    except (OSError, ValueError) as error:
        raise InputError(f"{str(path)!r} cannot be read: {error}") from None
    has_header = bool(lines) and not lines[0][:1].isdigit()
    rows = [_rating(path, number, line) for number, line in enumerate(lines, 1) if number > has_header]
    if not rows:
        raise InputError(f"{str(path)!r}: no ratings")
    users, items, ratings = zip(*rows, strict=True)
    return Batch(np.array([users, items], np.int64).T, np.array(ratings, np.float32))


def _rating(path: Path, number: int, line: str) -> tuple[int, int, float]:
    try:
        user, item, rating = line.split("\t")[:3]
        return np.int64(int(user)).item(), np.int64(int(item)).item(), float(rating)
    except (ValueError, OverflowError):
        wanted = "allowed are user, item, rating, numbers with tabs between"
        raise InputError(f"{str(path)!r}, line {number}: {line[:40]!r}, {wanted}") from None


def busiest(column: Int[np.ndarray, " n"], most: int | None) -> Int[np.ndarray, " n"]:
    """Numbers from 0 for those with most rows, -1 for all but the first ``most`` of them.

    >>> busiest(np.array([7, 9, 9, 4, 9, 7]), 2).tolist()
    [1, 0, 0, -1, 0, 1]
    """
    _, place, counts = np.unique(column, return_inverse=True, return_counts=True)
    rank = np.empty(len(counts), np.int32)
    rank[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    return np.where(rank < (most or len(counts)), rank, -1)[place].astype(np.int32)
