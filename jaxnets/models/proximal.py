"""Linear scores of k classes fitted to a smooth convex loss, with L1 and L2 penalties.

    minimise  sum_i loss(W' x_i + b, y_i) + l2 / 2 |W|^2 + l1 |W|_1        (b is not penalised)

Each step is an accelerated proximal gradient step on all rows: a gradient step from a point ahead of the
last one, then soft thresholding, which is the L1 penalty's part. Centring the inputs (exact, as b is
free) and a step size for each feature make it indifferent to the inputs' offsets and units. The
steps are as long as the objective's curvature along them allows, not its worst case.

Reference: Beck & Teboulle (2009), A fast iterative shrinkage-thresholding algorithm for linear inverse
problems; O'Donoghue & Candès (2015), Adaptive restart for accelerated gradient schemes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxnets import check, check_rows
from jaxnets.layers import flatten
from jaxnets.learner import Learner
from jaxnets.types import Array, Batch, Float, Int, Key, Metrics, Scalar, Shaped

Loss = Callable[[Float[Array, "n k"], Array], Float[Array, ""]]
"""``(scores, labels)`` to the mean over the rows."""

POWER_ITERATIONS = 30
MARGIN = 1.1
"""What the largest eigenvalue's estimate, which comes from below, is multiplied by."""
LONGER, SHORTER = 0.95, 1.5
"""Factors of the steps' divisor after a step that was taken, and after one that was too long."""


class Plane(NamedTuple):
    """``scores = (inputs - center) @ coefficients + level``; also a gradient, a move or step sizes."""

    coefficients: Float[Array, "d _"]
    level: Float[Array, " _"]


class ProximalState(NamedTuple):
    """The fit so far, and what the next step needs.

    Attributes:
        plane: the fit, over centred inputs.
        ahead: the point that the next step starts from.
        momentum: grows from 1 between restarts.
        center: mean of the training inputs.
        sizes: steps that are safe anywhere.
        divisor: of the sizes, at most 1: less where the objective bends less than it might.
    """

    plane: Plane
    ahead: Plane
    momentum: Float[Array, ""]
    center: Float[Array, " d"]
    sizes: Plane
    divisor: Float[Array, ""]

    @property
    def coefficients(self) -> Float[Array, "d k"]:
        """``W`` in ``scores = inputs @ W + b``."""
        return self.plane.coefficients

    @property
    def intercept(self) -> Float[Array, " k"]:
        """``b`` in ``scores = inputs @ W + b``."""
        return self.plane.level - self.center @ self.plane.coefficients


def proximal_linear(
    loss: Loss,
    *,
    num_classes: int,
    curvature: float,
    l2: Scalar,
    l1: Scalar,
    tolerance: Scalar,
) -> Learner:
    """A linear model of the module's objective; its steps take the full batch.

    The metric ``loss`` is the objective over the number of rows. ``residual`` is the largest entry of the
    mean loss's (proximal) gradient, were the inputs standardised; at ``tolerance`` the run has converged.

    Args:
        loss: ``(scores, labels)`` to the mean over the rows.
        curvature: bound on the second derivative of a row's loss in its scores.

    Raises:
        InputError: fewer than two classes, or labels outside ``0..num_classes-1``.
    """
    check.count("num_classes", num_classes, 2)

    def init(key: Key, data: Batch) -> ProximalState:
        check_rows.labels(data.targets, num_classes)
        inputs = flatten(data.inputs)
        center, sizes = _step_sizes(key, inputs, curvature=curvature, l2=l2)
        one = jnp.ones((), inputs.dtype)
        zeros = Plane(jnp.zeros((inputs.shape[1], num_classes), one.dtype), jnp.zeros(num_classes, one.dtype))
        return ProximalState(zeros, zeros, one, center, sizes, one)

    def step(key: Key, state: ProximalState, batch: Batch) -> tuple[ProximalState, Metrics]:
        inputs, ahead = flatten(batch.inputs), state.ahead

        def total(scores: Float[Array, "n k"]) -> Float[Array, ""]:
            return len(inputs) * loss(scores, batch.targets)

        with jax.default_matmul_precision("highest"):
            scores = _scores(ahead, state.center, inputs)
            value, slopes = jax.value_and_grad(total)(scores)
            sizes = jax.tree.map(lambda size: size / state.divisor, state.sizes)
            gradient = _gradient(slopes, ahead, state.center, inputs, l2=l2)
            plane = _descend(ahead, sizes, gradient, l1=l1)
            move = jax.tree.map(jnp.subtract, plane, ahead)
            bend = _bend(total, scores, _scores(move, state.center, inputs))
        taken = (bend + l2 * jnp.sum(move.coefficients**2) <= _product(move, move, sizes)) | (
            state.divisor == 1
        )
        residual = _residual(move, sizes) / len(inputs)
        value += l2 / 2 * jnp.sum(ahead.coefficients**2) + l1 * jnp.sum(jnp.abs(ahead.coefficients))
        metrics = {
            "loss": value / len(inputs),
            "residual": residual,
            "converged": taken & (residual <= tolerance),
        }
        after = _accelerate(state, plane, move, sizes)
        shorter = state._replace(divisor=jnp.minimum(1, SHORTER * state.divisor))
        return jax.tree.map(lambda new, old: jnp.where(taken, new, old), after, shorter), metrics

    return Learner(init, step, predict)


