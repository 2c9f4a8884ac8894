"""Short trainings of a problem as written and as repaired, from one beginning, over the same batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.diagnose.finding import Finding, Proof
from jaxnets.diagnose.problem import Problem, some_rows
from jaxnets.types import Array

NUM_STEPS = 100
"""Of a short training at least, unless the problem plans fewer."""
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
    num_steps = min(most_steps, problem.num_steps or most_steps)
    (_, before), *others = losses_after([problem, *repairs.values()], key, num_steps)
    proofs = {
        place: Proof(before, after, num_steps, start if _is_other(problem, repaired) else None)
        for (place, repaired), (start, after) in zip(repairs.items(), others, strict=True)
        if after is not None and before is not None
    }
    return [one._replace(proof=proofs.get(place)) for place, one in enumerate(findings)]


def losses_after(
    problems: Sequence[Problem], key: jax.Array, num_steps: int
) -> list[tuple[float | None, float | None]]:
    """The losses before the first and after so many steps; NaN where one diverged, None where none is."""
    trainings = [_training(problem, num_steps) for problem in problems]
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
