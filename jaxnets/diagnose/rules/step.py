"""Rules on the size of a step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from jaxnets.diagnose.answers import MOST_STEPS, answers
from jaxnets.diagnose.finding import Finding
from jaxnets.diagnose.flow import slope_of
from jaxnets.diagnose.probe import LONGER, Probe, is_finite, norm
from jaxnets.diagnose.problem import Problem
from jaxnets.diagnose.quick import quick
from jaxnets.diagnose.training import Run, scaled

STABLE = 2.0
"""Gradient descent on a quadratic of curvature c is stable below this over c."""
MODERATE = 1e6
"""Numbers above were on their way to infinity by themselves."""
USUAL_STEPS = 10_000
"""That are taken to be planned where it is not said."""
LITTLE = 0.1
"""Share of what longer steps reach that the planned ones must reach; of the gradient, that is left."""
AGAIN = 5
"""How often a training is begun anew from its end."""
STILL = 1e-3
"""Share of a fall by which a loss that stands still may change."""


def step_too_large(probe: Probe) -> Iterator[Finding]:
    """The loss rises or diverges, where steps of a tenth (or less) of their length bring it down.

    Measured in short trainings, so for every optimizer; so is a step that gets less than 0.3 of the way that
    a tenth of it gets. For plain gradient descent the largest stable rate, 2 over the largest eigenvalue of
    the Hessian, is said too (LeCun et al. 1998, Efficient BackProp, section 5); a rate above it alone is no
    fault, since networks move to flatter places in their first steps (Cohen et al. 2021, Gradient descent on
    neural networks typically occurs at the edge of stability).
    """
    problem = probe.problem
    if not problem.has_step or probe.smaller_scale is None:
        return
    scale, run = probe.smaller_scale, probe.run
    smaller = probe.run_at(scale)
    evidence = {"loss at first": float(run.losses[0]), "in the end": run.end,
                f"with {scale:g} times the step": smaller.end}  # fmt: skip
    repaired, remedy = scaled(problem, scale), f"steps {1 / scale:g} times as small"
    message = f"steps are too large: those {1 / scale:g} times as small bring the loss down"
    if problem.update is None and problem.learning_rate is not None:
        rate, curvature = float(problem.learning_rate), probe.curvature
        evidence |= {"rate": rate, "curvature": curvature, "rate x curvature": rate * curvature}
        if rate * curvature > STABLE and np.isfinite(curvature):
            largest = STABLE / curvature
            message = (
                f"the rate {rate:.4g} is {rate / largest:.3g} times the largest stable one, {largest:.3g}"
            )
            repaired, remedy = problem.replace(learning_rate=0.5 * largest), f"a rate of {0.5 * largest:.2g}"
        else:
            repaired, remedy = problem.replace(learning_rate=rate * scale), f"a rate of {rate * scale:.2g}"
    is_error = not run.drop > 0
    yield Finding("step-too-large", "error" if is_error else "warning", evidence, message, remedy, repaired)


def step_too_small(probe: Probe) -> Iterator[Finding]:
    """The planned steps hardly move the loss, where longer ones (10, 100 ... times) bring it down.

    The fall in a short training, times the planned steps over the ones made (10,000 are taken for planned
    where it is not said), is below a tenth of the fall with longer steps. So is the fall with steps that go
    as far in the short training as the planned ones do in all: small steps follow one path, however it is
    cut into steps, so that a plateau that the planned steps get over is none. (Goodfellow, Bengio &
    Courville, Deep Learning, 8.2.3.) Or steps have come to an end: the loss stands still in the second half,
    though its gradient is a tenth of the first one at least, and longer steps get half as far again, or an
    optimizer that begins anew some times a third, or to less than a third of the loss (a rate that decays too
    fast). Or they never begin: all
    planned steps are shorter than half of those that the optimizer's schedule comes to in ten times as many
    (a warm-up that is longer than the training), and longer ones get further.
    """
    problem = probe.problem
    if not problem.has_step or probe.smaller_scale is not None or not np.isfinite(probe.run.end):
        return
    run = probe.run
    planned = problem.num_steps or USUAL_STEPS
    longer, best_scale = planned / run.num_steps, probe.larger_scale
    as_far = [probe.run_at(scale).drop for scale in LONGER if scale <= min(longer, best_scale)]
    expected = max(run.drop * max(1.0, longer), *as_far, 0.0)
    best = probe.run_at(best_scale)
    first = abs(float(run.losses[0]))
    is_over = _stands_still(probe) and (best.drop > 1.5 * run.drop or _goes_on(probe))
    if not (best.drop > 0.05 * first and (is_over or expected < LITTLE * best.drop)):
        yield from _warms_up(probe)
        return
    said = f"a rate of {float(problem.learning_rate) * best_scale:.2g}" if _is_plain(problem) else ""
    yield Finding(
        "step-too-small", "warning",
        {"fall of the loss": run.drop, "steps": run.num_steps,
         f"fall with {best_scale:g} times the step": best.drop},
        "steps come to an end before the loss does" * is_over
        or f"{planned} steps hardly move the loss; {best_scale:g} times longer ones do",
        said or f"steps {best_scale:g} times as long",
        scaled(problem, best_scale),
    )  # fmt: skip


def _warms_up(probe: Probe) -> Iterator[Finding]:
    """The optimizer's steps are still on their way to their length when the planned ones are over."""
    problem = probe.problem
    if problem.optimizer is None or problem.update or not problem.num_steps:
        return
    planned, seen = problem.num_steps, min(10 * problem.num_steps, MOST_STEPS)
    if seen < 3 * planned or not probe.larger_scale > 1:
        return
    share = float(answers(problem.optimizer, probe.params, seen)[:planned].max())
    if 0 < share < 0.5:
        yield Finding(
            "step-too-small", "warning",
            {"steps": planned, f"longest, of those within {seen}": share},
            f"the steps come to {share:.0%} of their length by the time the {planned} planned ones are over",
            "a warm-up of a tenth of the steps, or more steps", scaled(problem, min(1 / share, 100.0)),
        )  # fmt: skip


