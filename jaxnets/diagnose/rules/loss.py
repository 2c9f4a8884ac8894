"""Rules on the loss: what it is smallest at, and whether that is what is predicted."""

from __future__ import annotations

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.diagnose.finding import Finding
from jaxnets.diagnose.heads import Head
from jaxnets.diagnose.probe import Probe
from jaxnets.diagnose.problem import Problem
from jaxnets.diagnose.quick import quick
from jaxnets.types import Array, PyTree

AGREES = 0.9
"""Share of rows whose best prediction is the target; a loss that is free to choose reaches 1."""
FAILS = 0.6
"""Below this the loss wants something else."""
FAR = 6.0
"""An initial loss of so many times the uninformed one; raw inputs of some units give half of that."""
FAR_WITHOUT_LINK = 10.0
"""Likewise where that is not known."""
SMALLER = (0.03, 0.01)
"""Scales of weights whose loss is then that of knowing nothing."""
FAR_OFF = 100.0
"""Likewise where values are predicted: outputs ten times as large as the targets."""


def loss_not_minimal_at_target(probe: Probe) -> Iterator[Finding]:
    """The loss is smallest elsewhere than at the targets: outputs that it is free to choose leave them.

    The last layer's outputs are chosen, row by row, so that the loss is smallest (L-BFGS). What is predicted
    then must be the label, or rise with the target (a log rate does). Fires where fewer than 60 % of the
    labels come out, or the concordance with the targets is below 0.6; silent where the search did
    not get below the loss at the targets, and where the loss just has the wrong sign (see ``loss-sign``).
    So is a loss of two classes and one output that has no slope at the rows of one of them.
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
    found, head = _wish(probe), probe.head
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
    labels, or a concordance of 0.9), and not where it is smallest.
    """
    found, problem = _wish(probe), probe.problem
    if found is None or found >= FAILS or not _is_reversed(probe):
        return
    yield Finding(
        "loss-sign", "error", {"agreement where the loss is smallest": found},
        "the loss is largest at the targets: to minimise it is to leave them",
        "turn the sign of the loss",
        _negated(problem),
    )  # fmt: skip


def _negated(problem: Problem) -> Problem:
    return problem.replace(loss=lambda *given: -problem.loss(*given), gradient=None)


def _wish(probe: Probe) -> float | None:
    """How well the best predictions agree with the targets; None where that cannot be told."""
    head = probe.head
    if head is None or head.free is None or (head.labels is None and head.values is None):
        return None
    if head.labels is not None and not np.isin(head.labels, np.arange(head.outputs.shape[-1])).all():
        return None  # counts, or labels-out-of-range
    found = _agreement(head, head.wished[0], probe.reach)
    return None if found is not None and found <= -AGREES and _may_fall(head) else found


def _may_fall(head: Head) -> bool:
    """Whether what is predicted may well fall with the target: a hazard does, yes or no and -y do not."""
    if head.values is None or np.unique(head.values).size < 3:
        return False
    off = np.abs(head.wished[0] + head.values).mean()
    return bool(off > 0.1 * np.abs(head.values).mean())


def _is_wanted(probe: Probe) -> bool:
    """Whether what the loss compares with, read off its gradient, agrees with the targets already."""
    link, outputs = probe.head.link, probe.head.outputs
    if link is None or link.wanted.size != outputs.size:
        return False
    found = _agreement(probe.head, link.wanted.reshape(outputs.shape), (-np.inf, np.inf))
    return found is not None and found >= AGREES


def _is_reversed(probe: Probe) -> bool:
    found = _agreement(probe.head, probe.head.shunned[0], probe.reach)
    return found is not None and found >= AGREES


def _agreement(head: Head, predictions: np.ndarray, reach: tuple[float, float]) -> float | None:
    """Of predictions with the labels, as a share; or with values that can be reached, as a concordance."""
    looked_at = _looked_at(head)
    if looked_at is None:
        return None
    if head.labels is not None:
        is_right = (predictions.argmax(axis=-1) == head.labels)[looked_at]
        return float(is_right.mean()) if is_right.size else None
    parts = (predictions, np.clip(head.values, *reach), looked_at)
    columns = [part.reshape(len(part), -1).T for part in parts]
    found = [_concordance(p[use], t[use]) for p, t, use in zip(*columns, strict=True)]
    usable = [one for one in found if one is not None]
    return float(np.mean(usable)) if usable else None


