"""What a loss wants: outputs that it is free to choose, against the targets."""

from __future__ import annotations

import numpy as np

from jaxnets.diagnose.heads import Head
from jaxnets.diagnose.probe import Probe

AGREES = 0.9
"""Share of rows whose best prediction is the target; a loss that is free to choose reaches 1."""
FAILS = 0.6
"""Below this the loss wants something else."""
UNRESOLVED = 1e-5
"""Of the outputs at which the search begins: targets that differ by less it does not tell apart."""


def wish(probe: Probe) -> float | None:
    """How well the best predictions agree with the targets; None where that cannot be told."""
    head = probe.head
    if head is None or head.free is None or (head.labels is None and head.values is None):
        return None
    if not np.isfinite(probe.loss):
        return None
    if head.values is not None and np.ptp(head.values) < UNRESOLVED * np.abs(head.draws).max():
        return None
    if head.labels is not None and not np.isin(head.labels, np.arange(head.outputs.shape[-1])).all():
        return None  # counts, or labels-out-of-range
    found = agreement(head, head.wished[0], probe.reach)
    return None if found is not None and found <= -AGREES and _may_fall(head) else found


def _may_fall(head: Head) -> bool:
    """Whether what is predicted may well fall with the target: a hazard does, yes or no and -y do not."""
    if head.values is None or np.unique(head.values).size < 3:
        return False
    off = np.abs(head.wished[0] + head.values).mean()
    return bool(off > 0.1 * np.abs(head.values).mean())


def agreement(head: Head, predictions: np.ndarray, reach: tuple[float, float]) -> float | None:
    """Of predictions with the labels, as a share; or with values that can be reached, as a concordance."""
    used = looked_at(head)
    if used is None:
        return None
    if head.labels is not None:
        is_right = (predictions.argmax(axis=-1) == head.labels)[used]
        return float(is_right.mean()) if is_right.size else None
    parts = (predictions, np.clip(head.values, *reach), used)
    columns = [part.reshape(len(part), -1).T for part in parts]
    found = [_concordance(p[is_in], t[is_in]) for p, t, is_in in zip(*columns, strict=True)]
    usable = [one for one in found if one is not None]
    return float(np.mean(usable)) if usable else None


def looked_at(head: Head) -> np.ndarray | None:
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
