"""Least squares by gradient descent, with any rule for the size of a step."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxnets import check
from jaxnets.learner import Learner
from jaxnets.step_sizes import Point, StepSize
from jaxnets.types import Array, Batch, Float, Int, Key, Metrics, Scalar


class LeastSquaresState(NamedTuple):
    """The coefficients, the point that the last step started from, and the steps so far."""

    coefficients: Float[Array, " d"]
    before: Point
    steps: Int[Array, ""]


def least_squares(*, step_size: StepSize, tolerance: Scalar = 1e-4) -> Learner:
    """Minimises ``f(b) = |X b - y|^2 / (2 n)`` by ``b <- b - a f'(b)``, from standard normal coefficients.

    There is no intercept beside the columns of ``X``. A run ends once ``|f'(b)| <= tolerance``. The metrics
    are ``loss``, ``gradient_norm`` and the step's ``size``.

    Args:
        step_size: one of :mod:`jaxnets.step_sizes`, asked for ``a`` at each step.
        tolerance: 0 or more; what rounding leaves of the gradient grows with the largest curvature.

    Raises:
        InputError: a negative tolerance.

    >>> from jaxnets import step_sizes, train
    >>> x, y = jnp.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]]), jnp.array([1.0, 3.0, 5.0])
    >>> model = least_squares(step_size=step_sizes.safeguarded(step_sizes.barzilai_borwein_long))
    >>> train.run(jax.random.key(0), model, (x, y), num_steps=30).state.coefficients.round(3).tolist()
    [1.0, 2.0]

    Reference: Boyd & Vandenberghe, Convex Optimization, 9.3; the steps: :mod:`jaxnets.step_sizes`.
    """
    check.interval("tolerance", tolerance, check.NON_NEGATIVE)

    def init(key: Key, data: Batch) -> LeastSquaresState:
        start = jax.random.normal(key, data.inputs.shape[1:], data.inputs.dtype)
        return LeastSquaresState(start, _point(start, data), jnp.int32(0))

    def step(key: Key, state: LeastSquaresState, batch: Batch) -> tuple[LeastSquaresState, Metrics]:
        here = _point(state.coefficients, batch)
        norm = jnp.linalg.norm(here.gradient)
        size = jnp.where(norm > 0, step_size(lambda b: objective(b, batch), here, state.before), 0)
        metrics = {"loss": here.value, "gradient_norm": norm, "size": size, "converged": norm <= tolerance}
        new = LeastSquaresState(state.coefficients - size * here.gradient, here, state.steps + 1)
        return new, metrics

    return Learner(init, step, lambda state, inputs: inputs @ state.coefficients)


def objective(coefficients: Float[Array, " d"], rows: Batch) -> Float[Array, ""]:
    """``|X b - y|^2 / (2 n)``."""
    return jnp.mean((rows.inputs @ coefficients - rows.targets) ** 2) / 2


def curvatures(inputs: Float[Array, "n d"]) -> Float[Array, " d"]:
    """Eigenvalues of ``X'X / n``, ascending; a constant rate is stable below 2 over the last.

    >>> curvatures(jnp.array([[1.0, 0.0], [0.0, 2.0]])).tolist()
    [0.5, 2.0]
    """
    return jnp.linalg.eigvalsh(inputs.T @ inputs / len(inputs))


def _point(coefficients: Float[Array, " d"], rows: Batch) -> Point:
    return Point(coefficients, *jax.value_and_grad(objective)(coefficients, rows))
