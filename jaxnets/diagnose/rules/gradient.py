"""Rules on gradients and the steps that follow them."""

from __future__ import annotations

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.diagnose.derivatives import differences
from jaxnets.diagnose.finding import Finding
from jaxnets.diagnose.probe import LONGER, Probe, is_finite, norm
from jaxnets.diagnose.quick import quick

ROUNDING = 1e-5
"""Of the largest number: a leaf that changes outputs by less cancels in them."""


def wrong_gradient(probe: Probe) -> Iterator[Finding]:
    """A gradient by hand is not that of the loss: compared leaf by leaf in float64, kinks left out.

    The threshold is a relative 1e-6: derivations that are right agree to 1e-12. The finding says what
    explains the whole leaf: a multiple (2, the numbers of rows and outputs), a sign, a transpose, another
    leaf, a penalty, a derivative of an activation that is missing, there twice or taken at its value, a
    factor that is not transposed on the way back, a loop through which nothing goes back. (Nielsen, Neural
    Networks and Deep Learning, chapter 2; the equations of backpropagation.)
    """
    problem = probe.problem
    if problem.gradient is None:
        return
    found = differences(problem, probe.key)
    if found:
        leaves: dict[str, list[str]] = {}
        for one in found:
            leaves.setdefault(one.pattern or "like nothing known", []).append(one.leaf)
        said = [f"{', '.join(filter(None, places)) or 'all'}: {how}" for how, places in leaves.items()]
        figures = (("over the right one", "factor"), ("off by", "size"), ("cosine", "cosine"))
        yield Finding(
            "wrong-gradient", "error",
            {f"{one.leaf} {words}".strip(): getattr(one, name) for one in found for words, name in figures},
            f"the gradient by hand is not that of the loss; {'; '.join(said)}",
            "take jax.grad of the loss, or mend the derivation of these leaves",
            problem.replace(gradient=None),
        )  # fmt: skip


def update_ascends(probe: Probe) -> Iterator[Finding]:
    """A step leads uphill: so does a tiny part of it, by the loss on the same rows.

    Of three parts of the way (1e-2, 1e-3 and 1e-4 of the params' length), all must raise the loss, by what
    the slope along the step foretells within a factor of two: so neither a rate that is too large nor
    rounding is taken for it.
    """
    problem = probe.problem
    if not problem.has_step or not is_finite(probe.stepped) or not np.isfinite(probe.loss):
        return
    way = jax.tree.map(lambda new, old: new - old, probe.stepped, probe.params)
    length, here = norm(way), probe.loss
    steepness = sum(
        float(jnp.vdot(g, w)) for g, w in zip(jax.tree.leaves(probe.slope), jax.tree.leaves(way), strict=True)
    )
    if not length or steepness <= 0:
        return
    loss = quick(problem.loss)
    ratios = []
    for share in (1e-2, 1e-3, 1e-4):
        part = min(1.0, share * norm(probe.params) / length) if norm(probe.params) else share
        moved = jax.tree.map(lambda w, d, part=part: w + part * d, probe.params, way)
        there = float(loss(moved, *probe.batch))
        ratios.append((there - here) / (part * steepness))
    if sum(0.5 < ratio < 2 for ratio in ratios) >= 2:
        yield Finding(
            "update-ascends", "error", {"loss": here, "slope along the step": steepness / length},
            "the step goes uphill: the loss rises along it",
            "subtract the gradient, do not add it",
        )  # fmt: skip


