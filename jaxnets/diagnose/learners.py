"""A learner as a problem: what an experiment trains is diagnosed by the same rules as functions by hand."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.data.dataset import Dataset
from jaxnets.diagnose.problem import Problem
from jaxnets.learner import GradientState, Learner
from jaxnets.types import PyTree, State

WARM_UP = 50
"""Steps after which running statistics of the rows stand for them."""


@dataclasses.dataclass(frozen=True)
class LearnerProblem(Problem):
    """A problem whose steps are a learner's: what is not trained goes from step to step as its memory.

    Args:
        learner: whose steps these are.
        key: of its initial state, and of what is random inside of a step.
    """

    learner: Any = None
    key: Any = None

    @property
    def has_step(self) -> bool:
        """A learner always knows how."""
        return True

    def begin(self, params: PyTree) -> Any:
        """All of the state that is not trained."""
        del params
        return _parted(self.learner.init(self.key, self.data))[1]

    def step(self, params: PyTree, memory: Any, inputs: Any, targets: Any) -> tuple[PyTree, Any]:
        """The learner's own."""
        batch = self.data._replace(inputs=inputs, targets=targets)
        return _parted(self.learner.step(self.key, _joined(params, memory), batch)[0])


def problem_of(
    key: jax.Array,
    learner: Learner,
    dataset: Dataset,
    *,
    num_steps: int | None = None,
    batch_size: int | None = None,
    sampling: Any = "epoch",
) -> LearnerProblem:
    """What a learner trains, as functions that can be looked into.

    Its params are those of :func:`jaxnets.gradient`, or else all of the state that is real; its loss is the
    one that its step reports.

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
    """
    if batch_size is not None and sampling != "sequential":
        rows = np.random.default_rng(0).permutation(len(jax.tree.leaves(dataset.train.inputs)[0]))
        dataset = dataset.replace(train=jax.tree.map(lambda leaf: np.asarray(leaf)[rows], dataset.train))
    first = jax.jit(learner.init)(key, dataset.train)
    fixed = _parted(_warmed(key, learner, dataset, first))[1]

    def loss(params: PyTree, inputs: Any, targets: Any) -> jax.Array:
        batch = dataset.train._replace(inputs=inputs, targets=targets)
        return learner.step(key, _joined(params, fixed), batch)[1]["loss"]

    return LearnerProblem(
        lambda key: _parted(learner.init(key, dataset.train))[0],
        lambda params, inputs: learner.predict(_joined(params, fixed), inputs), loss, dataset,
        num_steps=num_steps, batch_size=batch_size, learner=learner, key=key,
    )  # fmt: skip


def _warmed(key: jax.Array, learner: Learner, dataset: Dataset, state: State) -> State:
    """The state with statistics of the rows, before the first update of what is trained."""
    if not isinstance(state, GradientState) or not jax.tree.leaves(state.variables):
        return state
    rows = jax.tree.map(lambda leaf: jnp.asarray(leaf[:256]), dataset.train)
    only = lambda _, so_far: state._replace(  # noqa: E731
        variables=learner.step(key, so_far, rows)[0].variables
    )
    return jax.jit(lambda state: jax.lax.fori_loop(0, WARM_UP, only, state))(state)


def _parted(state: State) -> tuple[PyTree, Any]:
    """What is trained, and the rest of a state."""
    if isinstance(state, GradientState):
        return state.params, state._replace(params=())
    leaves, structure = jax.tree.flatten(state)
    real = [jnp.issubdtype(jnp.result_type(leaf), jnp.inexact) for leaf in leaves]
    if all(real):
        return state, ()
    trained = [leaf for leaf, is_real in zip(leaves, real, strict=True) if is_real]
    others = [None if is_real else leaf for leaf, is_real in zip(leaves, real, strict=True)]
    return trained, Rest(tuple(others), structure)


def _joined(params: PyTree, rest: Any) -> State:
    if isinstance(rest, GradientState):
        return rest._replace(params=params)
    if not isinstance(rest, Rest):
        return params
    trained = iter(params)
    return jax.tree.unflatten(
        rest.structure, [next(trained) if leaf is None else leaf for leaf in rest.leaves]
    )


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Rest:
    """The numbers of a state that are not real, with None in place of those that are.

    Attributes:
        leaves: in the order of the state's.
        structure: of the whole state.
    """

    leaves: tuple
    structure: Any = dataclasses.field(metadata={"static": True})
