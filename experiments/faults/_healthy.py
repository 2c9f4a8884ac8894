"""Healthy problems by name: what looks odd and is not. Every error or warning about one is a false alarm."""

from __future__ import annotations

from experiments.faults import (
    _healthy_classics,
    _healthy_classification,
    _healthy_data,
    _healthy_odd,
    _healthy_practice,
    _healthy_regression,
    _healthy_sequence,
    _healthy_starts,
    _healthy_steps,
    _healthy_tables,
)

PROBLEMS = {
    name: make
    for module in (
        _healthy_classification, _healthy_regression, _healthy_sequence, _healthy_starts, _healthy_steps,
        _healthy_data, _healthy_odd, _healthy_classics, _healthy_tables, _healthy_practice,
    )
    for name, make in module.PROBLEMS.items()
}  # fmt: skip
"""Makers, ``() -> Problem``."""
