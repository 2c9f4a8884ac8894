"""Several runs of one learner on rows of their own, as the folds of a cross-validation."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxnets.learner import Learner
from jaxnets.types import Array, Batch, Inputs, Key, Metrics, PyTree, Shaped, State


def side_by_side(learner: Learner) -> Learner:
    """A run of ``learner`` for each entry of the second axis: inputs ``[n, f, ...]``, targets ``[n, f]``.

    Run ``j`` sees ``inputs[:, j]`` and ``targets[:, j]`` alone; predictions are ``[n, f, ...]``, metrics are
    means over the runs. Where all folds can have the same inputs, see also
    :func:`~jaxnets.models.cross_validation.cross_validated`.

    >>> from jaxnets import models, train
    >>> x, y = jnp.arange(4.0)[:, None, None].repeat(2, axis=1), jnp.array([[0, 1], [0, 1], [1, 0], [1, 0]])
    >>> both = side_by_side(models.ridge_classifier(num_classes=2, alpha=0.1))
    >>> run = train.run(jax.random.key(0), both, (x, y), num_steps=1)
    >>> both.predict(run.state, x).argmax(2).T.tolist()
    [[0, 0, 1, 1], [1, 1, 0, 0]]
    """

    def init(key: Key, data: Batch) -> State:
        rows = _by_run(data)
        return jax.vmap(learner.init)(jax.random.split(key, len(rows.targets)), rows)

    def step(key: Key, state: State, batch: Batch) -> tuple[State, Metrics]:
        rows = _by_run(batch)
        new, metrics = jax.vmap(learner.step)(jax.random.split(key, len(rows.targets)), state, rows)
        return new, combined(metrics, by=jnp.mean)

    def predict(state: State, inputs: Inputs) -> PyTree:
        return jax.vmap(learner.predict, in_axes=(0, 1), out_axes=1)(state, inputs)

    return Learner(init, step, predict)


def combined(metrics: dict[str, Shaped[Array, " f"]], *, by: Callable[[Array], jax.Array]) -> Metrics:
    """One number for the metrics of several learners; together they have converged once all have.

    >>> found = {"loss": jnp.array([1.0, 3.0]), "converged": jnp.array([True, False])}
    >>> {name: value.item() for name, value in combined(found, by=jnp.mean).items()}
    {'loss': 2.0, 'converged': False}
    """
    return {name: values.all() if name == "converged" else by(values) for name, values in metrics.items()}


def _by_run(rows: Batch) -> Batch:
    """The rows with the runs in the first axis."""
    return jax.tree.map(lambda leaf: jnp.moveaxis(jnp.asarray(leaf), 1, 0), rows)
