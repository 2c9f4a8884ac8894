"""Rules on the targets: what the loss takes them for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from jaxnets.diagnose.finding import Finding
from jaxnets.diagnose.heads import Head
from jaxnets.diagnose.probe import Probe
from jaxnets.diagnose.sides import with_targets

SEVERAL = 3
"""Different values that a column of whole numbers needs; two are a yes or no."""
MOST_LEVELS = 10
"""More different whole numbers are counts, which may well be taken for a continuum."""
RARE_LEVEL = 0.04
"""Counts have levels that are rarer; categories seldom do."""

SLACK = 0.02
"""By which a target read off a gradient in float32 may leave [0, 1]."""


def integer_targets(probe: Probe) -> Iterator[Finding]:
    """A squared error on targets that are whole numbers: categories or an order, not a continuum.

    Fires where the loss compares outputs with targets as values, and a column of the targets holds whole
    numbers only, three at least, beside columns that do not, or is alone and has three to ten levels, none
    rarer than 4 % (counts have rarer ones, and more). A head of its own for that column, a softmax over the
    levels or an ordinal one, would be right more often than rounding is. (McCullagh 1980, Regression models
    for ordinal data; Bishop 5.6 for mixed heads.)
    """
    head, targets = probe.head, probe.targets
    if head is None or head.link is None or head.link.name != "values" or head.values is None:
        return
    columns = targets.reshape(len(targets), -1).astype(float)
    if columns.shape[1] > 16 or not np.isfinite(columns).all() or _are_inputs(probe, columns):
        return
    levels = [np.unique(column, return_counts=True) for column in columns.T]
    whole = [_is_whole(*one, len(columns)) for one in levels]
    continuous = [bool((one != np.round(one)).any()) for one, _ in levels]
    is_mixed = any(whole) and any(continuous)
    alone = columns.shape[1] == 1 and whole[0] and len(levels[0][0]) <= MOST_LEVELS
    if is_mixed or (alone and levels[0][1].min() >= RARE_LEVEL * len(columns)):
        found = [place for place, one in enumerate(whole) if one]
        yield Finding(
            "integer-targets", "warning",
            {"columns of whole numbers": found, "levels": [len(levels[place][0]) for place in found]},
            f"target column {', '.join(map(str, found))} is whole numbers; the loss takes it for a continuum",
            "give it a softmax over its levels (or an ordinal head) with cross-entropy",
        )  # fmt: skip


def _is_whole(levels: np.ndarray, counts: np.ndarray, num_rows: int) -> bool:
    return bool((levels == np.round(levels)).all() and SEVERAL <= len(levels) <= num_rows / 4)


def _are_inputs(probe: Probe, columns: np.ndarray) -> bool:
    return probe.inputs.shape == columns.shape and bool((probe.inputs == columns).all())


def labels_out_of_range(probe: Probe) -> Iterator[Finding]:
    """Labels that are none of the outputs' classes, as the loss sees them.

    A cross-entropy's gradient is a multiple of ``h(z) - t``; so what the loss takes for the target, t, is
    read off it. Fires where t leaves [0, 1] (labels -1 and 1, or 1 to 5, in a binary cross-entropy), where
    several labels beyond the outputs mean nothing, NaN, or the class of another label, where whole
    numbers are compared with several outputs at once, and where the loss of a margin (a hinge) has no slope
    at the rows of one class, but would with the other's negative. (Bishop 4.3.4: one-hot targets.)
    """
    head = probe.head
    if head is None or head.outputs is None:
        return
    side = probe.unseen_side
    if side is not None and side.is_margin:
        yield Finding(
            "labels-out-of-range", "error",
            {"targets": [side.value, side.other], "share of rows that the loss does not look at": side.share},
            f"rows of target {side.value:g} have no loss, whatever is put out: "
            f"it means {-side.other:g} and {side.other:g}",
            f"give the classes as {-side.other:g} and {side.other:g}",
            with_targets(probe.problem, side),
        )  # fmt: skip
        return
    evidence = _unlike_one_hot(head) or _beyond_classes(probe, head)
    if evidence:
        yield Finding(
            "labels-out-of-range", "error", evidence,
            "the loss takes targets for classes that are none: " + ", ".join(evidence),
            "number the classes 0 to k - 1, with k outputs, or give them one-hot",
        )  # fmt: skip


def _unlike_one_hot(head: Head) -> dict[str, Any]:
    """What the loss wants of the outputs, where that is no class."""
    link, targets = head.link, head.targets
    if link is None or targets is None:
        return {}
    wanted = link.wanted
    usable = wanted[np.isfinite(wanted)]
    several = wanted.ndim > 1 and wanted.shape[-1] > 1
    whole = bool((targets == np.round(targets)).all())
    if link.name == "sigmoid" and (np.abs(usable - 0.5) > 0.5 + SLACK).mean() > 0.01:
        return {"wanted of a sigmoid": [float(usable.min()), float(usable.max())]}
    is_one_column = several and whole and targets.size == wanted.size // wanted.shape[-1]
    if is_one_column and link.name in ("values", "sigmoid"):
        same = np.ptp(np.nan_to_num(wanted), axis=-1).max() < SLACK < np.ptp(usable)
        return {"outputs compared with one label": wanted.shape[-1]} if same else {}
    is_each = several and targets.shape == wanted.shape and np.isin(targets, (0, 1)).all()
    if is_each and link.name == "softmax":
        share = float((targets.sum(axis=-1) > 1).mean())
        return {"share of rows with several classes in a softmax": share} if share > 0.05 else {}
    return {}


def _beyond_classes(probe: Probe, head: Head) -> dict[str, Any]:
    """Labels outside of 0..k-1 that the loss cannot tell from others, or that move nothing.

    One label beside those of classes may mark places without any: the loss has no slope there. It must be
    negative, or the loss of equal outputs be that of the other places alone, ``ln k``: a one-hot code of
    zeros has no slope either, but is counted.
    """
    labels, all_labels = head.labels, probe.targets
    if labels is None or head.targets.shape == head.outputs.shape or head.free is None:
        return {}
    k = head.outputs.shape[-1]
    outside = (all_labels < 0) | (all_labels >= k)
    evidence = {"labels": [int(all_labels.min()), int(all_labels.max())], "outputs": k}
    if not outside.any():
        return {}
    if ((labels < 0) | (labels >= k)).any() and not np.isfinite(head.loss_of(head.draws[0])[0]):
        return evidence | {"the loss": "NaN or infinite"}
    if not _is_choice(head):
        return {}
    flat, slopes = labels.ravel(), head.slopes.reshape(len(head.slopes), labels.size, -1)
    places = np.flatnonzero((flat < 0) | (flat >= k))
    is_mark = _is_mark(head, all_labels, all_labels[outside])
    if is_mark:
        places = places[(slopes[:, places] != 0).any(axis=(0, 2))]
    if not len(places):
        return {} if is_mark else evidence
    aims = [_aim(slopes[:, place]) for place in range(len(flat))]
    inside = {aims[place]: flat[place] for place in np.flatnonzero((flat >= 0) & (flat < k))}
    lost = [one for one in places if aims[one] is None or inside.get(aims[one], flat[one]) != flat[one]]
    return evidence | {"share that means nothing": len(lost) / len(places)} if lost else {}


def _is_mark(head: Head, labels: np.ndarray, outside: np.ndarray) -> bool:
    """Whether labels beyond the classes can stand for none."""
    if not np.isin(0, labels) or np.unique(outside).size > 1:
        return False
    uninformed = float(np.log(head.outputs.shape[-1]))
    is_left_out = abs(float(head.loss_of(np.zeros_like(head.draws[0]))[0]) - uninformed) < 0.01 * uninformed
    return bool((outside < 0).all()) or is_left_out


def _is_choice(head: Head) -> bool:
    """Whether the loss asks which output is largest: it stays the same when all grow alike, or is NaN."""
    if head.free is None:
        return False
    sizes = np.abs(head.slopes).max(initial=0)
    return not np.isfinite(sizes) or bool(np.abs(head.slopes.sum(axis=-1)).max(initial=0) <= 1e-3 * sizes)


def _aim(slopes: np.ndarray) -> int | None:
    """The output that the loss wants larger; None where it wants nothing, or is NaN."""
    if not np.isfinite(slopes).all() or not np.abs(slopes).max() > 0:
        return None
    return int(slopes.mean(axis=0).argmin())
