"""Cross-validation as one learner: a model a fold, all trained at once by ``vmap``.

Rows are not cut out, which would give each fold other shapes: every model sees all rows, those of its own
fold with weight 0. So ``loss`` must weigh rows; :func:`weighted` makes it from one that averages.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxnets import check
from jaxnets.learner import Learner
from jaxnets.models.side_by_side import combined
from jaxnets.types import Array, Batch, Float, Inputs, Int, Key, Metrics, PyTree, State, Targets


class Folded(NamedTuple):
    """Inputs of a :func:`cross_validated` learner, and the fold of each row, ``0..num_folds-1``."""

    inputs: Inputs
    fold: Int[Array, " n"]


class Weighted(NamedTuple):
    """Targets that a model inside :func:`cross_validated` sees: weight 0 for rows that it must not."""

    targets: Targets
    weight: Float[Array, " n"]


class FoldsState(NamedTuple):
    """One entry a fold: what was fitted to prepare the inputs, and the model's state."""

    prepared: PyTree
    models: State


def cross_validated(
    learner: Learner,
    *,
    num_folds: int,
    fit: Callable[[Inputs, Float[Array, " n"]], PyTree] = lambda inputs, weight: (),
    prepare: Callable[[PyTree, Inputs], Inputs] = lambda fitted, inputs: inputs,
) -> Learner:
    """``num_folds`` copies of a learner, each trained without the rows of its fold.

    Inputs are :class:`Folded`. ``predict`` is out of fold: each row's answer is that of the one model that
    has not seen it. Metrics are means over the folds, rows of ``loss`` weighted as they are trained on; the
    whole has converged once all folds have.

    Args:
        learner: its loss takes :class:`Weighted` targets, see :func:`weighted`.
        fit: what is measured of the inputs of weight 1 before training (medians, means): the rows held
            out must not count.
        prepare: ``(fitted, inputs) -> inputs`` as the learner gets them.

    Raises:
        InputError: fewer than two folds.

    >>> import flax.linen as nn, optax
    >>> from jaxnets import losses, train
    >>> from jaxnets.learner import gradient
    >>> line = gradient(nn.Dense(1), weighted(losses.squared_error), optax.sgd(0.5))
    >>> x, fold = jnp.linspace(-1, 1, 30)[:, None], jnp.arange(30) % 3
    >>> model = cross_validated(line, num_folds=3)
    >>> run = train.run(jax.random.key(0), model, (Folded(x, fold), 2 * x), num_steps=50)
    >>> bool(jnp.allclose(model.predict(run.state, Folded(x, fold)), 2 * x, atol=1e-3))
    True

    Reference: Hastie, Tibshirani & Friedman, The Elements of Statistical Learning, 7.10, with the wrong way
    to do it: what is fitted once to all rows, and not inside the folds.
    """
    check.count("num_folds", num_folds, 2)
    folds = jnp.arange(num_folds)

    def init(key: Key, data: Batch) -> FoldsState:
        def one(fold_key: Key, fold: Int[Array, ""]) -> FoldsState:
            fitted = fit(data.inputs.inputs, _weight(data, fold))
            return FoldsState(fitted, learner.init(fold_key, _rows(fitted, data, fold)))

        return jax.vmap(one)(jax.random.split(key, num_folds), folds)

    def step(key: Key, state: FoldsState, batch: Batch) -> tuple[FoldsState, Metrics]:
        def one(fold_key: Key, fold: Int[Array, ""], state: FoldsState) -> tuple[State, Metrics]:
            return learner.step(fold_key, state.models, _rows(state.prepared, batch, fold))

        models, metrics = jax.vmap(one)(jax.random.split(key, num_folds), folds, state)
        return state._replace(models=models), combined(metrics, by=jnp.mean)

    def predict(state: FoldsState, rows: Folded) -> PyTree:
        def one(state: FoldsState) -> PyTree:
            return learner.predict(state.models, prepare(state.prepared, rows.inputs))

        each = jnp.arange(len(rows.fold))
        return jax.tree.map(lambda leaf: leaf[rows.fold, each], jax.vmap(one)(state))

    def _rows(fitted: PyTree, data: Batch, fold: Int[Array, ""]) -> Batch:
        targets = Weighted(data.targets, _weight(data, fold))
        return Batch(prepare(fitted, data.inputs.inputs), targets)

    return Learner(init, step, predict)


def weighted(loss: Callable[[PyTree, Targets], jax.Array]) -> Callable[[PyTree, Weighted], jax.Array]:
    """``sum_i w_i loss_i / sum_i w_i`` of a loss that averages over rows; 0 where no row has weight.

    >>> from jaxnets.losses import squared_error
    >>> targets = Weighted(jnp.zeros((3, 1)), jnp.array([1.0, 1.0, 0.0]))
    >>> float(weighted(squared_error)(jnp.array([[1.0], [3.0], [100.0]]), targets))
    5.0
    """

    def weighted_loss(outputs: PyTree, targets: Weighted) -> jax.Array:
        alone = jax.tree.map(lambda leaf: jnp.asarray(leaf)[:, None], (outputs, targets.targets))
        values = jax.vmap(loss)(*alone)
        return targets.weight @ values / jnp.maximum(targets.weight.sum(), 1)

    return weighted_loss


def _weight(data: Batch, fold: Int[Array, ""]) -> Float[Array, " n"]:
    return (jnp.asarray(data.inputs.fold) != fold).astype(float)
