"""Losses that look at one of two classes alone: a hinge of labels 0 and 1, half of a cross-entropy."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.diagnose.heads import Head
from jaxnets.diagnose.problem import Problem


class Side(NamedTuple):
    """One of two classes, with a single output for both, of whose rows the loss sees nothing.

    Attributes:
        value: the target of the rows that the loss has no slope at, whatever is put out for them.
        other: that of all others.
        share: of the rows.
        is_margin: whether the loss means the negative of the other value: with it, it mirrors that class.
    """

    value: float
    other: float
    share: float
    is_margin: bool


def unseen_side(problem: Problem, head: Head) -> Side | None:
    """The class that the loss does not look at, if there is one.

    Args:
        head: of the problem, at rows of both classes.
    """
    targets, outputs = head.targets, head.outputs
    if head.free is None or targets is None or outputs is None or head.slopes[0].size != targets.size:
        return None
    values = np.unique(targets)
    slopes = np.abs(head.slopes).max(axis=0).reshape(targets.shape)
    if len(values) != 2 or not len(outputs) == outputs.size == targets.size or not np.isfinite(slopes).all():
        return None
    for value, other in (values.tolist(), values[::-1].tolist()):
        if not slopes[targets == value].any() and (slopes[targets == other] > 0).all():
            share = float((targets == value).mean())
            return Side(value, other, share, _is_margin(problem, head, value, other))
    return None


def _is_margin(problem: Problem, head: Head, value: float, other: float) -> bool:
    """Whether the loss, where the unseen value is replaced by the other's negative, is a margin's: it is not
    negative, and asks those rows for the opposite."""
    swapped = np.where(head.targets == value, -other, other).astype(head.targets.dtype)
    if (swapped == head.targets).all() or np.unique(swapped).size < 2:
        return False
    again = Head(problem, head.params, head.batch._replace(targets=swapped))
    if again.free is None or again.slopes.shape != head.slopes.shape:
        return False
    losses = [float(again.loss_of(jnp.asarray(one))[0]) for one in again.draws]
    signs = [
        np.sign(again.slopes.reshape(-1, swapped.size)[:, swapped.ravel() == one]) for one in (-other, other)
    ]
    return min(losses) >= 0 and (signs[0] >= 0).all() != (signs[1] >= 0).all() and bool(signs[0].any())


def with_targets(problem: Problem, side: Side) -> Problem:
    """The problem whose targets are plus and minus one value."""

    def swapped(batch: object) -> object:
        if batch is None:
            return None
        new = jax.tree.map(
            lambda leaf: np.where(leaf == side.value, -side.other, leaf).astype(leaf.dtype), batch.targets
        )
        return batch.inputs, new

    return problem.replace(
        data=swapped(problem.data), valid=swapped(problem.valid), test=swapped(problem.test)
    )
