"""Losses: what a step minimises, ``loss(outputs, targets) -> scalar``.

A loss over classes takes scores ``[n, k]`` and labels ``[n]`` and averages over the rows; an
element-wise loss takes outputs and targets of one shape and averages over all their elements.
Shapes that do not fit raise :class:`~jaxnets.check.InputError`, nothing is broadcast; a label that is
no class, or outside [0, 1] where a loss is binary, gives NaN.
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

    A label outside 0..k-1 gives NaN; a score of -inf masks its class, where ``s`` is 0.

    Args:
        label_smoothing: ``s`` in [0, 1); 0 is the negative log-likelihood of the labels.

    >>> round(float(softmax_cross_entropy(jnp.zeros((1, 4)), jnp.array([2]))), 4)  # log 4
    1.3863

    Reference: Bishop, Pattern Recognition and Machine Learning, 4.3.4; Szegedy et al. 2016, section 7.
    """
    check.interval("label_smoothing", label_smoothing, check.FRACTION)
    surprise = -jax.nn.log_softmax(logits)
    picked = _pick(surprise, labels)
    if isinstance(label_smoothing, int | float) and label_smoothing == 0:
        return jnp.mean(picked)
    # A traced 0 would multiply the infinite surprise of a masked class.
    counted = jnp.where((label_smoothing > 0) | ~jnp.isinf(surprise), surprise, 0)
    return jnp.mean((1 - label_smoothing) * picked + label_smoothing * counted.mean(axis=1))


def sigmoid_cross_entropy(logits: Float[Array, "n ..."], targets: Shaped[Array, "n ..."]) -> Float[Array, ""]:
    """Mean of ``-t log sigmoid(z) - (1 - t) log sigmoid(-z)`` over all elements.

    A target outside [0, 1] gives NaN.

    >>> round(float(sigmoid_cross_entropy(jnp.array([0.0, 30.0]), jnp.array([1.0, 1.0]))), 4)  # log(2) / 2
    0.3466

    Reference: Bishop, Pattern Recognition and Machine Learning, 4.3.2.
    """
    logits = _between_0_and_1(logits, targets)
    return jnp.mean(targets * jax.nn.softplus(-logits) + (1 - targets) * jax.nn.softplus(logits))


def squared_error(outputs: Float[Array, "n ..."], targets: Shaped[Array, "n ..."]) -> Float[Array, ""]:
    """Mean of ``(o - t)^2`` over all elements (no factor 1/2, no sum over outputs).

    >>> float(squared_error(jnp.array([[1.0, 2.0]]), jnp.array([[1.0, 4.0]])))
    2.0

    Reference: Bishop, Pattern Recognition and Machine Learning, 1.1.
    """
    same_shape(outputs, targets)
    return jnp.mean(jnp.square(outputs - targets))


def hinge_binary(scores: Float[Array, "n ..."], labels: Shaped[Array, "n ..."]) -> Float[Array, ""]:
    """Mean of ``max(0, 1 - y f)`` with ``y = 2 label - 1``: labels are 0 or 1, the sign is taken here.

    One-hot labels ``[n, k]`` give one against the rest for each class; a label outside [0, 1] gives NaN.

    >>> float(hinge_binary(jnp.array([3.0, 0.5]), jnp.array([1, 0])))  # (0 + 1.5) / 2
    0.75

    Reference: Cortes & Vapnik 1995.
    """
    return jnp.mean(jax.nn.relu(1 - _margins(scores, labels)))


def squared_hinge_binary(scores: Float[Array, "n ..."], labels: Shaped[Array, "n ..."]) -> Float[Array, ""]:
    """Mean of ``max(0, 1 - y f)^2``: :func:`hinge_binary` with a continuous gradient.

    A label outside [0, 1] gives NaN.

    >>> float(squared_hinge_binary(jnp.array([3.0, 0.5]), jnp.array([1, 0])))  # (0 + 2.25) / 2
    1.125

    Reference: Chang, Hsieh & Lin 2008, Coordinate descent method for large-scale L2-loss linear SVMs.
    """
    return jnp.mean(jnp.square(jax.nn.relu(1 - _margins(scores, labels))))


def hinge_multiclass(scores: Float[Array, "n k"], labels: Int[Array, " n"]) -> Float[Array, ""]:
    """Mean of ``max(0, 1 + max_{j != y} f_j - f_y)``.

    >>> float(hinge_multiclass(jnp.array([[2.0, 1.5, 0.0]]), jnp.array([0])))
    0.5

    Reference: Crammer & Singer 2001.
    """
    picked = _pick(scores, labels)
    others = 1 - jax.nn.one_hot(labels, scores.shape[1], dtype=scores.dtype)
    return jnp.mean(jnp.max(scores + others, axis=1) - picked)


