"""Comma- and tab-separated text: one row a line, one column the target."""

from __future__ import annotations

import csv
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from jaxnets.check import InputError
from jaxnets.data.dataset import Dataset
from jaxnets.types import Array, Batch, Float, Int, Shaped

MISSING = ("", "NA", "N/A", "NaN", "nan", "?")
CLASS_NAMES = ("label", "class")
TARGET_NAMES = (*CLASS_NAMES, "target")
MAX_INTEGER_CLASSES = 20

Frame = Any  # pandas.DataFrame and pandas.Series: pandas is imported only when a table is read
Column = Any


def read(path: Path, *, separator: str, allow_missing: bool = False) -> Dataset:
    """Reads a table; all its rows become ``train``.

    The first line is a header where it names a ``label``, ``class`` or ``target`` column, or counts three or
    more columns (0, 1, 2, ...), or where no cell of it is a number, and it names a ``text`` column, or stands
    above numbers, or above classes of which it is none. A first column without a name that counts the rows
    (0, 1, 2, ...), as pandas writes it, is left out. The target
    is the column of one of the first three names, else the last, but never one of sentences (so
    ``label<TAB>text`` needs no header). Targets that are words, or at most 20 different integers, or in a
    column ``label`` or ``class``, are classes, numbered in sorted order; others are values. Inputs are
    numbers ``[n, d]``, or the texts ``[n]`` of one column.

    Raises:
        InputError: in one line, what cannot be used and in which row (from 1, the header included).
    """
    frame = _frame(path, separator)
    target = _target(frame)
    inputs = frame.drop(columns=target)
    targets, class_names = _targets(path, frame[target])
    return Dataset(
        Batch(_inputs(path, inputs, allow_missing), targets), name=path.name,
        num_classes=len(class_names) or None, class_names=class_names, feature_names=tuple(inputs.columns),
    )  # fmt: skip


def classes(values: Shaped[Array, " n"]) -> tuple[Int[np.ndarray, " n"], tuple[str, ...]]:
    """Labels ``0..k-1`` for the different values, in sorted order, and the names of the classes.

    >>> classes(np.array([3, -1, 3]))
    (array([1, 0, 1], dtype=int32), ('-1', '3'))
    """
    different, labels = np.unique(values, return_inverse=True)
    return labels.astype(np.int32), tuple(str(value) for value in different)


def few_integers(values: Shaped[Array, " n"]) -> bool:
    """Whether numbers look like classes: integers, at most 20 different ones."""
    return bool((values == np.floor(values)).all()) and len(np.unique(values)) <= MAX_INTEGER_CLASSES


def _frame(path: Path, separator: str) -> Frame:
    """The table, its columns numbers where they can be; the index is the row in the file."""
    import pandas

    quoting = csv.QUOTE_NONE if separator == "\t" else csv.QUOTE_MINIMAL
    layout = {"sep": separator, "index_col": False, "quoting": quoting, "encoding": "utf-8-sig"}
    parse = partial(pandas.read_csv, path, keep_default_na=False, **layout)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pandas.errors.ParserWarning)
            head = parse(nrows=200, dtype=str, header=None)
            header = _has_header(head)
            frame = parse(na_values=MISSING, low_memory=False, header=0 if header else None)
    except pandas.errors.EmptyDataError:
        raise InputError(f"{str(path)!r}: no rows, at least one is needed") from None
    except UnicodeDecodeError:
        raise InputError(f"{str(path)!r}: not text in UTF-8") from None
    except (pandas.errors.ParserError, pandas.errors.ParserWarning) as error:
        raise InputError(f"{str(path)!r}: uneven rows ({str(error).strip().splitlines()[-1]})") from None
    frame = frame.apply(_measured)
    frame.columns = [str(head.iloc[0, i]) if header else f"column {i + 1}" for i in range(frame.shape[1])]
    frame.index += 1 + int(header)
    frame = _without_index(path, frame)
    if frame.shape[1] < 2:
        raise InputError(
            f"{str(path)!r}: {frame.shape[1]} column, allowed are two or more (inputs and a target)"
        )
    return frame


def _measured(column: Column) -> Column:
    """Numbers as floats where pandas gives up: integers of more than 64 bits, truth values with gaps."""
    return column.map(_number) if column.dtype.kind == "O" and all(map(_is_number, column)) else column


