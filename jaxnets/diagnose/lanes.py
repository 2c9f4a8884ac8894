"""A sweep's lanes, judged by their histories; and the regions of the grid in which they fail."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from jaxnets.check import InputError
from jaxnets.diagnose.finding import Finding, Report

FEWEST = 5
"""Entries of a history from which on its shape says something."""
STILL = 0.01
"""A loss that moved by less than this part of its size made no progress."""
FALLING = 0.1
"""A run that gains this part of its whole gain in its last quarter has not come to its end."""
BACK = 0.25
"""The way back up over the whole gain, in the last half, from which on a loss oscillates."""
WORSE = 0.1
"""A validation loss that ends so much above its least value, of what it gained, overfits."""
VERDICTS = ("", "diverged", "rising", "plateau", "oscillating", "overfitting", "stopped-too-early")
"""Of a lane; empty where nothing is wrong."""
SAID = {
    "diverged": ("error", "did not stay finite", "a smaller rate, or clipped gradients"),
    "rising": (
        "error",
        "ended with a larger loss than they began with",
        "a smaller rate; mind the loss's sign",
    ),
    "plateau": ("warning", "hardly moved their loss", "a larger rate, or another initialisation"),
    "oscillating": ("warning", "went up and down without coming to rest", "a smaller rate in the end"),
    "overfitting": ("warning", "ended above their best validation loss", "stop earlier, or penalise weights"),
    "stopped-too-early": ("note", "were still falling when they ended", "more steps"),
}
"""Severity, what happened, and what to do."""


class Lanes(NamedTuple):
    """What a sweep's histories say.

    Attributes:
        verdicts: one of ``VERDICTS`` a cell.
        report: the regions first, then how many cells have each verdict.
    """

    verdicts: np.ndarray
    report: Report


def diagnose_lanes(result: Any) -> Lanes:
    """Judges every cell of a sweep by its history, and finds the values beyond which cells fail.

    It reads what the sweep has measured anyway, so it costs no training time.

    Args:
        result: a :class:`~jaxnets.sweep.SweepResult`.

    Raises:
        InputError: it is none.

    Example:
        >>> from jaxnets.sweep import SweepResult
        >>> rates, status = np.array([0.1, 0.2, 0.3]), np.array(["ok", "ok", "diverged"])
        >>> columns = {"rate": rates, "status": status, "step": np.array([99, 99, 48])}
        >>> result = SweepResult(columns, ("rate",), {}, np.zeros((3, 0)), [])
        >>> print(diagnose_lanes(result).report.findings[0].message)
        every rate >= 0.3 diverges before step 50: the largest stable one tried is 0.2
    """
    if not hasattr(result, "columns") or not hasattr(result, "history"):
        raise InputError(f"result: {type(result).__name__}, allowed is what sweep.run gives")
    begun = np.where(result.columns["status"] == "diverged", "diverged", "").astype(object)
    loss = result.history.get("loss")
    if loss is not None:
        valid = next((values for name, values in result.history.items() if name == "valid_loss"), None)
        for cell in np.flatnonzero(~np.isin(result.columns["status"], ("diverged", "stopped"))):
            begun[cell] = _verdict(loss[cell], None if valid is None else valid[cell])
    verdicts = begun.astype(str)
    findings = [*_regions(result, verdicts), *_counts(verdicts)]
    return Lanes(verdicts, Report(tuple(findings), 0.0, {}))


def _verdict(loss: np.ndarray, valid: np.ndarray | None) -> str:
    """Of one history, by its shape alone: no size of a loss means the same for every task."""
    loss = loss[np.isfinite(loss)]
    if len(loss) < FEWEST:
        return ""
    gain, quarter = loss[0] - loss.min(), -(-len(loss) // 4)
    if gain <= STILL * abs(loss[0]):
        return "rising" if loss[-1] - loss[0] > STILL * abs(loss[0]) else "plateau"
    late = np.diff(loss[len(loss) // 2 :])
    if late[late > 0].sum() > BACK * gain and (late > 0).mean() > 0.3:
        return "oscillating"
    if valid is not None and len(known := valid[~np.isnan(valid)]) >= FEWEST:
        rise = known[-quarter:].mean() - known.min()
        if rise > WORSE * (known[0] - known.min()) > 0 and known.argmin() < len(known) - quarter:
            return "overfitting"
    if loss[-quarter - 1] - loss[-1] > FALLING * gain:
        return "stopped-too-early"
    return ""


def _regions(result: Any, verdicts: np.ndarray) -> Iterator[Finding]:
    """Of each name that is a number, a value beyond which all cells diverge, and none on this side of it.

    Where no name alone tells them apart, a product or a ratio of two may: a rate over the rows of a batch.
    """
    wrong = verdicts == "diverged"
    if not wrong.any() or wrong.all():
        return
    steps = int(result.columns["step"][wrong].max()) + 2  # the one after those kept broke it
    numbers = {name: values for name in result.names if _are_numbers(values := result.columns[name])}
    found = [*filter(None, (_edge(name, values, wrong, steps) for name, values in numbers.items()))]
    yield from found or filter(None, (_edge(name, values, wrong, steps) for name, values in _pairs(numbers)))


def _are_numbers(values: np.ndarray) -> bool:
    return values.dtype.kind in "fiu" and len(np.unique(values)) > 1


def _pairs(numbers: dict[str, np.ndarray]) -> Iterator[tuple[str, np.ndarray]]:
    """Products and ratios of two names whose values are positive."""
    for (one, first), (other, second) in combinations(numbers.items(), 2):
        if first.min() > 0 and second.min() > 0:
            yield f"{one} x {other}", first.astype(float) * second
            yield f"{one} / {other}", first.astype(float) / second


def _edge(name: str, values: np.ndarray, wrong: np.ndarray, steps: int) -> Finding | None:
    """The value beyond which all cells diverge; None where there is none."""
    good, bad = values[~wrong], values[wrong]
    if good.max() < bad.min():
        edge, stable, sign, word = bad.min(), good.max(), ">=", "largest"
    elif good.min() > bad.max():
        edge, stable, sign, word = bad.max(), good.min(), "<=", "smallest"
    else:
        return None
    return Finding(
        "diverged", "error", {name: edge, "stable": stable, "cells": int(wrong.sum()), "steps": steps},
        f"every {name} {sign} {edge:.4g} diverges before step {steps}: "
        f"the {word} stable one tried is {stable:.4g}",
        f"{name} {'at most' if sign == '>=' else 'at least'} {stable:.4g}",
    )  # fmt: skip


def _counts(verdicts: np.ndarray) -> Iterator[Finding]:
    """How many cells have each verdict."""
    for verdict, (severity, what, remedy) in SAID.items():
        number = int((verdicts == verdict).sum())
        if number:
            yield Finding(
                verdict, severity, {"cells": number, "of": len(verdicts)},
                f"{number} of {len(verdicts)} cells {what}", remedy,
            )  # fmt: skip
