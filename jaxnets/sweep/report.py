"""One HTML file that shows a sweep: pictures inside, a table that sorts, nothing fetched from anywhere."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxnets.check import InputError
from jaxnets.sweep.pictures import png, spaced
from jaxnets.sweep.ranking import Ranking
from jaxnets.sweep.results import SweepResult, write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_ROWS = 2000
"""Rows of the table; the best ones where there are more."""
WIDE_INCHES = 7.5
"""A wider picture has a line of its own."""
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1a202c; max-width: 70rem; margin: 2rem auto }
body { padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2rem }
section { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(28rem, 100%), 1fr)); gap: 1.5rem }
figure { margin: 0 } figure.wide { grid-column: 1 / -1 } img { max-width: 100% }
figcaption { color: #4a5568; font-size: .9rem }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { text-align: right; padding: .2rem .7rem; border-bottom: 1px solid #e2e8f0; white-space: nowrap }
th { cursor: pointer; user-select: none; position: sticky; top: 0; background: #fff }
th[aria-sort=ascending]::after { content: " \\25B2" } th[aria-sort=descending]::after { content: " \\25BC" }
tr.diverged, tr.stopped { color: #a0aec0 } .wide { overflow-x: auto }
"""
SCRIPT = """
document.querySelectorAll("th").forEach((head, column) => head.addEventListener("click", () => {
  const ascending = head.getAttribute("aria-sort") !== "ascending", body = head.closest("table").tBodies[0];
  document.querySelectorAll("th").forEach(other => other.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
  const value = row => row.cells[column].dataset.value;
  const order = (a, b) => {
    const [x, y] = [value(a), value(b)], [p, q] = [Number(x), Number(y)];
    if (x === "" || y === "") return (x === "") - (y === "");
    const sign = isNaN(p) || isNaN(q) ? x.localeCompare(y) : p - q;
    return ascending ? sign : -sign;
  };
  [...body.rows].sort(order).forEach(row => body.append(row));
}));
"""


def write_report(
    path: str | Path, result: SweepResult, ranking: Ranking, *, title: str, figures: Mapping[str, Figure]
) -> None:
    """Writes the file, whole or not at all.

    Args:
        ranking: of the points, see :meth:`~jaxnets.sweep.SweepResult.ranking`.
        title: what was swept.
        figures: pictures with a line about each.

    Raises:
        InputError: the file cannot be written.
    """
    write(path, page(result, ranking, title=title, figures=figures).encode())


def page(result: SweepResult, ranking: Ranking, *, title: str, figures: Mapping[str, Figure]) -> str:
    """The HTML."""
    counts = {
        word: int(number)
        for word, number in zip(*np.unique(result.columns["status"], return_counts=True), strict=True)
    }
    summary = f"{len(result)} cells: " + ", ".join(f"{number} {word}" for word, number in counts.items())
    pictures = "".join(_picture(line, figure) for line, figure in figures.items())
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{STYLE}</style></head><body><h1>{html.escape(title)}</h1>"
        f"<p>{html.escape(summary)}.</p><p>{html.escape(conclusion(ranking))}.</p><section>{pictures}</section>"
        f'<h2>Cells</h2><div class="wide">{_table(result, ranking)}</div><script>{SCRIPT}</script>'
        "</body></html>"
    )


def conclusion(ranking: Ranking) -> str:
    """The best point in a sentence, or why there is none."""
    try:
        best = ranking.best
    except InputError as refusal:
        return str(refusal)
    point = ", ".join(f"{name} {word(value)}" for name, value in best.point.items())
    left_out = f"; {best.left_out} points left out: a seed diverged or was stopped" if best.left_out else ""
    return f"best {spaced(ranking.metric)} {best.mean:.4g}: {point}{left_out}"


def word(value: Any) -> str:
    """A value of a table: four digits of a float, nothing for one that is none."""
    is_number = isinstance(value, (float, np.floating))
    return ("" if np.isnan(value) else f"{value:.4g}") if is_number else str(value)


def _picture(line: str, figure: Figure) -> str:
    source, text = base64.b64encode(png(figure)).decode(), html.escape(line)
    image = f'<img src="data:image/png;base64,{source}" alt="{text}">'
    kind = ' class="wide"' if figure.get_figwidth() > WIDE_INCHES else ""
    return f"<figure{kind}>{image}<figcaption>{text}</figcaption></figure>"


def _table(result: SweepResult, ranking: Ranking) -> str:
    """All cells, the best first; what sorts is the full number."""
    frame = result.to_pandas()
    is_out = frame["status"].isin(["diverged", "stopped"])
    frame = (
        frame.assign(_out=is_out)
        .sort_values(["_out", ranking.metric], ascending=[True, ranking.lowest])
        .drop(columns="_out")
    )
    heads = "".join(f"<th>{html.escape(name.replace('_', ' '))}</th>" for name in frame.columns)
    rows = "".join(
        f'<tr class="{html.escape(str(row["status"]))}">' + "".join(_cell(value) for value in row) + "</tr>"
        for _, row in frame.head(MOST_ROWS).iterrows()
    )
    more = f"<p>{len(frame) - MOST_ROWS} more cells in table.csv.</p>" if len(frame) > MOST_ROWS else ""
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>{more}"


def _cell(value: Any) -> str:
    shown = word(value)
    full = "" if shown == "" else str(value)
    return f'<td data-value="{html.escape(full)}">{html.escape(shown)}</td>'
