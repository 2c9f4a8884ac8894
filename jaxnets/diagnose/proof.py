"""Short trainings of a problem as written and as repaired, from one beginning, over the same batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.diagnose.finding import Finding, Proof
from jaxnets.diagnose.problem import Problem, some_rows
from jaxnets.diagnose.training import scaled
from jaxnets.types import Array

NUM_STEPS = 100
"""Of a short training at least, unless the problem plans fewer."""
SCALES = (0.1, 1.0, 10.0, 100.0)
"""By which steps are multiplied, of the problem and of the repair alike, where that alone is no help."""
MOST_ROWS = 512
"""By which a loss is compared in the end."""


def proved(
    problem: Problem, findings: Sequence[Finding], key: jax.Array, *, most_steps: int = NUM_STEPS
) -> list[Finding]:
    """The findings with proofs, where they have a repaired problem whose steps are known.

    All of them are trained side by side in one program, the problem as it is among them.

    Args:
        most_steps: that can be afforded.
    """
    repairs = {place: one.repaired for place, one in enumerate(findings) if _can_step(one.repaired)}
    if not repairs or not _can_step(problem):
        return [*findings]
    most_steps = max(NUM_STEPS, most_steps)
    proofs = _compared(problem, repairs, key, most_steps)
    without = {
        place: repairs[place] for place, proof in proofs.items() if not proof.helps and proof.start is None
    }
    for place, proof in _at_other_steps(problem, without, key, most_steps).items():
        proofs[place] = proof
    return [one._replace(proof=proofs.get(place)) for place, one in enumerate(findings)]


def _compared(
    problem: Problem, repairs: dict[int, Problem], key: jax.Array, most_steps: int
) -> dict[int, Proof]:
    """Of each repair, its loss and that of the problem, with the steps as they are."""
    trained = [problem, *repairs.values()]
    nums_steps = [min(most_steps, one.num_steps or most_steps) for one in trained]
    (_, before), *others = losses_after(trained, key, nums_steps)
    return {
        place: Proof(before, after, num_steps, start if _is_other(problem, repaired) else None)
        for (place, repaired), (start, after), num_steps in zip(
            repairs.items(), others, nums_steps[1:], strict=True
        )
        if after is not None and before is not None
    }


def _at_other_steps(
    problem: Problem, repairs: dict[int, Problem], key: jax.Array, most_steps: int
) -> dict[int, Proof]:
    """Proofs of repairs that help with longer or shorter steps, where the problem, with any, does not.

    A rate that was found by trial for a gradient, or a scale of the weights, that is wrong suits no other.
    """
    if not repairs:
        return {}
    ways = [(scale, place) for scale in SCALES for place in (None, *repairs)]
    made = [scaled(repairs.get(place, problem), scale) for scale, place in ways]
    if any(one is None for one in made):
        return {}
    num_steps = min(most_steps, problem.num_steps or most_steps)
    found = dict(
        zip(ways, (after for _, after in losses_after(made, key, [num_steps] * len(made))), strict=True)
    )
    before = _smallest(found[scale, None] for scale in SCALES)
    proofs = {}
    for place in repairs:
        after, scale = min((_smallest([found[scale, place]]), scale) for scale in SCALES)
        proof = Proof(before, after, num_steps, scale=scale)
        if np.isfinite(before) and proof.helps:
            proofs[place] = proof
    return proofs


def _smallest(losses: Iterable[float | None]) -> float:
    """Of those that are finite; infinity without any."""
    return min((loss for loss in losses if loss is not None and np.isfinite(loss)), default=float("inf"))


def losses_after(
    problems: Sequence[Problem], key: jax.Array, nums_steps: Sequence[int]
) -> list[tuple[float | None, float | None]]:
    """The losses before the first and after so many steps; NaN where one diverged, None where none is."""
    trainings = [_training(*one) for one in zip(problems, nums_steps, strict=True)]
    usable = [place for place, (train, *rows) in enumerate(trainings) if _is_traceable(train, key, *rows)]
    rows = [trainings[place][1:] for place in usable]
    run = jax.jit(
        lambda key, rows: [trainings[place][0](key, *own) for place, own in zip(usable, rows, strict=True)]
    )
    found = {place: (*map(_finite, pair),) for place, pair in zip(usable, run(key, rows), strict=True)}
    return [found.get(place, (None, None)) for place in range(len(problems))]


def _finite(loss: Array) -> float:
    return float(loss) if np.isfinite(loss) else float("nan")


def _is_other(problem: Problem, repaired: Problem) -> bool:
    """Whether what the two minimise cannot be compared."""
    return repaired.loss is not problem.loss or repaired.data.targets is not problem.data.targets


def _can_step(problem: Problem | None) -> bool:
    return problem is not None and problem.has_step


def _is_traceable(train: Callable, *given: Any) -> bool:
    """Whether a repair works at all: made of a person's functions, it may not."""
    try:
        jax.eval_shape(train, *given)
    except Exception:  # whatever these functions raise
        return False
    return True


def _training(problem: Problem, num_steps: int) -> tuple[Callable, Any, Any]:
    """``(key, data, sample) -> losses`` before and after so many steps, with data and sample."""
    sample, data = some_rows(problem.data, MOST_ROWS), jax.tree.map(jnp.asarray, problem.data)

    def train(key: Array, data: Any, sample: Any) -> tuple[Array, Array]:
        begun = jax.tree.map(jnp.asarray, problem.init(key))
        params = problem.trained(begun, data, num_steps)
        return problem.loss(begun, *sample), problem.loss(params, *sample)

    return train, data, sample
