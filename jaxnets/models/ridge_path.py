"""Ridge regression for many penalties at once, and the best of them by leaving one row out."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxnets import check
from jaxnets.learner import Learner
from jaxnets.models.closed_form import closed_form
from jaxnets.types import Array, Batch, Float, Int, Metrics, Scalar


class RidgePath(NamedTuple):
    """One regression a penalty.

    Attributes:
        alphas: the penalties.
        coefficients: of the ``p`` features.
        intercepts: one a penalty.
        leave_one_out: mean squared error of rows that the fit did not see.
        chosen: position of the penalty with the lowest of them, which predicts.
    """

    alphas: Float[Array, " a"]
    coefficients: Float[Array, "a p"]
    intercepts: Float[Array, " a"]
    leave_one_out: Float[Array, " a"]
    chosen: Int[Array, ""]


def ridge_path(
    *, basis: Callable[[Float[Array, "n d"]], Float[Array, "n p"]], alphas: Float[Array, " a"]
) -> Learner:
    """Minimises ``sum_i (y_i - w' f(x_i) - b)^2 + alpha |w|^2`` for each ``alpha``, by one decomposition.

    With the centred features ``F = U S V'`` the solution is ``w = V S (S^2 + alpha)^-1 U'y``, the hat matrix
    ``H = 1/n + U S^2 (S^2 + alpha)^-1 U'``, and the error of row ``i`` without itself in the fit
    ``(y_i - prediction_i) / (1 - H_ii)``: exact, no refit. The ``loss`` is the lowest mean square of these.

    Args:
        basis: inputs to features, as in :mod:`jaxnets.models.basis`; it must not depend on the rows.
        alphas: positive penalties; may be traced.

    Raises:
        InputError: a penalty is not positive.

    >>> from jaxnets import train
    >>> x = jnp.linspace(-1, 1, 9)[:, None]
    >>> model = ridge_path(basis=lambda x: jnp.concatenate([x, x**2], axis=1), alphas=jnp.array([1e-6, 1.0]))
    >>> path = train.run(jax.random.key(0), model, (x, 3 * x[:, 0] ** 2 + 1), num_steps=1).state
    >>> int(path.chosen), [round(float(w), 3) for w in path.coefficients[0]]
    (0, [0.0, 3.0])

    Reference: Hastie, Tibshirani & Friedman, The Elements of Statistical Learning, 3.4.1 and 7.10;
    Allen 1974, The relationship between variable selection and data augmentation (PRESS).
    """
    check.interval("alphas", alphas, check.POSITIVE)

    def fit(batch: Batch) -> tuple[RidgePath, Metrics]:
        with jax.default_matmul_precision("highest"):
            path = _solve(basis(batch.inputs), batch.targets, alphas)
        return path, {"loss": path.leave_one_out[path.chosen], "alpha": path.alphas[path.chosen]}

    def predict(state: RidgePath, inputs: Float[Array, "n d"]) -> Float[Array, " n"]:
        weights, intercept = state.coefficients[state.chosen], state.intercepts[state.chosen]
        return jnp.matmul(basis(inputs), weights, precision="highest") + intercept

    return closed_form(fit, predict)


def _solve(features: Float[Array, "n p"], y: Float[Array, " n"], alphas: Float[Array, " a"]) -> RidgePath:
    origin, offset = jnp.mean(features, axis=0), jnp.mean(y)
    u, s, v = jnp.linalg.svd(features - origin[None], full_matrices=False)
    along = u.T @ (y - offset)

    def regression(alpha: Scalar) -> tuple[Array, Array]:
        shrinkage = s**2 / (s**2 + alpha)
        residuals = y - offset - u @ (shrinkage * along)
        leverages = 1 / len(y) + u**2 @ shrinkage
        return (s / (s**2 + alpha) * along) @ v, jnp.mean(jnp.square(residuals / (1 - leverages)))

    coefficients, leave_one_out = jax.vmap(regression)(alphas)
    intercepts = offset - coefficients @ origin
    return RidgePath(alphas, coefficients, intercepts, leave_one_out, jnp.argmin(leave_one_out))