def _without_index(path: Path, frame: Frame) -> Frame:
    """Without the numbers of the rows that pandas writes: a first column without a name."""
    blank = [position for position, name in enumerate(frame.columns) if _is_blank(name)]
    if blank[:1] == [0] and frame.iloc[:, 0].tolist() == list(range(len(frame))):
        frame, blank = frame.iloc[:, 1:], blank[1:]
    if blank:
        raise InputError(f"{str(path)!r}: column {blank[0] + 1} has no name: name it, or leave it out")
    return frame


def _has_header(head: Frame) -> bool:
    first, rest = list(head.iloc[0]), head.iloc[1:]
    columns = [[cell for cell in rest[column] if cell not in MISSING] for column in rest]
    names = {cell.lower() for cell, cells in zip(first, columns, strict=True) if cell not in cells}
    counted = first[1:] if _is_blank(first[0]) else first
    # Two columns that begin with 0, 1 are a row more often than a header.
    if names & {*TARGET_NAMES} or (len(counted) > 2 and counted == [str(i) for i in range(len(counted))]):
        return True
    if any(map(_is_number, first)):
        return False
    if rest.empty or "text" in names:
        return True
    over_numbers = any(cells and all(map(_is_number, cells)) for cells in columns)
    over_classes = (
        0 < len(set(cells)) <= len(cells) / 2 and cell not in cells
        for cell, cells in zip(first, columns, strict=True)
    )
    return over_numbers or any(over_classes)


def _target(frame: Frame) -> str:
    """The name of the target's column."""
    if not frame.columns.is_unique:
        raise InputError(f"columns {list(frame.columns)}: two of one name, allowed is one of each")
    named = [name for name in frame.columns if name.lower() in TARGET_NAMES]
    others = [name for name in frame.columns if not _is_prose(frame[name])]
    return (named or others or list(frame.columns))[-1]


def _targets(path: Path, column: Column) -> tuple[Shaped[np.ndarray, " n"], tuple[str, ...]]:
    if column.isna().any():
        raise InputError(f"{_cell(path, column, column.isna())}: no target, one is needed in each row")
    if column.dtype.kind not in "iuf":
        return classes(column.astype(str).to_numpy(dtype=str))
    values = column.to_numpy()
    if column.name.lower() in CLASS_NAMES or few_integers(values):
        whole = (values == np.floor(values)).all() and (abs(values) < 2.0**63).all()
        return classes(values.astype(np.int64) if whole else values)
    return values.astype(np.float32), ()


def _inputs(path: Path, frame: Frame, allow_missing: bool) -> Shaped[np.ndarray, "n ..."]:
    if not allow_missing and frame.isna().to_numpy().any():
        name = frame.columns[frame.isna().to_numpy().any(0)][0]
        where = _cell(path, frame[name], frame[name].isna())
        raise InputError(f"{where}: missing value; fill it, or load with allow_missing=True and impute")
    if frame.shape[1] == 1 and _is_text(frame.iloc[:, 0]):
        return np.array(frame.iloc[:, 0].fillna("").tolist(), np.dtypes.StringDType())
    return _numbers(path, frame)


def _numbers(path: Path, frame: Frame) -> Float[np.ndarray, "n d"]:
    for name in frame.columns[[dtype.kind not in "iufb" for dtype in frame.dtypes]]:
        column = frame[name]
        wrong = ~column.map(_is_number).astype(bool)
        found = str(column[wrong].iloc[0])
        raise InputError(
            f"{_cell(path, column, wrong)}: {found!r}, allowed are numbers, or one column of text"
        )
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused as such
        return frame.to_numpy(np.float64).astype(np.float32)


def _cell(path: Path, column: Column, wrong: Column) -> str:
    return f"{str(path)!r}, row {column.index[wrong][0]}, column {column.name!r}"


def _number(cell: Any) -> float:
    return float(cell if isinstance(cell, bool) else str(cell))  # an integer too large is infinite


def _is_number(cell: Any) -> bool:
    try:
        _number(cell)
    except ValueError:
        return False
    return "_" not in str(cell)  # Python's own way to group digits


def _is_blank(name: str) -> bool:
    return not name.strip() or name.startswith("Unnamed:")


def _is_text(column: Column) -> bool:
    """Whether most cells are no numbers."""
    if column.dtype.kind in "iufb":
        return False
    return not sum(map(_is_number, column.dropna())) > len(column) / 2


def _is_prose(column: Column) -> bool:
    """Whether a column holds sentences rather than names of classes: spaces, and most cells different."""
    return _is_text(column) and column.nunique() > len(column) / 2 and bool(column.str.contains(" ").any())
