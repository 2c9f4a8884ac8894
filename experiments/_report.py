"""What people see of an experiment: the table, its files, and the progress line."""

from __future__ import annotations

import csv
import datetime
import io
import json
import os
import pathlib
import platform
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import jax
from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from experiments._run import Refusal, Result
from jaxnets.check import InputError
from jaxnets.sweep.pictures import png
from jaxnets.sweep.store import folder_of

REFRESHES = 4
"""Of a live line, each second; one takes some milliseconds."""


def records(results: list[Result | Refusal]) -> list[dict[str, Any]]:
    """The table: mean and standard deviation over seeds of every metric, and seconds."""
    return [_refusal(row) if isinstance(row, Refusal) else _record(row) for row in results]


def _refusal(row: Refusal) -> dict[str, Any]:
    return {"row": row.name, "status": f"not run: {row.reason}"}


def _record(row: Result) -> dict[str, Any]:
    statistics = {}
    for name, values in row.metrics.items():
        statistics |= {f"{name}_mean": float(values.mean()), f"{name}_std": float(values.std())}
    return {
        "row": row.name,
        **statistics,
        "train_rows": row.num_rows,
        "seeds": len(row.runs),
        "fit_seconds": float(row.seconds_to_fit.mean()),
        "compile_seconds": row.seconds_to_compile,
        "status": "; ".join(sorted(set(row.statuses))),
    }


def table(results: list[Result | Refusal], *, title: str) -> Table:
    """The table for a terminal."""
    view = Table(
        title=escape(title), caption=environment(), box=SIMPLE, show_edge=False, padding=(0, 1, 0, 0)
    )
    view.title_justify = view.caption_justify = "left"
    found = records(results)
    columns = [name for name in _columns(found) if not name.endswith("_std")]
    for name in columns:
        left = name in ("row", "status")
        heading = "rows" if name == "train_rows" else name.removesuffix("_mean").removesuffix("_seconds")
        widest = max(len(record["row"]) for record in found) if name == "row" else None
        view.add_column(
            heading.replace("_", " "), justify="left" if left else "right", min_width=widest,
            no_wrap=name != "status",
        )  # fmt: skip
    for record in found:
        view.add_row(*(escape(_cell(record, name)) for name in columns))
    return view


def show(view: Table) -> None:
    """Prints a table: as wide as the terminal, or as it needs where the output goes into a file."""
    console = Console()
    Console(width=None if console.is_terminal else 200).print(view)


def line(row: Result | Refusal) -> str:
    """A finished row in a line."""
    if isinstance(row, Refusal):
        return f"{row.name}: not run: {row.reason}"
    record = _record(row)
    shown = [f"{name.replace('_', ' ')} {_cell(record, f'{name}_mean')}" for name in row.metrics]
    return f"{row.name}: {', '.join(shown)} in {record['fit_seconds']:.1f} s"


def _columns(found: list[dict[str, Any]]) -> list[str]:
    """All columns, in the order of the record that has most."""
    return list(dict.fromkeys(name for record in sorted(found, key=len, reverse=True) for name in record))


def _cell(record: dict[str, Any], column: str) -> str:
    value = record.get(column, "")
    if column.endswith("_mean") and value != "":
        form = ".3f" if value == 0 or 0.01 <= abs(value) < 1000 else ".2g"
        return f"{value:{form}} ± {record[column.removesuffix('_mean') + '_std']:{form}}"
    return f"{value:.1f} s" if isinstance(value, float) else str(value)


def environment() -> str:
    """What the numbers are, and where they were made."""
    means = "mean ± std over seeds: initialisation, order of the rows, and what else an experiment draws"
    return f"{means} · {machine()}"


def machine() -> str:
    """Where and when numbers are made: jax, devices, precision, date."""
    kind = jax.devices()[0].device_kind
    device = _processor() if kind == "cpu" else kind
    precision = jax.config.jax_default_matmul_precision
    cores = f", {len(os.sched_getaffinity(0))} cores" if hasattr(os, "sched_getaffinity") else ""
    devices = f"{jax.device_count()} x {device}{cores}"
    return f"jax {jax.__version__}, {devices}, {precision} products, {datetime.date.today()}"


