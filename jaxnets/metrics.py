"""Metrics: numbers for people, ``metric(outputs, targets) -> scalar``; pure, for ``jit`` and ``vmap``.

A NaN never counts as correct: a row of scores with a NaN is an error, whatever its label.
Shapes that do not fit raise :class:`~jaxnets.check.InputError`, nothing is broadcast.
"""

from __future__ import annotations

import jax.numpy as jnp

from jaxnets.losses import label_per_row, same_shape
from jaxnets.losses import softmax_cross_entropy as cross_entropy
from jaxnets.losses import squared_error as mean_squared_error
from jaxnets.types import Array, Bool, Float, Int, Metrics, Shaped


def correct(scores: Float[Array, "n k"], labels: Int[Array, " n"]) -> Bool[Array, " n"]:
    """Whether each row's highest score (the first, among equals) is at its label, and no score is NaN.

    >>> correct(jnp.array([[0.1, 0.9], [0.8, 0.2], [jnp.nan, 0.0]]), jnp.array([1, 1, 0])).tolist()
    [True, False, False]
    """
    label_per_row(scores, labels)
    return (jnp.argmax(scores, axis=1) == labels) & ~jnp.isnan(scores).any(axis=1)


def accuracy(scores: Float[Array, "n k"], labels: Int[Array, " n"]) -> Float[Array, ""]:
    """Fraction of rows that are :func:`correct`.

    >>> float(accuracy(jnp.array([[0.1, 0.9], [0.8, 0.2]]), jnp.array([1, 1])))
    0.5
    """
    return jnp.mean(correct(scores, labels))


def classification(scores: Float[Array, "n k"], labels: Int[Array, " n"]) -> Metrics:
    """What classifiers report: :func:`accuracy`, under its name.

    >>> float(classification(jnp.array([[0.1, 0.9], [0.8, 0.2]]), jnp.array([1, 1]))["accuracy"])
    0.5

    Raises:
        InputError: scores that are no table, or not one label a row.
    """
    return {"accuracy": accuracy(scores, labels)}


def error_rate(scores: Float[Array, "n k"], labels: Int[Array, " n"]) -> Float[Array, ""]:
    """Fraction of rows that are not :func:`correct`.

    >>> float(error_rate(jnp.array([[0.1, 0.9], [0.8, 0.2]]), jnp.array([0, 0])))
    0.5
    """
    return jnp.mean(~correct(scores, labels))


def confusion_matrix(scores: Float[Array, "n k"], labels: Int[Array, " n"]) -> Int[Array, "k k"]:
    """Counts of rows by label (first axis) and predicted class.

    Rows with a NaN score, or a label that is no class, are in no count.

    >>> confusion_matrix(jnp.array([[0.1, 0.9], [0.8, 0.2], [0.7, 0.3]]), jnp.array([1, 1, 0])).tolist()
    [[1, 0], [1, 1]]
    """
    label_per_row(scores, labels)
    k = scores.shape[1]
    # An index below 0 would count from the end.
    valid = ~jnp.isnan(scores).any(axis=1) & (jnp.asarray(labels) >= 0)
    counts = jnp.zeros((k, k), int)
    return counts.at[labels, jnp.argmax(scores, axis=1)].add(valid.astype(counts.dtype), mode="drop")


def root_mean_squared_error(
    outputs: Float[Array, "n ..."], targets: Shaped[Array, "n ..."]
) -> Float[Array, ""]:
    """Square root of the mean of ``(o - t)^2`` over all elements.

    >>> float(root_mean_squared_error(jnp.array([1.0, 2.0]), jnp.array([4.0, 5.0])))
    3.0
    """
    return jnp.sqrt(mean_squared_error(outputs, targets))


def mean_absolute_error(outputs: Shaped[Array, "n ..."], targets: Shaped[Array, "n ..."]) -> Float[Array, ""]:
    """Mean of ``|o - t|`` over all elements; of ordered classes, too.

    >>> float(mean_absolute_error(jnp.array([1, 2]), jnp.array([4, 2])))
    1.5
    """
    same_shape(outputs, targets)
    # Differences of unsigned integers would wrap.
    return jnp.mean(jnp.abs(1.0 * outputs - targets))


def r2(outputs: Float[Array, "n ..."], targets: Shaped[Array, "n ..."]) -> Float[Array, ""]:
    """Coefficient of determination ``1 - sum (o - t)^2 / sum (t - mean t)^2``, averaged over the outputs.

    Where the targets are constant: 1 if they are met exactly, else 0.

    >>> float(r2(jnp.array([1.0, 2.0, 4.0]), jnp.array([1.0, 2.0, 3.0])))
    0.5
    """
    same_shape(outputs, targets)
    residual = jnp.sum(jnp.square(outputs - targets), axis=0)
    total = jnp.sum(jnp.square(targets - jnp.mean(targets, axis=0, keepdims=True)), axis=0)
    explained = 1 - residual / jnp.where(total > 0, total, 1)
    return jnp.mean(jnp.where(total > 0, explained, jnp.where(residual > 0, 0.0, 1.0)))


def auroc(scores: Float[Array, " n"], labels: Int[Array, " n"]) -> Float[Array, ""]:
    """Area under the ROC curve: ``P(s+ > s-) + P(s+ = s-) / 2`` over pairs of a label 1 and a label 0.

    Of two-class scores ``[n, 2]``, give the difference of the columns. A NaN ranks on the wrong
    side of all others; where a class is missing the area is NaN.

    >>> float(auroc(jnp.array([0.1, 0.4, 0.4, 0.8]), jnp.array([0, 0, 1, 1])))
    0.875

    Reference: Hanley & McNeil 1982.
    """
    same_shape(scores, labels)
    positive = jnp.asarray(labels) > 0
    scores = jnp.where(jnp.isnan(scores), jnp.where(positive, -jnp.inf, jnp.inf), scores)
    order = jnp.argsort(scores)
    ranked = scores[order]
    negatives = jnp.pad(jnp.cumsum(~positive[order]), (1, 0))
    below = negatives[jnp.searchsorted(ranked, scores, side="left")]
    up_to = negatives[jnp.searchsorted(ranked, scores, side="right")]
    wins = jnp.where(positive, (below + up_to) / (2 * negatives[-1]), 0)
    return (jnp.sum(wins) / jnp.sum(positive)).astype(scores.dtype)


__all__ = [
    "accuracy", "auroc", "classification", "confusion_matrix", "correct", "cross_entropy", "error_rate",
    "mean_absolute_error", "mean_squared_error", "r2", "root_mean_squared_error",
]  # fmt: skip