def _looked_at(head: Head) -> np.ndarray | None:
    """Which labels or values the loss depends on at all: padding and masks are left out."""
    slopes = np.abs(np.nan_to_num(head.slopes, nan=1.0)).max(axis=0)
    if head.labels is not None:
        slopes = slopes.max(axis=-1) if slopes.ndim == head.outputs.ndim else None
        return None if slopes is None or slopes.shape != head.labels.shape else slopes > 0
    return slopes.reshape(head.values.shape) > 0 if slopes.size == head.values.size else None


def _concordance(predictions: np.ndarray, targets: np.ndarray) -> float | None:
    """Of all pairs with different targets: the share ordered alike less the share ordered the other way."""
    if len(targets) < 4 or np.ptp(targets) == 0 or not np.isfinite(predictions).all():
        return None
    ours, theirs = (np.sign(one[:, None] - one[None, :]) for one in (predictions, targets))
    return float((ours * theirs).sum() / np.abs(theirs).sum())


def _is_believed(head: Head) -> bool:
    """Whether the search for the smallest loss can be believed: it is below that at the targets."""
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
    return not at_targets < head.wished[1] - 1e-3 * abs(before - head.wished[1])


def initial_loss_off(probe: Probe) -> Iterator[Finding]:
    """The loss before the first step is far above that of the uninformed prediction, ln k for k classes.

    Measured against the loss at outputs of the last layer that are all zero: a cross-entropy of six times
    that means confident nonsense, which training has to undo first; of values a hundred times, since
    targets that are far from zero are no mistake of the initialisation. Where the loss does not compare
    outputs with targets one by one (pairs of vectors over a temperature), it is ten times that of weights
    of a hundredth of their size, if those of 0.03 give the same within a tenth. (Goodfellow, Bengio &
    Courville 8.4; He et al. 2015.)
    """
    head = probe.head
    if head is None or head.link is None:
        yield from _far_from_small(probe)
        return
    if head.link.place != head.free[1]:
        return
    start = head.loss.run(probe.params, *head.batch)[head.free[1]]
    here, zero = (float(head.loss_of(jnp.asarray(one))[0]) for one in (start, jnp.zeros_like(start)))
    bound = FAR_OFF if head.link.name == "values" else FAR
    if head.link.name not in ("values", "softmax", "sigmoid") or not zero > 0 or not here > bound * zero:
        return
    yield _off(probe, here, zero, "loss of outputs that are zero", float(np.sqrt(zero / here)) / 10)


def _far_from_small(probe: Probe) -> Iterator[Finding]:
    """The same by the weights' scale, whatever the loss looks like inside."""
    loss = quick(lambda scale: probe.problem.loss(_shrunk(probe.params, scale), *probe.batch))
    here, small, tiny = (float(loss(scale)) for scale in (1.0, *SMALLER))
    if 0 < FAR_WITHOUT_LINK * tiny < here and abs(small - tiny) < 0.1 * tiny:
        yield _off(probe, here, tiny, f"loss with weights {SMALLER[1]:g} times as large", SMALLER[0])


def _off(probe: Probe, here: float, uninformed: float, words: str, factor: float) -> Finding:
    return Finding(
        "initial-loss-off", "warning", {"loss at the start": here, words: uninformed},
        f"the loss begins at {here:.4g}; knowing nothing costs {uninformed:.4g}",
        "a smaller initialisation, the last layer's above all (or standardised inputs, vectors of length 1)",
        _smaller(probe.problem, factor),
    )  # fmt: skip


def _shrunk(params: PyTree, scale: Array | float) -> PyTree:
    """All weights, which have two axes or more, scaled."""
    return jax.tree.map(lambda leaf: leaf * scale if jnp.ndim(leaf) > 1 else leaf, params)


def _smaller(problem: Problem, factor: float) -> Problem:
    """The problem with all of its initial params of two axes or more scaled."""
    return problem.replace(init=lambda key: _shrunk(problem.init(key), factor))


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
