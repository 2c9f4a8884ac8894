"""Rules on how a short training went: symptoms, where the rules on single parts name no cause."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from jaxnets.diagnose.finding import Finding
from jaxnets.diagnose.flow import slope_of
from jaxnets.diagnose.probe import RISEN, Probe, is_finite
from jaxnets.diagnose.problem import Problem
from jaxnets.diagnose.quick import quick
from jaxnets.diagnose.rules.splits import outside_training_range
from jaxnets.diagnose.training import Run, scaled

EXPLODED = 1e3
"""Times the first loss."""
AGAINST = -0.3
"""Mean cosine between one step and the next; below it, each undoes the one before."""


def diverged(probe: Probe) -> Iterator[Finding]:
    """The loss or the params become NaN or infinite, or a thousand times what they were, in a short training.

    Or they are from the start.
    A note where shorter steps mend it (``step-too-large`` is the cause). Where params and loss are finite
    but the gradient is not, the finding says so: a root or a logarithm at 0, or its branch not taken.
    """
    problem = probe.problem
    if not np.isfinite(probe.loss):
        wrong = "params" if not is_finite(probe.params) else "loss"
        yield Finding(
            "diverged", "error", {"step": 0, "loss": probe.loss},
            f"the {wrong} {'are' if wrong == 'params' else 'is'} NaN or infinite before the first step",
            "look at init" if wrong == "params"
            else "keep exponentials small, and roots, logarithms and divisions away from 0",
        )  # fmt: skip
        return
    if not problem.has_step:
        if not is_finite(probe.slope):
            yield _no_gradient({"step": 1, "loss": probe.loss})
        return
    run = probe.run
    first, last = float(run.losses[0]), run.end
    is_broken = run.num_finite < run.num_steps
    if not (is_broken or not np.isfinite(last) or last > EXPLODED * max(abs(first), 1e-3)):
        return
    batch = probe.trainer.batch(run.num_finite)
    loss = float(quick(problem.loss)(run.params, *batch))
    slope = quick(slope_of(problem.loss))(run.params, *batch)
    if is_broken and np.isfinite(loss) and not is_finite(slope):
        yield _no_gradient({"step": run.num_finite + 1, "loss": loss})
        return
    yield Finding(
        "diverged", "note" if probe.smaller_scale else "error",
        {"loss at first": first, "in the end": last, "finite steps": run.num_finite, "of": run.num_steps},
        f"the training leaves all bounds: the loss goes from {first:.3g} to {last:.3g}",
        "smaller steps; look at what else is found",
    )  # fmt: skip


def stopped_too_early(probe: Probe) -> Iterator[Finding]:
    """The planned steps are over while the loss still falls: ten times as many reach far more.

    The loss must have fallen by less than 0.15 of what it falls by in ten times the steps; not where longer
    steps would do (``step-too-small``). Half of it is a note.
    """
    problem = probe.problem
    if not problem.has_step or problem.num_steps is None or problem.num_steps > probe.run.num_steps:
        return
    run, longer = probe.run, probe.longer_run
    if probe.smaller_scale is not None or not np.isfinite(run.end) or longer.num_steps < 5 * run.num_steps:
        return
    if longer.drop > 0.1 * abs(float(run.losses[0])) and run.drop < 0.5 * longer.drop:
        is_far = run.drop < 0.15 * longer.drop and not probe.run_at(10.0).drop > 0.5 * longer.drop
        yield Finding(
            "stopped-too-early", "warning" if is_far else "note",
            {"loss at first": float(run.losses[0]), f"after {run.num_steps} steps": run.end,
             f"after {longer.num_steps} steps": longer.end},
            f"after {run.num_steps} steps the loss still falls", "more steps",
            problem.replace(num_steps=longer.num_steps),
        )  # fmt: skip


def oscillating(probe: Probe) -> Iterator[Finding]:
    """The loss goes up and down, or each step undoes the one before, and calmer steps get further.

    Either the mean cosine between one step and the next is below -0.3 in the second half of a short training;
    or the loss, looked at ten times there, rises by a tenth of its whole fall, five times as much as with
    calmer steps. Calmer are steps of a tenth, and those of an optimizer that forgets what it remembers where
    the loss has risen (a momentum too near to 1). They must come lower by a tenth of their fall, or to less
    than 0.3 of a loss that is not negative: where they do not, it is the way to the edge of stability. Where
    they themselves bring the loss down by less than a percent, batches that differ move it on a plateau.
    """
    problem = probe.problem
    if not problem.has_step or probe.smaller_scale is not None or not np.isfinite(probe.run.end):
        return
    run = probe.run
    turned = float(run.turns[len(run.turns) // 2 :].mean())
    if not (turned < AGAINST or _rises(run) > 0.1 * abs(run.drop)):
        return
    for words, calm, remedy, repaired in _calmer(probe):
        is_calmer = turned < AGAINST or _rises(run) > 5 * _rises(calm)
        if is_calmer and _is_lower(calm, run):
            yield Finding(
                "oscillating", "warning",
                {"cosine between steps": turned, "rises of the loss": _rises(run), "loss": run.end,
                 words: calm.end},
                "each step undoes the one before; steps of a tenth get further" if turned < AGAINST
                else f"the loss goes up and down; {words} it comes to rest",
                remedy, repaired,
            )  # fmt: skip
            return


def _calmer(probe: Probe) -> Iterator[tuple[str, Run, str, Problem | None]]:
    """Trainings by calmer steps, with words, a remedy, and the problem that has it."""
    yield "with a tenth of the step", probe.run_at(0.1), "a smaller rate", scaled(probe.problem, 0.1)
    if probe.problem.optimizer is not None:
        restarted = probe.trainer.run(restarts=True)
        yield "with what it remembers forgotten", restarted, "less momentum (0.9), or a smaller rate", None


def _is_lower(calm: Run, run: Run) -> bool:
    """Whether the loss in the second half is lower by far."""
    lower, higher = _middle(calm), _middle(run)
    is_small = 0 <= lower < 0.3 * higher
    falls = calm.drop > RISEN * abs(calm.losses[0])
    return bool(falls and (is_small or higher - lower > 0.1 * calm.drop))


def _rises(run: Run) -> float:
    """All rises of the loss in the second half together."""
    return float(np.maximum(np.diff(run.losses[len(run.losses) // 2 :]), 0).sum())


def _middle(run: Run) -> float:
    """The median of the loss in the second half."""
    found = float(np.median(run.losses[len(run.losses) // 2 :]))
    return found if np.isfinite(found) else float("inf")


def overfitting(probe: Probe) -> Iterator[Finding]:
    """The loss on validation rows rises again while that on training rows falls.

    It must lose half of what it had fallen by, and a tenth of its first value, while the training loss goes
    on falling; not where the validation rows lie beyond those to train on (``outside-training-range``).
    (Goodfellow, Bengio & Courville, Deep Learning, section 7.8, figure 7.3.)
    """
    problem = probe.problem
    if not problem.has_step or problem.valid is None or not np.isfinite(probe.run.end):
        return
    if any("valid" in one.evidence for one in outside_training_range(probe)):
        return
    run = probe.run
    best = int(np.argmin(run.valid))
    rise = float(np.median(run.valid[-3:]) - run.valid[best])
    fall = float(run.valid[0] - run.valid[best])
    first = abs(float(run.valid[0]))
    if rise > max(0.5 * fall, 0.1 * first) and run.end < run.losses[best] and best < len(run.valid) - 3:
        yield Finding(
            "overfitting", "warning",
            {"validation loss at best": float(run.valid[best]), "in the end": float(run.valid[-1]),
             "training loss in the end": run.end, "best step": best * run.num_steps // (len(run.valid) - 1)},
            "the validation loss rises while the training loss falls",
            "stop at the best step, add rows, weight decay or fewer units",
        )  # fmt: skip


def _no_gradient(evidence: dict) -> Finding:
    return Finding(
        "diverged", "error", evidence, "the gradient is NaN or infinite where params and loss are finite",
        "keep roots, logarithms and divisions away from 0, also in the branch of where that is not taken",
    )  # fmt: skip
