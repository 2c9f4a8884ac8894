"""Rules on the loss: what it is smallest at, and whether that is what is predicted."""

from __future__ import annotations

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.diagnose.finding import Finding
from jaxnets.diagnose.fit import correlation
from jaxnets.diagnose.heads import Head
from jaxnets.diagnose.probe import Probe
from jaxnets.diagnose.problem import Problem
from jaxnets.diagnose.quick import quick
from jaxnets.diagnose.wish import AGREES, FAILS, agreement, looked_at, wish
from jaxnets.types import Array, PyTree

FASTER = 30.0
"""How much further a loss falls with outputs ten times as large: 10 in proportion, 100 as their square."""
RECODED = 0.98
"""Correlation of what the loss wants with targets that it takes in other numbers."""
BELOW = 1e-4
"""Share of a loss's way down by which it must be smaller than at the targets."""
APART = 0.1
"""Share of the way to the targets that is left where a loss is as small as at them."""
OFF, AT_BOUND = 0.05, 0.02
"""Of the targets' deviation; and share of rows at a bound that the loss wants there though they are not."""


def loss_not_minimal_at_target(probe: Probe) -> Iterator[Finding]:
    """The loss is smallest elsewhere than at the targets: outputs that it is free to choose leave them.

    The last layer's outputs are chosen, row by row, so that the loss is smallest (L-BFGS). What is predicted
    then must be the label, or rise with the target (a log rate does). Fires where fewer than 60 % of the
    labels come out, or the concordance with the targets is below 0.6; silent where the search did
    not get below the loss at the targets, and where the loss just has the wrong sign (see ``loss-sign``).
    So is a loss of two classes and one output that has no slope at the rows of one of them; and one that
    wants outputs at their bound where the targets lie within (rates that are taken for their logarithms).
    Also found so: outputs ``[n, 1]`` and targets ``[n]`` that are broadcast to ``[n, n]``, an error
    without its square, a difference of squares. (Bishop 1.5.5: which prediction a loss asks for.)
    """
    side = probe.unseen_side
    if side is not None and not side.is_margin:
        yield Finding(
            "loss-not-minimal-at-target", "error",
            {"target": side.value, "share of rows that the loss does not look at": side.share},
            f"rows of target {side.value:g} have no loss, whatever is put out for them: a term is missing",
            "give both classes a term: y log p + (1 - y) log(1 - p)",
        )  # fmt: skip
        return
    found, head = wish(probe), probe.head
    if found is not None and found >= FAILS and (share := _out_of_reach(probe)):
        low, high = probe.reach
        yield Finding(
            "loss-not-minimal-at-target", "error", {"share of rows": share, "reachable": [low, high]},
            f"outputs can be the targets, the loss wants {share:.0%} of them beyond [{low:.3g}, {high:.3g}]",
            "let the loss take the outputs for what they are: for rates, not for their logarithms",
        )  # fmt: skip
        return
    if found is None or found >= FAILS or _is_wanted(probe) or _is_reversed(probe) or not _is_believed(head):
        return
    evidence = {"agreement of the best outputs with the targets": found}
    shapes = np.shape(head.lost[head.free[1]]), head.targets.shape
    is_broadcast = head.values is not None and shapes[0] != shapes[1]
    if is_broadcast:
        evidence |= {"shape of the outputs": shapes[0], "shape of the targets": shapes[1]}
    yield Finding(
        "loss-not-minimal-at-target", "error", evidence,
        "the loss is smallest where the predictions are not the targets"
        + f": {list(shapes[0])} and {list(shapes[1])} are broadcast" * is_broadcast,
        "give outputs and targets one shape" if is_broadcast
        else "take a distance that is zero at the targets: a squared error, a cross-entropy",
    )  # fmt: skip


def loss_sign(probe: Probe) -> Iterator[Finding]:
    """The loss falls away from the targets and is largest at them: its sign is to be turned.

    The last layer's outputs are chosen so that the loss is largest: then the targets come out (90 % of the
    labels, or a concordance of 0.9), and not where it is smallest. Where outputs and targets are no such
    pairs, the loss must fall faster and faster without end whichever way the outputs go, and as all params
    grow: a log-likelihood with its own sign, where a loss has a minimum.
    """
    found, problem = wish(probe), probe.problem
    if found is None and _falls_everywhere(probe):
        measured, message = (
            {"loss of outputs 10 and 100 times as large": "falls"},
            "whichever way the outputs go",
        )
    elif found is not None and found < FAILS and _is_reversed(probe):
        measured, message = {"agreement where the loss is smallest": found}, ""
    else:
        return
    yield Finding(
        "loss-sign", "error", measured,
        f"the loss falls without end {message}: it is largest where it should be smallest" if message
        else "the loss is largest at the targets: to minimise it is to leave them",
        "turn the sign of the loss",
        _negated(problem),
    )  # fmt: skip


