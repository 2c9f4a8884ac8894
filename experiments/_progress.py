"""The line that says how far a sweep is."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from rich.console import Console
from rich.progress import BarColumn

from experiments._report import live_line
from jaxnets import status
from jaxnets.sweep.pictures import spaced
from jaxnets.sweep.records import Arrays
from jaxnets.sweep.results import STOPPED, in_the_end, joined

PAUSE, PLAIN_PAUSE = 0.25, 1.0
"""Seconds between two changes of the progress line; between two plain lines where nobody watches."""


class News:
    """What the progress line says: cells done, the best number so far, and the time left.

    Args:
        num_cells: of the sweep.
        metric: of which the best is said.
        lowest: whether small is good.
    """

    def __init__(self, num_cells: int, metric: str, *, lowest: bool) -> None:
        self.begun, self.num_cells, self.done = time.monotonic(), num_cells, 0
        self.metric, self.better, self.best = metric, np.fmin if lowest else np.fmax, np.nan

    def hear(self, done: int, chunks: list[Arrays]) -> None:
        """Takes note of finished chunks."""
        self.done = done
        for name in (f"final/{self.metric}", f"history/{self.metric}"):
            found = [arrays for arrays in chunks if name in arrays]
            if found:
                codes, numbers = joined(found, "status"), joined(found, name)
                numbers = in_the_end(numbers, joined(found, "history/loss")) if numbers.ndim > 1 else numbers
                is_ranked = np.isfinite(numbers) & (codes != status.DIVERGED) & (codes != STOPPED)
                self.best = self.better.reduce(numbers, initial=self.best, where=is_ranked)

    def __str__(self) -> str:
        best = f", best {spaced(self.metric)} {self.best:.4g}" if np.isfinite(self.best) else ""
        left = (time.monotonic() - self.begun) * (self.num_cells / self.done - 1) if self.done else None
        time_left = f", {left:.0f} s left" if left is not None else ""
        return f"{self.done} of {self.num_cells} cells{best}{time_left}"


@contextmanager
def progress(
    num_cells: int, metric: str, *, lowest: bool, console: Console
) -> Iterator[Callable[[int, Arrays], None]]:
    """A line that says how far the sweep is; where nobody watches, a plain line now and then."""
    news, heard, shown = News(num_cells, metric, lowest=lowest), [], -np.inf
    pause = PAUSE if console.is_terminal else PLAIN_PAUSE

    def report(done: int, arrays: Arrays) -> None:
        nonlocal shown
        heard.append(arrays)
        if done == num_cells or time.monotonic() - shown > pause:  # looking at each chunk at once would cost
            news.hear(done, heard)
            heard.clear()
            show(done, str(news))
            shown = time.monotonic()

    if console.is_terminal:
        with live_line(console, num_cells, BarColumn(20)) as show:
            show(0, str(news))
            yield report
    else:
        show = lambda done, text: print(text, file=sys.stderr, flush=True)  # noqa: E731
        yield report
