"""Problems with another head: one value of the prediction and of the loss is computed otherwise.

The gradient is that of the changed loss; one written by hand belongs to the old one. A problem whose update
is written by hand has no such repair.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jaxnets.diagnose.heads import Head
from jaxnets.diagnose.problem import Problem
from jaxnets.diagnose.program import Program


def with_head(problem: Problem, head: Head, function: Callable) -> Problem | None:
    """The problem with another function between the last layer and the outputs, for prediction and loss."""
    if problem.update is not None or head.cut is None or head.cut[0] not in head.predict.ends:
        return None
    (start, other_start), (end, other_end) = head.free, head.cut
    if start == end or np.shape(head.predicted[start]) != np.shape(head.predicted[end]):
        return None
    return problem.replace(
        predict=_instead(problem.predict, start, end, function),
        loss=_instead(problem.loss, other_start, other_end, function),
        gradient=None,
    )


def with_logits(problem: Problem, head: Head) -> Problem | None:
    """The problem whose loss takes the last layer's outputs for logits, as they are."""
    start, end = head.free[1], head.link.place
    if problem.update is not None or start == end:
        return None
    return problem.replace(loss=_instead(problem.loss, start, end, lambda z: z), gradient=None)


def by_row(problem: Problem, head: Head | None) -> Problem | None:
    """The problem with a softmax over each row's outputs, where the loss takes what is predicted."""
    return None if head is None or head.free is None else with_head(problem, head, jax.nn.softmax)


def rescaled(problem: Problem, head: Head, function: Callable) -> Problem | None:
    """The problem whose outputs are a function of what they were, for prediction and loss."""
    if problem.update is not None or head.cut is None or head.cut[0] not in head.predict.ends:
        return None
    place, other = head.cut
    return problem.replace(
        predict=_instead(problem.predict, place, place, function),
        loss=_instead(problem.loss, other, other, function),
        gradient=None,
    )


def _instead(original: Callable, start: int, end: int, function: Callable) -> Callable:
    """A function in which one value is computed from an earlier one, by ``function``."""

    def again(*given: Any) -> Any:
        program = Program(original, *given)
        return program.results(program.run(*given, replaced={end: lambda known: function(known[start])}))

    return again
