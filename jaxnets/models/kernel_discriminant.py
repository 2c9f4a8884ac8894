"""Fisher's discriminant in the feature space of a kernel."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.linalg import cho_factor, cho_solve

from jaxnets import check, kernels, learner
from jaxnets.layers import flatten
from jaxnets.models.closed_form import closed_form
from jaxnets.models.discriminant import centroid_scores, log_frequencies
from jaxnets.types import Array, Batch, Float, Metrics, Scalar, Shaped


class KernelDiscriminantState(NamedTuple):
    """The discriminant space, in which the covariance within classes is the identity.

    Attributes:
        rows: the training rows.
        coefficients: each of the ``k - 1`` axes as a combination of the training rows.
        offset: mean of the training rows in the space, before it is moved to the origin.
        criterion: between-class over within-class variance along each axis.
        centroids: means of the classes in the space.
        log_priors: half the lowest finite number for a class without rows, which is never predicted.
    """

    rows: Float[Array, "n d"]
    coefficients: Float[Array, "n r"]
    offset: Float[Array, " r"]
    criterion: Float[Array, " r"]
    centroids: Float[Array, "k r"]
    log_priors: Float[Array, " k"]


def kernel_discriminant(
    *, num_classes: int, kernel: kernels.Kernel, regularization: Scalar = 1e-4
) -> learner.Learner:
    """Solves ``S_b w = lambda (S_w + mu I) w`` for ``w`` in the kernel's feature space.

    With ``S_t = S_b + S_w``, the centred Gram matrix ``G``, and indicators ``Z`` of the classes, centred
    and divided by ``sqrt(n_j)``, the axes are ``(S_t + mu I)^-1 B v``, that is
    ``a = (G + n mu I)^-1 Z v``, where ``v`` are eigenvectors of the ``k x k`` matrix
    ``R = n mu Z'(G + n mu I)^-1 Z`` and its eigenvalue is ``1 / (1 + lambda)``: one Cholesky
    factorisation, no eigenproblem of size ``n``. The loss is ``-sum lambda``.

    Args:
        kernel: ``(x, y) -> [n, m]``, see :mod:`jaxnets.kernels`.
        regularization: ``mu``, positive, in units of the kernel's values.

    >>> from jaxnets import train
    >>> rows = (jnp.array([[-2.0], [2.0], [-0.5], [0.5]]), jnp.array([0, 0, 1, 1]))
    >>> model = kernel_discriminant(num_classes=2, kernel=kernels.rbf(gamma=0.5))
    >>> state = train.run(jax.random.key(0), model, rows, num_steps=1).state
    >>> jnp.argmax(model.predict(state, jnp.array([[-3.0], [0.0], [3.0]])), axis=1).tolist()
    [0, 1, 0]

    Reference: Mika et al. 1999; Baudat & Anouar 2000; Hastie, Buja & Tibshirani 1995, Penalized
    discriminant analysis.
    """
    check.count("num_classes", num_classes, 2)
    check.interval("regularization", regularization, check.POSITIVE)

    def fit(batch: Batch) -> tuple[KernelDiscriminantState, Metrics]:
        rows = flatten(batch.inputs)
        members = jax.nn.one_hot(batch.targets, num_classes, dtype=rows.dtype)
        with jax.default_matmul_precision("highest"):
            state = _solve(rows, kernels.gram(kernel, rows), members, regularization)
        return state, {"loss": -jnp.sum(state.criterion)}

    def predict(state: KernelDiscriminantState, inputs: Shaped[Array, "n ..."]) -> Float[Array, "n k"]:
        return centroid_scores(transform(state, inputs, kernel=kernel), state.centroids, state.log_priors)

    return closed_form(fit, predict, num_classes=num_classes)


def transform(
    state: KernelDiscriminantState, inputs: Shaped[Array, "m ..."], *, kernel: kernels.Kernel
) -> Float[Array, "m r"]:
    """Rows in the discriminant space of the ``kernel`` that the state was fitted with."""
    rows = kernel(flatten(inputs), state.rows)
    return jnp.matmul(rows, state.coefficients, precision="highest") - state.offset[None, :]


def _solve(rows: Array, gram: Array, members: Array, regularization: Scalar) -> KernelDiscriminantState:
    n, k = members.shape
    counts = jnp.sum(members, axis=0)
    indicators = members / jnp.sqrt(jnp.maximum(counts, 1))[None, :]
    indicators = indicators - jnp.mean(indicators, axis=0, keepdims=True)
    centred = kernels.centre(gram, gram)
    # Below this, rounding errors would make the matrix indefinite.
    ridge = jnp.maximum(n * regularization, jnp.finfo(gram.dtype).eps * jnp.trace(centred))
    cholesky = cho_factor(centred + ridge * jnp.eye(n, dtype=gram.dtype), lower=True)
    solved = cho_solve(cholesky, indicators)

    within, vectors = _smallest(ridge * indicators.T @ solved, counts / n, k - 1)
    coefficients = jnp.sqrt(n) * solved @ (vectors / jnp.sqrt(within * (1 - within))[None, :])
    coefficients = coefficients - jnp.mean(coefficients, axis=0, keepdims=True)
    projected = gram @ coefficients
    offset = jnp.mean(projected, axis=0)
    centroids = members.T @ (projected - offset[None, :]) / jnp.maximum(counts, 1)[:, None]
    criterion = (1 - within) / within
    return KernelDiscriminantState(
        rows, coefficients, offset, criterion, centroids, log_frequencies(counts / n)
    )


def _smallest(matrix: Array, frequencies: Array, count: int) -> tuple[jax.Array, jax.Array]:
    """Smallest eigenvalues, kept inside (0, 1), and eigenvectors of ``R``, those that hold no class last.

    ``R`` is zero, without meaning, along ``sqrt(frequencies)`` and along classes without rows; these get
    the eigenvalue 1, that of no difference between the classes.
    """
    root = jnp.sqrt(frequencies)
    void = root[:, None] * root[None, :] + jnp.diag((frequencies == 0).astype(root.dtype))
    values, vectors = jnp.linalg.eigh((matrix + matrix.T) / 2 + void)
    eps = jnp.finfo(values.dtype).eps
    return jnp.clip(values[:count], eps, 1 - eps), vectors[:, :count]
