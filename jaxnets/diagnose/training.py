"""Short trainings: the steps as they are made, larger and smaller ones too, with what happens on the way."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxnets.diagnose.learners import LearnerProblem
from jaxnets.diagnose.lengths import towards
from jaxnets.diagnose.problem import Problem, some_rows, spaced
from jaxnets.diagnose.quick import quick
from jaxnets.types import Array, Batch, PyTree

CHECKS = 20
"""How often the loss is looked at on the way."""
BUDGET = 1e10
"""Floating-point operations of a short training: some tenths of a second."""
LITTLE_WORK = 1e7
"""Operations of a step; compiling well what makes fewer takes longer than it saves."""
FEWEST_STEPS = 40
MOST_STEPS = 400
MOST_ROWS = 256
"""By which a loss is judged; evenly spaced over all."""


class Run(NamedTuple):
    """A short training.

    Attributes:
        losses: before the first step and at ``CHECKS`` evenly spaced ones; NaN where params are not finite.
        valid: likewise, on the validation rows; all NaN without any.
        turns: the mean cosine between one step and the next, for each stretch between two checks.
        params: in the end; the last ones that are finite.
        num_finite: steps until then.
        num_steps: steps that were asked for.
    """

    losses: np.ndarray
    valid: np.ndarray
    turns: np.ndarray
    params: PyTree
    num_finite: int
    num_steps: int

    @property
    def end(self) -> float:
        """The loss in the end, the median of the last three; infinity where it diverged."""
        found = float(np.median(self.losses[-3:]))
        return found if np.isfinite(found) else float("inf")

    @property
    def drop(self) -> float:
        """By how much the loss fell."""
        return float(self.losses[0]) - self.end


class Trainer:
    """Trains a problem for some steps, over the batches that it visits; compiled once.

    Full batches that are too many for a short training are thinned out evenly.

    Attributes:
        params: before the first step.
        most_steps: that can be afforded.
    """

    def __init__(self, problem: Problem, params: PyTree) -> None:
        self.problem, self.params = problem, params
        size = min(problem.batch_size or problem.num_rows, problem.num_rows)
        work = _work(problem, params, size)
        self.most_steps = int(np.clip(BUDGET / work, FEWEST_STEPS, MOST_STEPS))
        self.size = max(1, int(min(size, size * BUDGET / work / FEWEST_STEPS)))
        visited = min(problem.num_rows // size, self.most_steps) * size
        rows = spaced(problem.num_rows, self.size) if size == problem.num_rows else np.arange(visited)
        self.data = Batch(*jax.tree.map(lambda leaf: jnp.asarray(leaf[rows]), tuple(problem.data)))
        self.sample = some_rows(problem.data, MOST_ROWS)
        self.valid = None if problem.valid is None else some_rows(problem.valid, MOST_ROWS)
        self._train, self._restarting = (
            (quick if work < LITTLE_WORK else jax.jit)(partial(self._trained, restarts))
            for restarts in (False, True)
        )

    def run(
        self, *, scale: float = 1.0, num_steps: int | None = None, data: Batch | None = None,
        params: PyTree | None = None, restarts: bool = False,
    ) -> Run:  # fmt: skip
        """Some steps, each ``scale`` times as long as it is made.

        Args:
            num_steps: as many as are planned and can be afforded where not said.
            data: rows to train on, and to be judged by, instead; as many as the sample has.
            params: to begin with, instead.
            restarts: whether the optimizer forgets what it remembers after each step that the loss rose in
                (O'Donoghue & Candes 2015, Adaptive restart for accelerated gradient schemes).
        """
        if num_steps is None:
            num_steps = min(self.most_steps, self.problem.num_steps or self.most_steps // 2)
        bounds = jnp.asarray(np.linspace(0, num_steps, CHECKS + 1).astype(np.int32))
        rows, sample = (self.data, self.sample) if data is None else (data, data)
        begin = self.params if params is None else params
        train = self._restarting if restarts else self._train
        losses, valid, turns, params, num_finite = train(begin, scale, bounds, rows, sample)
        return Run(
            np.asarray(losses), np.asarray(valid), np.asarray(turns), params, int(num_finite), num_steps
        )

    def batch(self, number: int) -> Batch:
        """The rows of a step."""
        start = number % (len(jax.tree.leaves(self.data)[0]) // self.size) * self.size
        return jax.tree.map(lambda leaf: leaf[start : start + self.size], self.data)

    def _trained(
        self, restarts: bool, params: PyTree, scale: Array, bounds: Array, data: Batch, sample: Batch
    ) -> Any:
        problem, size = self.problem, self.size
        num_batches = len(jax.tree.leaves(data)[0]) // size

        def step(number: Array, so_far: Any) -> Any:
            params, memory, before, turned, num_finite, last = so_far
            start = number % num_batches * size
            batch = jax.tree.map(lambda leaf: jax.lax.dynamic_slice_in_dim(leaf, start, size), data)
            if restarts:
                loss = jnp.asarray(problem.loss(params, *batch), jnp.float32)
                memory = jax.tree.map(partial(jnp.where, loss > last), problem.begin(params), memory)
                last = loss
            new, memory = problem.step(params, memory, *batch, scale)
            is_finite = _all_finite(new) & (num_finite == number)
            new = jax.tree.map(partial(jnp.where, is_finite), new, params)
            move = jax.tree.map(jnp.subtract, new, params)
            return new, memory, move, turned + _cosine(move, before), num_finite + is_finite, last

        def stretch(so_far: Any, bound: tuple[Array, Array]) -> Any:
            params, memory, before, num_finite = so_far
            first, last = bound
            begin = (params, memory, before, jnp.zeros(()), num_finite, jnp.float32(jnp.inf))
            *so_far, turned, num_finite, _ = jax.lax.fori_loop(first, last, step, begin)
            seen = self._judged(so_far[0], sample, num_finite == last)
            return (*so_far, num_finite), (*seen, turned / jnp.maximum(last - first, 1))

        still = jax.tree.map(jnp.zeros_like, params)
        first_loss, first_valid = self._judged(params, sample, jnp.array(True))
        begin = (params, problem.begin(params), still, jnp.zeros((), jnp.int32))
        (params, _, _, num_finite), (losses, valid, turns) = jax.lax.scan(
            stretch, begin, (bounds[:-1], bounds[1:])
        )
        losses, valid = jnp.append(first_loss, losses), jnp.append(first_valid, valid)
        return losses, valid, turns, params, num_finite

    def _judged(self, params: PyTree, sample: Batch, is_finite: Array) -> tuple[Array, Array]:
        """The loss on the sample and on the validation rows."""
        found = [
            jnp.nan if rows is None else self.problem.loss(params, *rows) for rows in (sample, self.valid)
        ]
        return tuple(jnp.where(is_finite, jnp.asarray(loss, jnp.float32), jnp.nan) for loss in found)


def scaled(problem: Problem, scale: float) -> Problem | None:
    """The problem with steps so many times as long; None where no steps are known.

    >>> line = lambda w, x: x * w
    >>> loss = lambda w, x, y: ((line(w, x) - y) ** 2).mean()
    >>> x = np.ones(2, np.float32)
    >>> problem = Problem(lambda key: jnp.zeros(()), line, loss, (x, x), learning_rate=0.5)
    >>> scaled(problem, 0.1).learning_rate
    0.05
    """
    if problem.update is not None:
        return problem.replace(
            update=lambda params, *rows: towards(params, problem.update(params, *rows), scale)
        )
    if problem.optimizer is not None:
        return problem.replace(optimizer=optax.chain(problem.optimizer, optax.scale(scale)))
    if problem.learning_rate is not None:
        return problem.replace(learning_rate=problem.learning_rate * scale)
    return problem.replace(scale=problem.scale * scale) if isinstance(problem, LearnerProblem) else None


def _all_finite(tree: PyTree) -> Array:
    return jnp.all(jnp.array([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(tree)]))


def _cosine(one: PyTree, other: PyTree) -> Array:
    product, *lengths = (
        sum(jnp.vdot(a, b).astype(jnp.float32) for a, b in zip(*map(jax.tree.leaves, pair), strict=True))
        for pair in ((one, other), (one, one), (other, other))
    )
    return product / jnp.sqrt(jnp.maximum(lengths[0] * lengths[1], 1e-30))


def _work(problem: Problem, params: PyTree, size: int) -> float:
    """Floating-point operations of a step."""
    rows = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((size, *leaf.shape[1:]), leaf.dtype), problem.data)
    step = quick(lambda params, batch: problem.step(params, problem.begin(params), *batch)[0])
    found = step.lower(params, rows).cost_analysis() or {}
    return max(float(found.get("flops", 0.0)), 1.0)
