"""Ridge classifier: least squares on one-of-k targets of +-1, in closed form."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.linalg import cho_factor, cho_solve

from jaxnets import check, learner
from jaxnets.layers import flatten
from jaxnets.models.closed_form import closed_form
from jaxnets.types import Array, Batch, Float, Metrics, Scalar, Shaped

REFINEMENTS = 3
"""Corrections of the solution by its residual; one or two reach the precision of the residual itself."""


class RidgeState(NamedTuple):
    """``scores = inputs @ coefficients + intercept``: arrays ``[d, k]`` and ``[k]``."""

    coefficients: Float[Array, "d k"]
    intercept: Float[Array, " k"]


def ridge_classifier(*, num_classes: int, alpha: Scalar = 1.0) -> learner.Learner:
    """Minimises ``||Y - X W - 1 b'||^2 + alpha ||W||^2`` with ``Y`` +1 at the label, -1 elsewhere.

    After centring, ``W = (X'X + alpha I)^-1 X'Y = X'(X X' + alpha I)^-1 Y``: the smaller of the two
    systems is solved. Scores are least-squares fits of the targets, no log-probabilities.

    Args:
        alpha: strength of the penalty on the coefficients, not on the intercept; 0 or more. With
            0 and dependent columns the scores are exact, and how these columns share is arbitrary.

    >>> from jaxnets import train
    >>> rows = (jnp.array([[0.0], [1.0], [3.0], [4.0]]), jnp.array([0, 0, 1, 1]))
    >>> model = ridge_classifier(num_classes=2, alpha=0.0)
    >>> state = train.run(jax.random.key(0), model, rows, num_steps=1).state
    >>> jnp.argmax(model.predict(state, jnp.array([[1.9], [2.1]])), axis=1).tolist()
    [0, 1]

    Reference: Hoerl & Kennard 1970; Hastie, Tibshirani & Friedman, The Elements of Statistical
    Learning, 3.4.1 and 4.2.
    """
    check.count("num_classes", num_classes, 2)
    check.interval("alpha", alpha, check.NON_NEGATIVE)

    def fit(batch: Batch) -> tuple[RidgeState, Metrics]:
        x = flatten(batch.inputs)
        y = 2 * jax.nn.one_hot(batch.targets, num_classes, dtype=x.dtype) - 1
        origin, offset = jnp.mean(x, axis=0, keepdims=True), jnp.mean(y, axis=0, keepdims=True)
        with jax.default_matmul_precision("highest"):
            coefficients = solve(x - origin, y - offset, alpha=alpha)
            intercept = offset - origin @ coefficients
            residual = y - x @ coefficients - intercept
        loss = jnp.sum(jnp.square(residual)) + alpha * jnp.sum(jnp.square(coefficients))
        return RidgeState(coefficients, intercept[0]), {"loss": loss}

    return closed_form(fit, predict, num_classes=num_classes)


def predict(state: RidgeState, inputs: Shaped[Array, "n ..."]) -> Float[Array, "n k"]:
    """Scores of the classes; those of the training targets are +1 and -1."""
    return flatten(inputs) @ state.coefficients + state.intercept[None, :]


def solve(x: Float[Array, "n d"], y: Float[Array, "n k"], *, alpha: Scalar) -> Float[Array, "d k"]:
    """``argmin_W ||Y - X W||^2 + alpha ||W||^2``.

    The system is scaled to a diagonal of 1, raised by what rounding may have taken, and factored once;
    the solution is then corrected by its residual, in which nothing was raised.

    >>> solve(jnp.array([[1.0, 0.0], [0.0, 2.0]]), jnp.array([[2.0], [5.0]]), alpha=1.0).round(4).tolist()
    [[1.0], [2.0]]
    """
    n, d = x.shape
    if d <= n:
        return _refined(x.T @ x, lambda w: x.T @ (y - x @ w) - alpha * w, y.shape[1], alpha)
    return x.T @ _refined(x @ x.T, lambda a: y - x @ (x.T @ a) - alpha * a, y.shape[1], alpha)


def _refined(gram: Array, residual: Callable[[Array], Array], columns: int, alpha: Scalar) -> jax.Array:
    """The root of ``residual``, whose derivative is ``-(gram + alpha I)``."""
    identity = jnp.eye(len(gram), dtype=gram.dtype)
    system = gram + alpha * identity
    diagonal = jnp.diagonal(system)
    scale = jnp.sqrt(jnp.where(diagonal > 0, diagonal, 1))[:, None]
    raised = len(gram) * jnp.finfo(gram.dtype).eps * identity
    cholesky = cho_factor(system / scale / scale.T + raised, lower=True)
    solution = jnp.zeros((len(gram), columns), gram.dtype)
    for _ in range(1 + REFINEMENTS):
        solution = solution + cho_solve(cholesky, residual(solution) / scale) / scale
    return solution