def _goes_on(probe: Probe) -> bool:
    """Whether the loss falls far again where the training begins anew from its end, some times."""
    run = probe.run
    for _ in range(AGAIN):
        run = probe.trainer.run(params=run.params)
    return probe.run.end - run.end > probe.run.drop / 3 or 0 <= run.end < probe.run.end / 3


def rule_divides_by_zero(probe: Probe) -> Iterator[Finding]:
    """A step gives NaN or infinity though the params, the loss and its gradient are finite and moderate.

    Looked for in a short training: the last params that are finite (no number above 1e6) and the rows of the
    step that breaks them. Rates divided by counts or by sums of squares do that where these are 0. (Duchi,
    Hazan & Singer 2011, Adaptive subgradient methods: the small number that is added to the root.)
    """
    problem, run = probe.problem, probe.run if probe.problem.has_step else None
    if run is None or run.num_finite == run.num_steps:
        return
    batch = probe.trainer.batch(run.num_finite)
    loss, slope = _there(problem, run, batch)
    if not (_is_moderate((loss, slope, run.params)) and np.isfinite(loss)):
        return
    yield Finding(
        "rule-divides-by-zero", "error",
        {"step": run.num_finite + 1, "loss": loss, "largest gradient": _largest(slope)},
        f"step {run.num_finite + 1} gives NaN or infinity from params and a gradient that are finite",
        "divide by max(count, 1), or add a small number to what is divided by",
    )  # fmt: skip


def _stands_still(probe: Probe) -> bool:
    """Whether the loss no longer changes in the second half of a run, though there is a slope to follow."""
    run = probe.run
    later = run.losses[len(run.losses) // 2 :]
    if not np.ptp(later) <= STILL * run.drop:
        return False
    return norm(probe.slope_at(run.params)) > LITTLE * norm(probe.slope_at(probe.params))


def _is_plain(problem: Problem) -> bool:
    return problem.update is None and problem.learning_rate is not None


def _there(problem: Problem, run: Run, batch: Any) -> tuple[float, Any]:
    """The loss and its gradient where the params were finite last."""
    loss = quick(problem.loss)(run.params, *batch)
    return float(loss), quick(problem.gradient or slope_of(problem.loss))(run.params, *batch)


def _is_moderate(tree: Any) -> bool:
    return is_finite(tree) and _largest(tree) < MODERATE


def _largest(tree: Any) -> float:
    leaves = (np.abs(np.asarray(leaf)) for leaf in jax.tree.leaves(tree))
    return max((float(leaf.max(initial=0)) for leaf in leaves), default=0.0)
