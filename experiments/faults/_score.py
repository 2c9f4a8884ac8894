"""How good the diagnosis is: what it finds first in faults, and what it says of healthy problems."""

from __future__ import annotations

import gc
from collections import Counter
from typing import Any, NamedTuple

import jax
import numpy as np

from experiments.faults import _fault, _healthy
from experiments.faults._fault import Fault
from jaxnets.diagnose import Finding, Report, diagnose

FAULT_COLUMNS = ("fault", "expected", "found first", "place", "proved", "seconds")
HEALTHY_COLUMNS = ("healthy problem", "false alarms", "seconds")


class Judged(NamedTuple):
    """A report on a problem, beside what is known of it.

    Attributes:
        fault: None where the problem is healthy.
    """

    name: str
    report: Report
    fault: Fault | None = None

    @property
    def alarms(self) -> tuple[Finding, ...]:
        """Errors and warnings."""
        return tuple(finding for finding in self.report.findings if finding.severity != "note")

    @property
    def place(self) -> int | None:
        """Of the first finding, notes too, that names the cause, from 1; None where none does."""
        right = [finding.rule in self.fault.accepted for finding in self.report.findings]
        return right.index(True) + 1 if any(right) else None

    @property
    def is_proved(self) -> bool | None:
        """Whether a short training shows that the cause's remedy helps; None where none was made."""
        proofs = [finding.proof for finding in self.report.findings if finding.rule in self.fault.accepted]
        helps = [proof.helps for proof in proofs if proof]
        return any(helps) if helps else None

    @property
    def cells(self) -> tuple[str, ...]:
        """For the table."""
        seconds = f"{self.report.seconds:.1f}"
        if self.fault is None:
            return self.name, ", ".join(alarm.rule for alarm in self.alarms), seconds
        first = self.report.findings[0].rule if self.report.findings else "nothing"
        proved = {True: "yes", False: "no", None: ""}[self.is_proved]
        return self.name, self.fault.rule, first, str(self.place or "none"), proved, seconds


def reported(name: str, seed: int) -> Report:
    """What is said of a fault or a healthy problem; it holds no functions, so another process may make it.

    Compiled programs are thrown away after it, so that memory does not grow.
    """
    problem = _fault.load(name).broken() if name in _fault.names() else _healthy.PROBLEMS[name]()
    report = diagnose(problem, jax.random.key(seed))
    slim = tuple(finding._replace(repaired=None) for finding in report.findings)
    jax.clear_caches()
    gc.collect()
    return report._replace(findings=slim, probe=None)


def judged(name: str, report: Report) -> Judged:
    """The report beside what is known of the problem."""
    return Judged(name, report, _fault.load(name) if name in _fault.names() else None)


def summary(found: list[Judged]) -> list[tuple[str, str]]:
    """What was measured, and the figure."""
    faults = [one for one in found if one.fault]
    healthy = [one for one in found if not one.fault]
    return [*(_of_faults(faults) if faults else ()), *(_of_healthy(healthy) if healthy else ())]


def _of_faults(faults: list[Judged]) -> list[tuple[str, str]]:
    tried = [one.is_proved for one in faults if one.is_proved is not None]
    missed = sorted({one.name for one in faults if not one.alarms})
    return [
        ("faults detected", _share([bool(one.alarms) for one in faults])),
        ("cause first", _share([one.place == 1 for one in faults])),
        ("cause among the first three", _share([one.place in (1, 2, 3) for one in faults])),
        ("remedies proved, of those tried", _share(tried)),
        ("seconds a fault, median and most", _seconds(faults)),
        ("not detected", ", ".join(missed) or "none"),
    ]


def _of_healthy(healthy: list[Judged]) -> list[tuple[str, str]]:
    alarms = Counter(f"{alarm.rule} ({one.name})" for one in healthy for alarm in one.alarms)
    return [
        ("healthy problems with a false alarm", _share([bool(one.alarms) for one in healthy])),
        ("seconds a healthy problem, median and most", _seconds(healthy)),
        ("false alarms", ", ".join(alarms) or "none"),
    ]


def _share(found: list[bool]) -> str:
    return f"{sum(found)} of {len(found)} ({sum(found) / len(found):.1%})" if found else "none"


def _seconds(found: list[Judged]) -> str:
    seconds = [one.report.seconds for one in found]
    return f"{np.median(seconds):.1f}, {np.max(seconds):.1f}"


def skipped(found: list[Judged]) -> dict[str, str]:
    """Rules that raised, each with a problem and the reason."""
    reasons: dict[str, str] = {}
    for one in found:
        for rule, reason in one.report.skipped.items():
            reasons.setdefault(rule, f"{one.name}: {reason}")
    return reasons


def markdown(found: list[Judged], machine: str) -> str:
    """RESULTS.md."""
    parts = [
        "# How well faults are found",
        "Made by `python -m experiments.faults`: every fault of this folder and every healthy problem is"
        " diagnosed. *place*: of the first finding that names the cause; a fault is detected if there is"
        " an error or a warning, and any on a healthy problem is a false alarm.",
        machine,
        _table(("measured", "figure"), summary(found)),
        _table(FAULT_COLUMNS, [one.cells for one in found if one.fault]),
        _table(HEALTHY_COLUMNS, [one.cells for one in found if not one.fault]),
    ]
    return "\n\n".join(parts) + "\n"


def _table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines: list[Any] = [columns, ("---",) * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
