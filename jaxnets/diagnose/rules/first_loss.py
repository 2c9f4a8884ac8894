"""The rule on the loss before the first step, against that of knowing nothing."""

from __future__ import annotations

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.diagnose.finding import Finding
from jaxnets.diagnose.probe import Probe
from jaxnets.diagnose.problem import Problem
from jaxnets.diagnose.quick import quick
from jaxnets.types import Array, PyTree

FAR = 6.0
"""An initial loss of so many times the uninformed one; raw inputs of some units give half of that."""
FAR_WITHOUT_LINK = 10.0
"""Likewise where that is not known."""
SMALLER = (0.03, 0.01)
"""Scales of weights whose loss is then that of knowing nothing."""
FAR_OFF = 100.0
"""Likewise where values are predicted: outputs ten times as large as the targets."""


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