def _negated(problem: Problem) -> Problem:
    return problem.replace(loss=lambda *given: -problem.loss(*given), gradient=None)


def _falls_everywhere(probe: Probe) -> bool:
    """Whether outputs and params that grow bring the loss down without end, in all directions.

    Faster than in proportion: so may fall what is added up (a critic's difference of means, a return).
    """
    head = probe.head
    if head is None or head.free is None:
        return False
    falls = []
    for one in (*head.draws, *-head.draws):
        start, near, far = (float(head.loss_of(scale * one)[0]) for scale in (0.0, 10.0, 100.0))
        falls.append(far < near < start and not start - far < FASTER * (start - near))
    loss = quick(lambda scale: probe.problem.loss(_scaled(probe.nudged, scale), *probe.some))
    start, near, far = (float(loss(scale)) for scale in (1.0, 10.0, 100.0))
    return all(falls) and near < start and (far < near or near == -np.inf)


def _scaled(params: PyTree, scale: Array | float) -> PyTree:
    """All params that are numbers, scaled."""
    return jax.tree.map(
        lambda leaf: leaf * scale if jnp.issubdtype(leaf.dtype, jnp.inexact) else leaf, params
    )


def _out_of_reach(probe: Probe) -> float:
    """Share of rows whose target can be reached, where the loss wants a bound of the outputs or beyond.

    0 where the outputs have no bound, or where what the loss wants is near the targets all the same, or
    these in other numbers: labels 0 and 1 that are -1 and 1 inside of the loss.
    """
    head, (low, high) = probe.head, probe.reach
    values = head.values
    if values is None or not np.isfinite([low, high]).any() or not np.isfinite(values).all():
        return 0.0
    wished, spread = head.wished[0].astype(float), float(values.std())
    is_within = (values > low + OFF * spread) & (values < high - OFF * spread)
    is_bound = (wished < low + OFF * spread) | (wished > high - OFF * spread)
    if not np.isfinite(wished).all() or not is_within.any():
        return 0.0
    if np.square(wished - values)[is_within].mean() < 0.5 * spread**2:
        return 0.0
    if abs(correlation(wished.reshape(len(wished), -1), values.reshape(len(values), -1))) > RECODED:
        return 0.0
    share = float((is_within & is_bound & looked_at(head)).mean())
    return share if share > AT_BOUND else 0.0


def _is_wanted(probe: Probe) -> bool:
    """Whether what the loss compares with, read off its gradient, agrees with the targets already."""
    link, outputs = probe.head.link, probe.head.outputs
    if link is None or link.wanted.size != outputs.size:
        return False
    found = agreement(probe.head, link.wanted.reshape(outputs.shape), (-np.inf, np.inf))
    return found is not None and found >= AGREES


def _is_reversed(probe: Probe) -> bool:
    found = agreement(probe.head, probe.head.shunned[0], probe.reach)
    return found is not None and found >= AGREES


def _is_believed(head: Head) -> bool:
    """Whether the search for the smallest loss can be believed: it is below that at the targets.

    Or as low, far from them: a mean of errors squared, after the sum, is. Not where these are as good but for
    rounding, or the loss is NaN or infinite there.
    """
    if head.labels is not None:
        classes = np.arange(head.outputs.shape[-1])
        ideal = 4.0 * (classes == head.labels[..., None])
    elif head.free == head.cut and head.cut[0] in head.predict.ends:
        ideal = head.values
    else:
        return True
    shape = np.shape(head.lost[head.free[1]])
    if ideal.size != np.prod(shape):
        return False
    points = (ideal.reshape(shape), head.draws[0])
    at_targets, before = (float(head.loss_of(jnp.asarray(one, jnp.float32))[0]) for one in points)
    lowest, fall = head.wished[1], abs(before - head.wished[1])
    if at_targets > lowest + BELOW * fall:
        return True
    return head.labels is None and at_targets > lowest - BELOW * fall and _is_apart(head, points)


def _is_apart(head: Head, points: tuple[np.ndarray, np.ndarray]) -> bool:
    """Whether the outputs that were found are about as far from the targets as those before the search."""
    targets, before = (np.asarray(one, float) for one in points)
    found = np.asarray(head.wished[0], float).reshape(targets.shape)
    return bool(np.square(found - targets).mean() > APART**2 * np.square(before - targets).mean())


def predict_differs_from_loss(probe: Probe) -> Iterator[Finding]:
    """The prediction runs another network than the loss trains: from the same params, another last layer.

    Fires where the last contractions of both take the same weights but give other numbers for the same rows,
    by more than a hundredth of their size, though the loss draws nothing (dropout) and treats rows one by
    one (no batch statistics).
    """
    head = probe.head
    difference = None if head is None else head.difference
    if difference is not None and difference > 0.01:
        yield Finding(
            "predict-differs-from-loss", "warning", {"relative difference of the last layer": difference},
            "predict and loss compute different outputs from the same params and rows",
            "let the loss call predict, or both call one function",
        )  # fmt: skip
