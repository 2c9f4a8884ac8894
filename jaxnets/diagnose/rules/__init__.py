"""The rules, a file a family. Every public function here that takes a ``Probe`` is one: it is not registered.

A rule yields findings, or nothing where it is not sure. Its name, with dashes, is the finding's ``rule``; its
docstring says what it measures, its threshold and why.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator

from jaxnets.diagnose.finding import Finding
from jaxnets.diagnose.probe import Probe

Rule = Callable[[Probe], Iterator[Finding]]


def rules() -> dict[str, Rule]:
    """All rules by their names, in the order of files and lines."""
    found = {}
    for module in pkgutil.iter_modules(__path__):
        family = importlib.import_module(f"{__name__}.{module.name}")
        for name, function in inspect.getmembers(family, inspect.isfunction):
            if not name.startswith("_") and function.__module__ == family.__name__:
                found[name.replace("_", "-")] = function
    return found