def _processor() -> str:
    """The processor's name where the system tells it."""
    with suppress(OSError):
        names = re.findall(r"^model name\s*: (.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        return " ".join(names[0].split()) if names else "cpu"
    return platform.processor() or "cpu"


def prepare(out: pathlib.Path) -> None:
    """Makes the folder, and finds out now, not after the training, whether it can be written to."""
    folder_of(out, "--out")
    try:
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=out).close()
    except OSError as error:
        raise InputError(
            f"--out {out}: {error.strerror}; a folder that can be written to is needed"
        ) from None


def write(path: pathlib.Path, content: bytes) -> None:
    """Writes a file whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        raise InputError(f"--out {path}: {error.strerror}; a file that can be written is needed") from None
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_tables(out: pathlib.Path, results: list[Result | Refusal]) -> None:
    """``table.csv``, ``seeds.csv`` (a line a seed) and ``options.json`` (what was run, and where)."""
    write(out / "table.csv", _csv(records(results)))
    trained = [result for result in results if isinstance(result, Result)]
    seeds = [
        {"row": result.name, "seed": seed, "status": result.statuses[seed]}
        | {name: float(values[seed]) for name, values in result.metrics.items()}
        | {"fit_seconds": float(result.seconds_to_fit[seed])}
        for result in trained
        for seed in range(len(result.runs))
    ]
    write(out / "seeds.csv", _csv(seeds))
    if len(results) == 1:
        _remove_pictures(out)
    options = {r.name: {"hparams": r.hparams._asdict(), "settings": r.settings._asdict()} for r in trained}
    text = json.dumps({"environment": environment(), "rows": options}, indent=1, default=str)
    write(out / "options.json", text.encode())


def write_checks(out: pathlib.Path, checks: dict[str, float]) -> list[str]:
    """``checks.csv`` where there are any, and a line for people of each number that the whole table has."""
    (out / "checks.csv").unlink(missing_ok=True)
    if checks:
        write(out / "checks.csv", _csv([{"check": name, "value": value} for name, value in checks.items()]))
    width = max(map(len, checks), default=0)
    return [f"{name.replace('_', ' '):{width}}  {value:.6g}" for name, value in checks.items()]


def write_figures(out: pathlib.Path, figures: dict[str, Any]) -> list[pathlib.Path]:
    """A PNG a figure; ``options.json`` notes their names."""
    paths = [out / f"{name}.png" for name in figures]
    for path, figure in zip(paths, figures.values(), strict=True):
        write(path, png(figure))
    options = json.loads((out / "options.json").read_text(encoding="utf8"))
    options["pictures"] = [path.name for path in paths]
    write(out / "options.json", json.dumps(options, indent=1).encode())
    return paths


def _remove_pictures(out: pathlib.Path) -> None:
    """Removes the pictures that an earlier run noted, lest they stand beside another table; no others."""
    try:
        names = json.loads((out / "options.json").read_text(encoding="utf8"))["pictures"]
    except (OSError, ValueError, LookupError, TypeError):
        return
    for name in names:
        if re.fullmatch(r"[\w.-]+\.png", str(name)):
            (out / name).unlink(missing_ok=True)


@contextmanager
def progress_line(console: Console, num_rows: int) -> Iterator[tuple[Any, Any]]:
    """A line that says what is being done; where nobody watches, a plain line a finished row instead."""
    if not console.is_terminal:
        yield (lambda *news: None), (lambda text: print(text, file=sys.stderr, flush=True))
        return
    counter, finished = TextColumn("{task.completed:.0f}/{task.total:.0f}"), []
    with live_line(console, num_rows, counter, BarColumn(12), TimeElapsedColumn()) as show:

        def report(what: str, share: float, metrics: dict) -> None:
            loss = f"  loss {float(metrics['loss']):.4g}" if "loss" in metrics else ""
            show(len(finished), f"{what} {share:4.0%}{loss}")

        def finish(text: str) -> None:
            finished.append(text)
            console.print(text, highlight=False, markup=False)

        yield report, finish


@contextmanager
def live_line(console: Console, total: int, *columns: ProgressColumn) -> Iterator[Callable[[int, str], None]]:
    """A line at the end of the terminal: columns and a text; gives what changes it."""
    what = TextColumn("{task.description}", table_column=Column(ratio=1, no_wrap=True), markup=False)
    look = {"expand": True, "transient": True, "refresh_per_second": REFRESHES}
    with Progress(*columns, what, console=console, **look) as bar:
        task = bar.add_task("", total=total)
        yield lambda completed, text: bar.update(task, completed=completed, description=text)


def _csv(lines: list[dict[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, _columns(lines), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue().encode()
