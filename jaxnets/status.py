"""How a run stands: ok, diverged or converged, judged after every step without leaving the program."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxnets.check import InputError
from jaxnets.types import Array, Bool, Float, Int, Metrics, State, Targets

OK, DIVERGED, CONVERGED = range(3)
NAMES = ("ok", "diverged", "converged")
ABSURD = 1e4
"""A loss this many times the scale of the task (see :class:`Status`) will not come back."""


class Status(NamedTuple):
    """How a run stands.

    Attributes:
        code: ``OK``, ``DIVERGED`` or ``CONVERGED``; in words ``NAMES[code]``.
        step: updates made and kept; a diverged run broke in the next one.
        limit: the loss above which the run counts as diverged: ``ABSURD`` times the largest of 1,
            the first loss and the square of the largest target.

    Losses are judged step by step. The state itself is looked at when a segment ends: numbers there that are
    no longer finite are divergence too, though no loss has shown it yet. What the very last update did
    to a state that stays finite only a further loss could tell.
    """

    code: Int[Array, "*lanes"]
    step: Int[Array, "*lanes"]
    limit: Float[Array, "*lanes"]


def begin(targets: Targets) -> Status:
    """The status before the first step; the limit still lacks the first loss."""
    largest = [jnp.max(jnp.abs(jnp.asarray(leaf, float))) for leaf in jax.tree.leaves(targets)]
    scale = jnp.max(jnp.stack([jnp.ones(()), *largest])) ** 2
    return Status(jnp.int32(OK), jnp.int32(0), ABSURD * scale)


def after_step(status: Status, metrics: Metrics) -> tuple[Status, Bool[Array, ""]]:
    """The status after one more step, and whether the step is to be kept.

    A step is kept while the run is ok and its loss is finite and not absurd. A true ``converged``
    among the metrics ends the run with that step.

    >>> import jax.numpy as jnp
    >>> status, kept = after_step(begin(jnp.zeros(3)), {"loss": jnp.float32(jnp.nan)})
    >>> NAMES[int(status.code)], int(status.step), bool(kept)
    ('diverged', 0, False)
    """
    if "loss" not in metrics:
        raise InputError(f"a learner's step gave the metrics {sorted(metrics)}, 'loss' is needed among them")
    loss, active = jnp.asarray(metrics["loss"]), status.code == OK
    first_limit = jnp.maximum(status.limit, ABSURD * jnp.abs(loss))
    limit = jnp.where(status.step == 0, jnp.where(active, first_limit, status.limit), status.limit)
    kept = active & jnp.isfinite(loss) & (loss <= limit)
    ended = jnp.where(metrics.get("converged", False), CONVERGED, OK)
    code = jnp.where(active, jnp.where(kept, ended, DIVERGED), status.code).astype(jnp.int32)
    return Status(code, status.step + kept, limit), kept


def selected(kept: Bool[Array, ""], new: State, old: State) -> State:
    """Number by number, in the loop that makes the new state: no copy of it is made."""
    return jax.tree.map(lambda new, old: jnp.where(kept, new, old), new, old)


def branched(kept: Bool[Array, ""], new: State, old: State) -> State:
    """As a whole: the compiler rounds the update as it does where nothing is asked."""
    return jax.lax.cond(kept, lambda: new, lambda: old)


def after_segment(status: Status, before: State, after: State) -> Status:
    """Diverged where an array of the state stopped being finite: no loss after it shows the last update."""
    broke = jnp.asarray(False)
    for old, new in zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True):
        if jnp.issubdtype(new.dtype, jnp.inexact):
            broke |= jnp.isfinite(old).all() & ~jnp.isfinite(new).all()
    return status._replace(code=jnp.where(broke, DIVERGED, status.code).astype(jnp.int32))