def frozen_parameters(probe: Probe) -> Iterator[Finding]:
    """Leaves that do not change though the loss has a gradient there, or that no gradient reaches.

    Measured in short trainings (rates that rise from 0 make no first step): not a single number of the leaf
    moved, nor by steps up to a million times as long (small ones are rounded off), and the gradient's largest
    number on the first batch is above 1e-6 of that of all leaves. Or on the sample: the gradient by the leaf
    is 0 at the initial params and at three others, though the loss or the prediction changes with it (numbers
    are rounded, compared, or cut off on the way), or nothing does (it is not used). Leaves that begin with
    equal numbers may be statistics or counts: of these the loss changes, and a step leaves them there.
    """
    problem = probe.problem
    yield from _unreached(probe)
    if not problem.has_step:
        return
    leaves = jax.tree_util.tree_leaves_with_path(probe.params)
    sizes = [float(jnp.abs(leaf).max(initial=0)) for leaf in jax.tree.leaves(probe.slope)]
    largest = max(sizes, default=0.0)
    still = {number for number, size in enumerate(sizes) if size > 1e-6 * largest > 0}
    for scale in (1.0, *LONGER):
        still = still and still & _unmoved(probe, scale)
    if not still:
        return
    is_all, names = len(still) == len(leaves), [jax.tree_util.keystr(leaves[number][0]) for number in still]
    yield Finding(
        "frozen-parameters", "error", {"leaves": names},
        f"no step changes anything, not even one {LONGER[-1]:,.0f} times as long" if is_all
        else f"{', '.join(names)} do not change, though the loss depends on them",
        "a rate above 0; give back what the update computes" if is_all else "let the update reach every leaf",
    )  # fmt: skip


def _unmoved(probe: Probe, scale: float) -> set[int]:
    """Numbers of the leaves that are what they were after a short training of longer steps."""
    run = probe.run_at(scale)
    moved = run.params if run.num_finite else probe.stepped
    pairs = zip(jax.tree.leaves(probe.params), jax.tree.leaves(moved), strict=True)
    return {number for number, (before, after) in enumerate(pairs) if bool((before == after).all())}


def _unreached(probe: Probe) -> Iterator[Finding]:
    """Leaves by which the gradient is 0 wherever it is taken."""
    places = (probe.params, *probe.elsewhere)
    slopes = [[*map(np.asarray, jax.tree.leaves(probe.slope_at(params)))] for params in places]
    used, unused = [], []
    for number, (path, leaf) in enumerate(jax.tree_util.tree_leaves_with_path(probe.params)):
        is_real = jnp.issubdtype(leaf.dtype, jnp.inexact) and leaf.size > 0
        if not is_real or any(bool((slope[number] != 0).any()) for slope in slopes):
            continue
        place = jax.tree_util.keystr(path) or "the params"
        in_outputs, in_loss = _effects(probe, number)
        if np.ptp(np.asarray(leaf)) > 0:
            (used if in_outputs or in_loss else unused).append(place)
        elif in_loss and _stays(probe, number):
            used.append(place)
    if used or unused:
        yield Finding(
            "frozen-parameters", "error" if used else "warning",
            {"used, without a gradient": used, "not used": unused},
            f"no gradient reaches {', '.join(used or unused)}" + ", though outputs depend on it" * bool(used),
            "let the loss depend on every leaf, without rounding, comparing or stop_gradient on the way",
        )  # fmt: skip


def _effects(probe: Probe, number: int) -> tuple[bool, bool]:
    """Whether the prediction of the sample, and the loss, change with a leaf by more than rounding."""
    found = [False, False]
    for params in probe.elsewhere:
        leaves, structure = jax.tree.flatten(params)
        leaves[number] = jax.tree.leaves(probe.params)[number]
        pair = [probe.seen_at(tree) for tree in (params, jax.tree.unflatten(structure, leaves))]
        for place, (one, other) in enumerate(zip(*pair, strict=True)):
            leaves_of_both = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
            found[place] |= any(_differ(np.asarray(a), np.asarray(b)) for a, b in leaves_of_both)
    return found[0], found[1]


def _differ(one: np.ndarray, other: np.ndarray) -> bool:
    """By more than rounding."""
    if not np.issubdtype(one.dtype, np.inexact):
        return bool((one != other).any())
    return not np.allclose(
        one, other, rtol=0, atol=ROUNDING * float(np.abs(one).max(initial=0)), equal_nan=True
    )


def _stays(probe: Probe, number: int) -> bool:
    """Whether a step, as it is made, leaves a leaf as it was."""
    if not probe.problem.has_step:
        return False
    new, old = (jax.tree.leaves(tree)[number] for tree in (probe.stepped, probe.params))
    return bool((new == old).all())