def predict(state: ProximalState, inputs: Shaped[Array, "n ..."]) -> Float[Array, "n k"]:
    """Scores of the classes."""
    return _scores(state.plane, state.center, flatten(inputs))


def one_vs_rest_loss(
    loss: Loss,
) -> Loss:
    """``loss(scores, labels)``: a binary loss of each class against all others, summed over the classes.

    Args:
        loss: ``(scores [n, k], zeros and ones [n, k])`` to the mean over all.
    """

    def summed(scores: Float[Array, "n k"], labels: Int[Array, " n"]) -> Float[Array, ""]:
        num_classes = scores.shape[1]
        return num_classes * loss(scores, jax.nn.one_hot(labels, num_classes, dtype=scores.dtype))

    return summed


def _scores(plane: Plane, center: Float[Array, " d"], inputs: Float[Array, "n d"]) -> Float[Array, "n k"]:
    return inputs @ plane.coefficients + (plane.level - center @ plane.coefficients)[None]


def _gradient(
    slopes: Float[Array, "n k"],
    plane: Plane,
    center: Float[Array, " d"],
    inputs: Float[Array, "n d"],
    *,
    l2: Scalar,
) -> Plane:
    total = jnp.sum(slopes, axis=0)
    return Plane(inputs.T @ slopes - center[:, None] * total[None] + l2 * plane.coefficients, total)


def _descend(start: Plane, sizes: Plane, gradient: Plane, *, l1: Scalar) -> Plane:
    """A gradient step, then each coefficient towards zero by ``size l1``, and not beyond."""
    target = jax.tree.map(lambda w, size, g: w - size * g, start, sizes, gradient)
    kept = jnp.maximum(jnp.abs(target.coefficients) - sizes.coefficients * l1, 0)
    return target._replace(coefficients=jnp.sign(target.coefficients) * kept)


def _bend(
    total: Callable[[Array], Array], scores: Float[Array, "n k"], move: Float[Array, "n k"]
) -> Float[Array, ""]:
    """The loss's second derivative along a move of the scores."""
    return jnp.sum(move * jax.jvp(jax.grad(total), (scores,), (move,))[1])


def _product(one: Plane, other: Plane, sizes: Plane) -> Float[Array, ""]:
    """Inner product in which a step along the gradient is the steepest."""
    return sum(jax.tree.leaves(jax.tree.map(lambda a, b, size: jnp.sum(a * b / size), one, other, sizes)))


def _residual(move: Plane, sizes: Plane) -> Float[Array, ""]:
    steepness = jax.tree.map(lambda m, size: jnp.max(jnp.abs(m) / jnp.sqrt(size)), move, sizes)
    return jnp.maximum(*steepness) / jnp.sqrt(sizes.level[0])


def _accelerate(state: ProximalState, plane: Plane, move: Plane, sizes: Plane) -> ProximalState:
    """The next point ahead; momentum starts again where it led uphill."""
    change = jax.tree.map(jnp.subtract, plane, state.plane)
    momentum = jnp.where(_product(move, change, sizes) < 0, 1, state.momentum)
    grown = (1 + jnp.sqrt(1 + 4 * momentum**2)) / 2
    ahead = jax.tree.map(lambda w, go: w + (momentum - 1) / grown * go, plane, change)
    divisor = LONGER * state.divisor
    return state._replace(plane=plane, ahead=ahead, momentum=grown, divisor=divisor)


def _step_sizes(
    key: Key, inputs: Float[Array, "n d"], *, curvature: float, l2: Scalar
) -> tuple[Float[Array, " d"], Plane]:
    """The inputs' mean, and ``1 / (L H_jj)``.

    ``H = curvature X'X + l2 I`` (X centred) bounds the objective's second derivative; ``L`` is the largest
    eigenvalue of ``H`` scaled to a diagonal of ones, by power iteration.
    """
    num_rows, center = len(inputs), jnp.mean(inputs, axis=0)
    variance = jnp.maximum(jnp.var(inputs, axis=0), (1e-5 * center) ** 2)
    diagonal = curvature * num_rows * variance + l2
    diagonal = jnp.where(diagonal > 0, diagonal, 1)

    def power(vector: Float[Array, " d"]) -> Float[Array, " d"]:
        direction = vector / jnp.linalg.norm(vector) / jnp.sqrt(diagonal)
        projected = inputs @ direction - center @ direction
        product = inputs.T @ projected - center * jnp.sum(projected)
        return (curvature * product + l2 * direction) / jnp.sqrt(diagonal)

    start = jax.random.normal(key, diagonal.shape, inputs.dtype)
    grown = jax.lax.fori_loop(0, POWER_ITERATIONS, lambda _, vector: power(vector), start)
    bound = MARGIN * jnp.maximum(jnp.linalg.norm(grown), 1)
    return center, Plane(1 / (bound * diagonal[:, None]), 1 / (bound * curvature * num_rows)[None])
