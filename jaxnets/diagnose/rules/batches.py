"""Rules on what a row's prediction has to do with the other rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from jaxnets.diagnose.finding import Finding
from jaxnets.diagnose.probe import Probe
from jaxnets.diagnose.quick import quick
from jaxnets.diagnose.repairs import by_row

DEPENDS = 1e-3
"""Relative change of an output; sums in another order change it by 1e-6."""


def batch_dependence(probe: Probe) -> Iterator[Finding]:
    """What is predicted for a row depends on the other rows: a softmax over the batch, its statistics.

    All other rows are exchanged, the first stays: its outputs must. Fires where they change by more than a
    thousandth of the outputs' size (rounding changes them by a millionth), at initial or moved params. A
    training-time normalisation inside of the loss alone is legitimate; a softmax over rows there is not.
    (Ioffe & Szegedy 2015, Batch normalization, section 3.1: fixed statistics when predicting.)
    """
    change = max(_change(probe, params) for params in (probe.params, probe.nudged))
    sums = _sums(probe)
    in_loss = probe.head is not None and probe.head.link is not None and "over" in probe.head.link.name
    if change <= DEPENDS and not (in_loss and np.ndim(probe.head.lost[probe.head.link.place]) > 1):
        return
    where = "prediction" if change > DEPENDS else "loss"
    evidence = {"relative change by other rows": change} if change > DEPENDS else {}
    evidence |= {"sum of the outputs over": sums} if sums else {}
    evidence |= {"the loss takes a": probe.head.link.name} if in_loss else {}
    yield Finding(
        "batch-dependence", "error", evidence,
        f"the {where} for a row depends on the other rows" + f": outputs sum to 1 over {sums}" * bool(sums),
        "normalise over each row's outputs (axis=-1), not over the batch" if sums or in_loss
        else "use fixed statistics when predicting, none of the batch",
        by_row(probe.problem, probe.head) if sums else None,
    )  # fmt: skip


def _change(probe: Probe, params: Any) -> float:
    """Of the first row's outputs, relative, where all other rows are exchanged."""
    inputs = probe.some.inputs
    others = jax.tree.map(
        lambda leaf: np.concatenate([leaf[:1], np.broadcast_to(leaf[-1:], leaf[1:].shape)]), inputs
    )
    predict = quick(probe.problem.predict)
    first, second = (np.asarray(jax.tree.leaves(predict(params, one))[0], float) for one in (inputs, others))
    if first.ndim == 0 or len(first) != len(jax.tree.leaves(inputs)[0]) or len(first) < 2:
        return 0.0
    scale = np.abs(first).max(initial=0)
    found = np.abs(first[0] - second[0]).max(initial=0) / scale if np.isfinite(scale) and scale else 0.0
    return float(found) if np.isfinite(found) else 0.0


def _sums(probe: Probe) -> str:
    """Over what the outputs sum to 1."""
    outputs = np.asarray(probe.outputs, float)
    if outputs.ndim < 2 or outputs.shape[-1] < 2 or outputs.min(initial=0) < 0:
        return ""
    if abs(outputs.sum() - 1) < 1e-3:
        return "everything"
    return "rows" if np.abs(outputs.sum(axis=0) - 1).max() < 1e-3 else ""


def single_batch_mismatch(probe: Probe) -> Iterator[Finding]:
    """A row alone gives another prediction than among others, though these do not matter to it.

    Three rows are predicted alone. Fires where the numbers differ by more than a thousandth of the outputs'
    size, a single row is refused, or its prediction has no axis of rows. Silent where ``batch-dependence``
    says it already.
    """
    inputs = probe.some.inputs
    together = np.asarray(jax.tree.leaves(quick(probe.problem.predict)(probe.nudged, inputs))[0], float)
    num_rows = len(jax.tree.leaves(inputs)[0])
    has_rows = together.ndim > 0 and len(together) == num_rows > 1
    if not has_rows or _change(probe, probe.nudged) > DEPENDS:
        return
    scale, worst = np.abs(together).max(initial=0), 0.0
    for row in {0, num_rows // 2, num_rows - 1}:
        one = jax.tree.map(lambda leaf, row=row: leaf[row : row + 1], inputs)
        try:
            alone = np.asarray(jax.tree.leaves(probe.problem.predict(probe.nudged, one))[0], float)
        except Exception as error:  # a person's function may raise anything at a shape it does not expect
            yield _mismatch({"refused": str(error).splitlines()[0][:100]}, "a single row cannot be predicted")
            return
        if alone.size != together[row].size or not alone.ndim:
            yield _mismatch(
                {"shape alone": list(alone.shape), "shape of a row": list(together[row].shape)},
                "a single row gives outputs of another size than among others",
            )
            return
        worst = max(
            worst, float(np.abs(alone.ravel() - together[row].ravel()).max(initial=0)) / max(scale, 1e-30)
        )
    if np.isfinite(worst) and worst > DEPENDS:
        yield _mismatch(
            {"relative difference": worst}, "a row alone is predicted otherwise than among others"
        )


def _mismatch(evidence: dict[str, Any], message: str) -> Finding:
    remedy = "keep the axis of rows apart: no squeeze, no reshape or transpose by a fixed number of rows"
    return Finding("single-batch-mismatch", "error", evidence, message, remedy)
