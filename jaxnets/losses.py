"""Losses: what a step minimises, ``loss(outputs, targets) -> scalar``.

A loss over classes takes scores ``[n, k]`` and labels ``[n]`` and averages over the rows; an
element-wise loss takes outputs and targets of one shape and averages over all their elements.
All are finite, with finite gradients, at float32 outputs of +-1e4.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.tree_util import keystr, tree_leaves_with_path

from jaxnets import check
from jaxnets.types import Array, Float, Int, Params, Scalar, Shaped


def softmax_cross_entropy(
    logits: Float[Array, "n k"], labels: Int[Array, " n"], *, label_smoothing: Scalar = 0.0
) -> Float[Array, ""]:
    """Mean of ``-sum_j q_j log softmax(logits)_j`` with ``q = (1 - s) onehot(label) + s / k``.

    A label outside 0..k-1 gives NaN.

    Args:
        label_smoothing: ``s`` in [0, 1); 0 is the negative log-likelihood of the labels.

    >>> round(float(softmax_cross_entropy(jnp.zeros((1, 4)), jnp.array([2]))), 4)  # log 4
    1.3863

    Reference: Bishop, Pattern Recognition and Machine Learning, 4.3.4; Szegedy et al. 2016, section 7.
    """
    check.interval("label_smoothing", label_smoothing, check.FRACTION)
    surprise = -jax.nn.log_softmax(logits)
    smooth = surprise.mean(axis=1)
    return jnp.mean(smooth + (1 - label_smoothing) * (_pick(surprise, labels) - smooth))


def sigmoid_cross_entropy(logits: Float[Array, "n ..."], targets: Shaped[Array, "n ..."]) -> Float[Array, ""]:
    """Mean of ``-t log sigmoid(z) - (1 - t) log sigmoid(-z)`` over all elements; ``t`` in [0, 1].

    >>> round(float(sigmoid_cross_entropy(jnp.array([0.0, 30.0]), jnp.array([1.0, 1.0]))), 4)  # log(2) / 2
    0.3466

    Reference: Bishop, Pattern Recognition and Machine Learning, 4.3.2.
    """
    _same_shape(logits, targets)
    return jnp.mean(targets * jax.nn.softplus(-logits) + (1 - targets) * jax.nn.softplus(logits))


def squared_error(outputs: Float[Array, "n ..."], targets: Shaped[Array, "n ..."]) -> Float[Array, ""]:
    """Mean of ``(o - t)^2`` over all elements (no factor 1/2, no sum over outputs).

    >>> float(squared_error(jnp.array([[1.0, 2.0]]), jnp.array([[1.0, 4.0]])))
    2.0
    """
    _same_shape(outputs, targets)
    return jnp.mean(jnp.square(outputs - targets))


def hinge_binary(scores: Float[Array, "n ..."], labels: Shaped[Array, "n ..."]) -> Float[Array, ""]:
    """Mean of ``max(0, 1 - y f)`` with ``y = 2 label - 1``: labels are 0 or 1, the sign is taken here.

    One-hot labels ``[n, k]`` give one against the rest for each class.

    >>> float(hinge_binary(jnp.array([3.0, 0.5]), jnp.array([1, 0])))  # (0 + 1.5) / 2
    0.75

    Reference: Cortes & Vapnik 1995.
    """
    return jnp.mean(jax.nn.relu(1 - _margins(scores, labels)))


def squared_hinge_binary(scores: Float[Array, "n ..."], labels: Shaped[Array, "n ..."]) -> Float[Array, ""]:
    """Mean of ``max(0, 1 - y f)^2``: :func:`hinge_binary` with a continuous gradient.

    >>> float(squared_hinge_binary(jnp.array([3.0, 0.5]), jnp.array([1, 0])))  # (0 + 2.25) / 2
    1.125
    """
    return jnp.mean(jnp.square(jax.nn.relu(1 - _margins(scores, labels))))


def hinge_multiclass(scores: Float[Array, "n k"], labels: Int[Array, " n"]) -> Float[Array, ""]:
    """Mean of ``max(0, 1 + max_{j != y} f_j - f_y)``.

    >>> float(hinge_multiclass(jnp.array([[2.0, 1.5, 0.0]]), jnp.array([0])))
    0.5

    Reference: Crammer & Singer 2001.
    """
    others = 1 - jax.nn.one_hot(labels, scores.shape[1], dtype=scores.dtype)
    return jnp.mean(jnp.max(scores + others, axis=1) - _pick(scores, labels))


def perceptron_binary(scores: Float[Array, "n ..."], labels: Shaped[Array, "n ..."]) -> Float[Array, ""]:
    """Mean of ``max(0, -y f)`` with ``y = 2 label - 1``: labels are 0 or 1.

    >>> float(perceptron_binary(jnp.array([3.0, -1.0]), jnp.array([0, 0])))
    1.5

    Reference: Bishop, Pattern Recognition and Machine Learning, 4.1.7.
    """
    return jnp.mean(jax.nn.relu(-_margins(scores, labels)))


def perceptron_multiclass(scores: Float[Array, "n k"], labels: Int[Array, " n"]) -> Float[Array, ""]:
    """Mean of ``max_j f_j - f_y``: zero where the label has the highest score.

    >>> float(perceptron_multiclass(jnp.array([[2.0, 1.5, 0.0]]), jnp.array([1])))
    0.5

    Reference: Collobert & Bengio 2004.
    """
    return jnp.mean(jnp.max(scores, axis=1) - _pick(scores, labels))


def is_weight(path: str) -> bool:
    """Whether a parameter multiplies inputs: its name is not ``bias``, ``intercept`` or ``scale``.

    >>> is_weight("Dense_0/kernel"), is_weight("Dense_0/bias")
    (True, False)
    """
    return path.rpartition("/")[2] not in ("bias", "intercept", "scale")


def l1_penalty(params: Params, *, include: Callable[[str], bool] = is_weight) -> Scalar:
    """``sum |w|`` over the arrays whose path (``Dense_0/kernel``) ``include`` accepts.

    >>> float(l1_penalty({"kernel": jnp.array([1.0, -2.0]), "bias": jnp.array([5.0])}))
    3.0

    Reference: Tibshirani 1996.
    """
    return sum((jnp.sum(jnp.abs(leaf)) for leaf in _leaves(params, include)), start=0.0)


def l2_penalty(params: Params, *, include: Callable[[str], bool] = is_weight) -> Scalar:
    """``1/2 sum w^2`` over the arrays whose path (``Dense_0/kernel``) ``include`` accepts.

    >>> float(l2_penalty({"kernel": jnp.array([1.0, -2.0]), "bias": jnp.array([5.0])}))
    2.5
    """
    return sum((0.5 * jnp.sum(jnp.square(leaf)) for leaf in _leaves(params, include)), start=0.0)


def cumulative_logits(scores: Float[Array, " n"], thresholds: Float[Array, " j"]) -> Float[Array, "n j"]:
    """Logits of ``P(label > j) = sigmoid(f - theta_j)``: one score a row, ``k - 1`` ascending thresholds.

    >>> cumulative_logits(jnp.array([1.0]), jnp.array([0.0, 3.0])).tolist()
    [[1.0, -2.0]]
    """
    return jnp.asarray(scores)[:, None] - jnp.asarray(thresholds)[None, :]


def ordinal_log_probabilities(logits: Float[Array, "n j"]) -> Float[Array, "n k"]:
    """Log-probabilities of the ``k = j + 1`` ordered classes, from descending :func:`cumulative_logits`.

    ``P(label = j) = P(label > j - 1) - P(label > j)``, through
    ``sigmoid(a) - sigmoid(b) = sigmoid(a) sigmoid(-b) (1 - exp(b - a))``, which does not cancel.
    Logits that do not descend have no probability; they count as descending by the machine's epsilon.

    >>> (100 * jnp.exp(ordinal_log_probabilities(jnp.array([[0.0, -1.0]])))).round().tolist()
    [[50.0, 23.0, 27.0]]
    """
    logits = jnp.asarray(logits)
    gap = jnp.maximum(logits[:, :-1] - logits[:, 1:], jnp.finfo(logits.dtype).eps)
    above = jnp.pad(jax.nn.log_sigmoid(logits), ((0, 0), (1, 0)))
    not_above = jnp.pad(jax.nn.log_sigmoid(-logits), ((0, 0), (0, 1)))
    return above + not_above + jnp.pad(jax.nn.log1mexp(gap), ((0, 0), (1, 1)))


def ordinal(logits: Float[Array, "n j"], labels: Int[Array, " n"]) -> Float[Array, ""]:
    """Mean of ``-log P(label)`` under proportional odds; labels are 0 to ``j``, in order.

    >>> round(float(ordinal(jnp.array([[0.0, -1.0]]), jnp.array([0]))), 4)  # log 2
    0.6931

    Reference: McCullagh 1980.
    """
    return -jnp.mean(_pick(ordinal_log_probabilities(logits), labels))


def ordinal_decode(logits: Float[Array, "n j"]) -> Int[Array, " n"]:
    """The median class of each row: how many ``P(label > j)`` exceed 1/2.

    >>> ordinal_decode(jnp.array([[3.0, 1.0, -2.0], [-1.0, -2.0, -3.0]])).tolist()
    [2, 0]
    """
    return jnp.sum(jnp.asarray(logits) > 0, axis=1)


def compactness(features: Float[Array, "n d"]) -> Float[Array, ""]:
    """``1/(n d) sum_i ||x_i - m_i||^2``, where ``m_i`` is the mean of the other rows: how far rows spread.

    Since ``x_i - m_i = n / (n - 1) (x_i - m)``, the mean ``m`` of all rows does.

    Raises:
        InputError: fewer than two rows.

    >>> float(compactness(jnp.array([[0.0, 0.0], [2.0, 0.0]])))  # (4 + 4) / 4
    2.0

    Reference: Perera & Patel 2019, Learning deep features for one-class classification, equations 4-6.
    """
    n = len(features)
    if n < 2:
        raise check.InputError(f"compactness: {n} rows, at least two are needed")
    return jnp.mean(jnp.square((features - jnp.mean(features, axis=0, keepdims=True)) * (n / (n - 1))))


def _same_shape(outputs: Array, targets: Array) -> None:
    """Refuses shapes that would be broadcast: ``[n, 1]`` with ``[n]`` would become ``[n, n]``."""
    if outputs.shape != targets.shape:
        raise check.InputError(
            f"loss: outputs {outputs.shape}, targets {targets.shape}, allowed is one shape"
        )


def _pick(scores: Array, labels: Array) -> jax.Array:
    """The score of each row's label; NaN for a label that is no class, below 0 too."""
    places = jnp.where(jnp.asarray(labels) < 0, scores.shape[1], labels)[:, None]
    return jnp.take_along_axis(jnp.asarray(scores), places, axis=1, mode="fill")[:, 0]


def _margins(scores: Array, labels: Array) -> jax.Array:
    _same_shape(scores, labels)
    return jnp.where(jnp.asarray(labels) > 0, scores, -jnp.asarray(scores))


def _leaves(params: Params, include: Callable[[str], bool]) -> list[Array]:
    named = tree_leaves_with_path(params)
    return [leaf for path, leaf in named if include(keystr(path, simple=True, separator="/"))]
