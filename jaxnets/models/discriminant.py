"""Fisher's linear discriminant for several classes."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular

from jaxnets import check, learner
from jaxnets.layers import flatten
from jaxnets.models.closed_form import closed_form
from jaxnets.types import Array, Batch, Float, Metrics, Scalar, Shaped


class DiscriminantState(NamedTuple):
    """The discriminant space, in which the covariance within classes is the identity.

    Attributes:
        origin: mean of the classes' means, weighted by their priors.
        directions: ``r = min(k - 1, d)`` axes of the space, the most discriminative first.
        criterion: between-class over within-class variance along each axis.
        centroids: means of the classes in the space.
        log_priors: half the lowest finite number for a class without rows, which is never predicted.
    """

    origin: Float[Array, " d"]
    directions: Float[Array, "d r"]
    criterion: Float[Array, " r"]
    centroids: Float[Array, "k r"]
    log_priors: Float[Array, " k"]


def linear_discriminant(
    *, num_classes: int, shrinkage: Scalar = 0.0, priors: Float[Array, " k"] | None = None
) -> learner.Learner:
    """Solves ``S_b w = lambda S_w w``, and classifies by the nearest centroid in the space of the ``w``.

    ``S_b = sum_j p_j (m_j - m)(m_j - m)'`` has rank ``k - 1``, so that with ``S_w = L L'`` the
    eigenproblem is one of ``k x k``. The scores are log-posteriors of normal classes with the shared
    covariance ``S_w``, up to a term common to the classes. The loss is ``-sum lambda``.

    Args:
        shrinkage: ``s`` in [0, 1]: ``S_w`` becomes ``(1 - s) S_w + s trace(S_w) / d I``.
        priors: positive weight of each class; None: its frequency.

    >>> from jaxnets import train
    >>> rows = (jnp.array([[0.0], [2.0], [4.0], [6.0]]), jnp.array([0, 0, 1, 1]))
    >>> model = linear_discriminant(num_classes=2)
    >>> state = train.run(jax.random.key(0), model, rows, num_steps=1).state
    >>> jnp.argmax(model.predict(state, jnp.array([[2.9], [3.1]])), axis=1).tolist()
    [0, 1]

    Reference: Fisher 1936; Rao 1948; Hastie, Tibshirani & Friedman, The Elements of Statistical
    Learning, 4.3; Bishop, Pattern Recognition and Machine Learning, 4.1.6.
    """
    check.count("num_classes", num_classes, 2)
    check.interval("shrinkage", shrinkage, check.Interval(0, 1))
    if priors is not None:
        check.interval("priors", priors, check.POSITIVE)
        if jnp.shape(priors) != (num_classes,):
            raise check.InputError(f"priors of shape {jnp.shape(priors)}, allowed is ({num_classes},)")

    def fit(batch: Batch) -> tuple[DiscriminantState, Metrics]:
        x = flatten(batch.inputs)
        members = jax.nn.one_hot(batch.targets, num_classes, dtype=x.dtype)
        with jax.default_matmul_precision("highest"):
            state = _solve(x, members, shrinkage, priors)
        return state, {"loss": -jnp.sum(state.criterion)}

    return closed_form(fit, predict, num_classes=num_classes)


def predict(state: DiscriminantState, inputs: Shaped[Array, "n ..."]) -> Float[Array, "n k"]:
    """``z . c_j - |c_j|^2 / 2 + log p_j``: log-posteriors of the classes, up to a term common to them."""
    return centroid_scores(transform(state, inputs), state.centroids, state.log_priors)


def transform(state: DiscriminantState, inputs: Shaped[Array, "n ..."]) -> Float[Array, "n r"]:
    """Rows in the discriminant space: ``(x - origin) directions``."""
    return jnp.matmul(flatten(inputs) - state.origin[None, :], state.directions, precision="highest")


def centroid_scores(
    rows: Float[Array, "n r"], centroids: Float[Array, "k r"], log_priors: Float[Array, " k"]
) -> Float[Array, "n k"]:
    """Log-posteriors of normal classes of unit covariance, up to a term common to the classes.

    >>> centroid_scores(jnp.array([[1.0]]), jnp.array([[0.0], [2.0]]), jnp.zeros(2)).tolist()
    [[0.0, 0.0]]
    """
    offsets = log_priors - jnp.sum(jnp.square(centroids), axis=1) / 2
    return jnp.matmul(rows, centroids.T, precision="highest") + offsets[None, :]


def log_frequencies(frequencies: Float[Array, " k"]) -> Float[Array, " k"]:
    """Logarithms; of 0, half the lowest finite number: below all scores, and no sign of divergence.

    >>> log_frequencies(jnp.array([1.0, 0.0])).tolist()
    [0.0, -1.7014117331926443e+38]
    """
    lowest = jnp.finfo(frequencies.dtype).min / 2
    return jnp.where(frequencies > 0, jnp.log(frequencies), lowest)


def _solve(x: Array, members: Array, shrinkage: Scalar, priors: Array | None) -> DiscriminantState:
    """The discriminant space of rows ``x`` with one-hot ``members``."""
    first = x[0]  # taken off first, so that constant columns become zeros, exactly
    x = x - first[None, :]
    counts = jnp.sum(members, axis=0)
    weights = counts if priors is None else jnp.where(counts > 0, jnp.asarray(priors, x.dtype), 0)
    weights = weights / jnp.sum(weights)
    means = members.T @ x / jnp.maximum(counts, 1)[:, None]
    origin = weights @ means
    between = jnp.sqrt(weights)[:, None] * (means - origin[None, :])

    row_weights = members @ (weights / jnp.maximum(counts, 1))
    scale, cholesky = _factor(_within(x - members @ means, row_weights, shrinkage))
    whitened = solve_triangular(cholesky, (between / scale[None, :]).T, lower=True)
    criterion, axes = _leading_axes(whitened, min(len(counts) - 1, x.shape[1]))
    directions = solve_triangular(cholesky, axes, lower=True, trans=1) / scale[:, None]
    centroids = (means - origin[None, :]) @ directions
    return DiscriminantState(origin + first, directions, criterion, centroids, log_frequencies(weights))


def _within(deviations: Array, row_weights: Array, shrinkage: Scalar) -> jax.Array:
    """Covariance within classes, shrunk towards a sphere of the same trace."""
    d = deviations.shape[1]
    covariance = (deviations * row_weights[:, None]).T @ deviations
    sphere = jnp.trace(covariance) / d * jnp.eye(d, dtype=covariance.dtype)
    return (1 - shrinkage) * covariance + shrinkage * sphere


def _factor(covariance: Array) -> tuple[jax.Array, jax.Array]:
    """Standard deviations, and the Cholesky factor of the correlations.

    Scaling first makes the result independent of the features' units. The diagonal is raised by what
    rounding may have taken, so that constant and dependent columns do no harm.
    """
    variances = jnp.diagonal(covariance)
    scale = jnp.sqrt(jnp.where(variances > 0, variances, 1))
    correlations = covariance / (scale[:, None] * scale[None, :])
    raised = 8 * len(scale) * jnp.finfo(scale.dtype).eps * jnp.eye(len(scale), dtype=scale.dtype)
    return scale, jnp.linalg.cholesky(correlations + raised)


def _leading_axes(columns: Array, count: int) -> tuple[jax.Array, jax.Array]:
    """Largest eigenvalues of ``A A'`` and their unit vectors, from the small matrix ``A'A``."""
    values, vectors = jnp.linalg.eigh(columns.T @ columns)
    values, vectors = values[::-1][:count], vectors[:, ::-1][:, :count]
    present = values > jnp.finfo(values.dtype).eps * values[0]
    lengths = jnp.sqrt(jnp.where(present, values, 1))
    return jnp.where(present, values, 0), columns @ vectors * (present / lengths)[None, :]
