"""Short trainings of a problem as written and as repaired, from one beginning, over the same batches."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.diagnose.finding import Finding, Proof
from jaxnets.diagnose.problem import Problem
from jaxnets.types import Array

NUM_STEPS = 100
"""Of a short training, unless the problem plans fewer."""
MOST_ROWS = 512
"""By which a loss is compared in the end."""


def proved(problem: Problem, finding: Finding, key: jax.Array) -> Finding:
    """The finding with its proof, where it has a repaired problem whose steps are known."""
    if finding.repaired is None or not (problem.has_step and finding.repaired.has_step):
        return finding
    num_steps = min(NUM_STEPS, problem.num_steps or NUM_STEPS)
    before, after = (loss_after(one, key, num_steps) for one in (problem, finding.repaired))
    return finding._replace(proof=Proof(before, after, num_steps))


def loss_after(problem: Problem, key: jax.Array, num_steps: int) -> float:
    """The loss over rows from all over the training set after so many steps; NaN where it diverged."""
    rows = np.unique(np.linspace(0, problem.num_rows - 1, MOST_ROWS).astype(int))
    sample = jax.tree.map(lambda leaf: jnp.asarray(leaf[rows]), problem.data)
    data = jax.tree.map(jnp.asarray, problem.data)
    size = min(problem.batch_size or problem.num_rows, problem.num_rows)
    num_batches = problem.num_rows // size

    @jax.jit
    def train(key: Array, data: Any, sample: Any) -> Array:
        params = jax.tree.map(jnp.asarray, problem.init(key))

        def step(number: Array, so_far: Any) -> Any:
            start = number % num_batches * size
            batch = jax.tree.map(lambda leaf: jax.lax.dynamic_slice_in_dim(leaf, start, size), data)
            return problem.step(*so_far, *batch)

        params, _ = jax.lax.fori_loop(0, num_steps, step, (params, problem.begin(params)))
        return problem.loss(params, *sample)

    found = float(train(key, data, sample))
    return found if np.isfinite(found) else float("nan")
