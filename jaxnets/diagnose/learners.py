"""A learner as a problem: what an experiment trains is diagnosed by the same rules as functions by hand."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.data.dataset import Dataset
from jaxnets.diagnose.lengths import towards
from jaxnets.diagnose.parts import Parts, parts_of, pruned
from jaxnets.diagnose.problem import Problem, narrowed, some_rows
from jaxnets.learner import Learner
from jaxnets.types import Array, PyTree, State

WARM_UP = 50
"""Steps after which running statistics of the rows stand for them."""
FEW_ROWS = 4
"""That a learner must take: whatever it learns from, a few of them can be looked at."""
MANY_ROWS = 256
"""That running statistics are taken of."""


@dataclasses.dataclass(frozen=True, repr=False)
class LearnerProblem(Problem):
    """A problem whose steps are a learner's: what is not trained goes from step to step as its memory.

    Where another way to step is put in (an optimizer, an update, a rate), that is taken instead.

    Args:
        learner: whose steps these are.
        key: of its initial state, and of what is random inside of a step.
        parts: which leaves of its state are trained.
        follows: the loss that its steps follow; how they would follow another is not known.
        scale: steps are so many times as long as the learner's.
    """

    learner: Any = None
    key: Any = None
    parts: Any = None
    follows: Any = None
    scale: float = 1.0

    @property
    def has_step(self) -> bool:
        """A learner knows how to follow its own loss."""
        return super().has_step or self.loss is self.follows

    def begin(self, params: PyTree) -> Any:
        """The number of the step, and all of the state that is not trained."""
        if super().has_step:
            return super().begin(params)
        return jnp.int32(0), self.parts.split(self.learner.init(self.key, self.data))[1]

    def step(
        self, params: PyTree, memory: Any, inputs: Any, targets: Any, scale: Array | float = 1.0
    ) -> tuple[PyTree, Any]:
        """The learner's own."""
        if super().has_step:
            return super().step(params, memory, inputs, targets, scale)
        number, rest = memory
        batch = self.data._replace(inputs=inputs, targets=targets)
        step_key = jax.random.fold_in(self.key, number)
        state, _ = self.learner.step(step_key, self.parts.join(params, rest), batch)
        new, rest = self.parts.split(state)
        return towards(params, new, self.scale * scale), (number + 1, rest)


@dataclasses.dataclass(frozen=True, repr=False)
class RowsProblem(Problem):
    """A problem of which only the rows can be looked at.

    Args:
        reason: why.
    """

    reason: str = ""

    @property
    def unasked(self) -> str:
        """Why its functions cannot be looked at."""
        return self.reason


def problem_of(
    key: jax.Array,
    learner: Learner,
    dataset: Dataset,
    *,
    num_steps: int | None = None,
    batch_size: int | None = None,
    sampling: Any = "epoch",
) -> LearnerProblem | RowsProblem:
    """What a learner trains, as functions that can be looked into.

    Its params are what the loss that its step reports has a gradient by, and its step changes; where there is
    nothing of the kind that the prediction depends on (closed forms, samplers), the rows alone are
    left to be looked at.

    Args:
        key: of the initial state, the order of the rows and what is random inside of a step; to be given
            to :func:`~jaxnets.diagnose.diagnose` too.
        num_steps: as for :func:`jaxnets.train.run`, and so are ``batch_size`` and ``sampling``; rows that
            a run draws are shuffled once.

    >>> from jaxnets import data, losses, models
    >>> import flax.linen as nn, optax
    >>> from jaxnets.learner import gradient
    >>> softmax = gradient(models.MLP((), 3), losses.softmax_cross_entropy, optax.sgd(0.1))
    >>> problem_of(jax.random.key(0), softmax, data.load("iris"), num_steps=100).num_rows
    120
    >>> ridge = models.ridge_classifier(num_classes=3, alpha=0.1)
    >>> problem_of(jax.random.key(0), ridge, data.load("iris")).unasked
    'its steps solve equations, and follow no gradient'
    """
    dataset = jax.tree.map(narrowed, dataset)
    if batch_size is not None and sampling != "sequential":
        rows = np.random.default_rng(0).permutation(len(jax.tree.leaves(dataset.train.inputs)[0]))
        dataset = dataset.replace(train=jax.tree.map(lambda leaf: leaf[rows], dataset.train))
    first = jax.jit(learner.init)(key, dataset.train)
    try:
        parts = parts_of(key, learner, first, some_rows(dataset.train, FEW_ROWS))
    except Exception as error:  # a learner may refuse rows without the others
        parts = Parts((), f"it takes no {FEW_ROWS} rows alone ({str(error).partition(chr(10))[0]})")
    if parts.reason:
        return _of_rows(dataset, parts.reason)
    fixed = parts.split(_warmed(key, learner, dataset, first, parts))[1]

    def loss(params: PyTree, inputs: Any, targets: Any) -> jax.Array:
        batch = dataset.train._replace(inputs=inputs, targets=targets)
        return learner.step(key, parts.join(params, fixed), batch)[1]["loss"]

    alone = pruned(loss)
    return LearnerProblem(
        lambda key: parts.split(learner.init(key, dataset.train))[0],
        lambda params, inputs: learner.predict(parts.join(params, fixed), inputs), alone, dataset,
        num_steps=num_steps, batch_size=batch_size, learner=learner, key=key, parts=parts, follows=alone,
    )  # fmt: skip


def _of_rows(dataset: Dataset, reason: str) -> RowsProblem:
    """The rows, with functions of no params that say nothing."""
    return RowsProblem(
        lambda key: (),
        lambda params, inputs: jnp.zeros(len(jax.tree.leaves(inputs)[0])),
        lambda params, inputs, targets: jnp.zeros(()),
        dataset,
        reason=reason,
    )


def _warmed(key: jax.Array, learner: Learner, dataset: Dataset, state: State, parts: Parts) -> State:
    """The state with statistics of the rows, before the first update of what is trained."""
    if not parts.has_statistics:
        return state
    rows = some_rows(dataset.train, MANY_ROWS)
    params, rest = parts.split(state)
    again = lambda _, rest: parts.split(learner.step(key, parts.join(params, rest), rows)[0])[1]  # noqa: E731
    return parts.join(params, jax.jit(lambda rest: jax.lax.fori_loop(0, WARM_UP, again, rest))(rest))