def perceptron_binary(scores: Float[Array, "n ..."], labels: Shaped[Array, "n ..."]) -> Float[Array, ""]:
    """Mean of ``max(0, -y f)`` with ``y = 2 label - 1``: labels are 0 or 1.

    A label outside [0, 1] gives NaN.

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

    Reference: Hoerl & Kennard 1970.
    """
    return sum((0.5 * jnp.sum(jnp.square(leaf)) for leaf in _leaves(params, include)), start=0.0)


def cumulative_logits(scores: Float[Array, " n"], thresholds: Float[Array, " j"]) -> Float[Array, "n j"]:
    """Logits of ``P(label > j) = sigmoid(f - theta_j)``: one score a row, ``k - 1`` ascending thresholds.

    >>> cumulative_logits(jnp.array([1.0]), jnp.array([0.0, 3.0])).tolist()
    [[1.0, -2.0]]

    Reference: McCullagh 1980, section 2.
    """
    return jnp.asarray(scores)[:, None] - jnp.asarray(thresholds)[None, :]


def ordinal_log_probabilities(logits: Float[Array, "n j"]) -> Float[Array, "n k"]:
    """Log-probabilities of the ``k = j + 1`` ordered classes, from descending :func:`cumulative_logits`.

    ``P(label = j) = P(label > j - 1) - P(label > j)``, through
    ``sigmoid(a) - sigmoid(b) = sigmoid(a) sigmoid(-b) (1 - exp(b - a))``, which does not cancel.
    Logits that do not descend have no probability; they count as descending by the machine's epsilon.

    >>> (100 * jnp.exp(ordinal_log_probabilities(jnp.array([[0.0, -1.0]])))).round().tolist()
    [[50.0, 23.0, 27.0]]

    Reference: McCullagh 1980, section 2.
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

    Reference: Pedregosa, Bach & Gramfort 2017, On the consistency of ordinal regression methods.
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


def same_shape(outputs: Shaped[Array, "n ..."], targets: Shaped[Array, "m ..."]) -> None:
    """Refuses shapes that would be broadcast: ``[n, 1]`` with ``[n]`` would become ``[n, n]``.

    >>> same_shape(jnp.zeros((3, 1)), jnp.zeros(3))
    Traceback (most recent call last):
    jaxnets.check.InputError: outputs (3, 1), targets (3,), allowed is one shape
    """
    if outputs.shape != targets.shape:
        raise check.InputError(f"outputs {outputs.shape}, targets {targets.shape}, allowed is one shape")


def label_per_row(scores: Shaped[Array, "n ..."], labels: Shaped[Array, "m ..."]) -> None:
    """Refuses all but scores ``[n, k]`` with labels ``[n]``.

    >>> label_per_row(jnp.zeros((3, 2)), jnp.array([1]))
    Traceback (most recent call last):
    jaxnets.check.InputError: scores (3, 2), labels (1,), allowed are scores (n, k) and labels (n,)
    """
    if scores.ndim != 2 or labels.shape != scores.shape[:1]:
        found = f"scores {scores.shape}, labels {labels.shape}"
        raise check.InputError(f"{found}, allowed are scores (n, k) and labels (n,)")


def _pick(scores: Array, labels: Array) -> jax.Array:
    """The score of each row's label; NaN for a label that is no class, below 0 too."""
    label_per_row(scores, labels)
    places = jnp.where(jnp.asarray(labels) < 0, scores.shape[1], labels)[:, None]
    return jnp.take_along_axis(jnp.asarray(scores), places, axis=1, mode="fill")[:, 0]


def _margins(scores: Array, labels: Array) -> jax.Array:
    scores = _between_0_and_1(scores, labels)
    return jnp.where(jnp.asarray(labels) > 0, scores, -scores)


def _between_0_and_1(outputs: Array, targets: Array) -> jax.Array:
    """The outputs; NaN where the target is outside [0, 1]."""
    same_shape(outputs, targets)
    targets = jnp.asarray(targets)
    return jnp.where((targets >= 0) & (targets <= 1), outputs, jnp.nan)


def _leaves(params: Params, include: Callable[[str], bool]) -> list[Array]:
    named = tree_leaves_with_path(params)
    return [leaf for path, leaf in named if include(keystr(path, simple=True, separator="/"))]
