"""The rules, a file a family. Every public function here that takes a ``Probe`` is one: it is not registered.

A rule yields findings, or nothing where it is not sure. Its name, with dashes, is the finding's ``rule``; its
docstring says what it measures, its threshold and why.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Collection, Iterator

from jaxnets.diagnose.finding import Finding
from jaxnets.diagnose.probe import Probe

CAUSES = (
    "data", "splits", "targets", "batches", "gradient", "loss", "inputs", "first_loss", "head",
    "architecture", "initialisation",
)  # fmt: skip
"""Families in the order in which one causes the other; those that are not named follow, and last of all"""
SYMPTOMS = ("standstill", "run")
"""those that say how a training went, not why."""
OF_ROWS = ("data", "splits")
"""Families that look at the rows alone, at no function."""

Rule = Callable[[Probe], Iterator[Finding]]


def rules() -> dict[str, Rule]:
    """All rules by their names, causes before what follows from them, else in the order of lines."""
    found = {}
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda module: _place(module.name)):
        family = importlib.import_module(f"{__name__}.{module.name}")
        members = inspect.getmembers(family, inspect.isfunction)
        for name, function in sorted(members, key=lambda member: member[1].__code__.co_firstlineno):
            if not name.startswith("_") and function.__module__ == family.__name__:
                found[name.replace("_", "-")] = function
    return found


def symptoms() -> set[str]:
    """Names of the rules that say how a training went."""
    return _of(SYMPTOMS)


def of_rows() -> set[str]:
    """Names of the rules that look at the rows alone."""
    return _of(OF_ROWS)


def _of(families: Collection[str]) -> set[str]:
    return {name for name, rule in rules().items() if rule.__module__.rpartition(".")[2] in families}


def _place(family: str) -> int:
    if family in CAUSES:
        return CAUSES.index(family)
    return len(CAUSES) + (1 + SYMPTOMS.index(family) if family in SYMPTOMS else 0)
