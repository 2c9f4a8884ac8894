"""Logistic regression: softmax, or one class against the rest; L2, L1 or both."""

from __future__ import annotations

from jaxnets import check, losses
from jaxnets.learner import Learner
from jaxnets.models.proximal import Loss, one_vs_rest_loss, proximal_linear
from jaxnets.types import Scalar

one_vs_rest_cross_entropy = one_vs_rest_loss(losses.sigmoid_cross_entropy)
"""Cross-entropy of k separate binary models, class against rest, instead of softmax's joint one."""


def logistic_regression(
    *,
    num_classes: int,
    l2: Scalar = 1.0,
    l1: Scalar = 0.0,
    loss: Loss = losses.softmax_cross_entropy,
    tolerance: Scalar = 2e-7,
) -> Learner:
    """Minimises ``sum_i loss(W' x_i + b, y_i) + l2 / 2 |W|^2 + l1 |W|_1`` by full-batch steps.

    Hundreds of steps are needed; a run ends by itself once the gradient is at most ``tolerance``. In
    scikit-learn's terms ``l2 = (1 - l1_ratio) / C`` and ``l1 = l1_ratio / C``. With two classes
    ``one_vs_rest_cross_entropy`` is the textbook's binary model, twice with opposite signs, and softmax is
    the binary model with half of the ``l2``. The metric ``loss`` is the objective over the number of rows.

    Args:
        l2: strength of the penalty on squares of the coefficients, not on the intercept; 0 or more.
        l1: strength of the penalty on absolute values, which sets coefficients to zero; 0 or more.
        loss: ``losses.softmax_cross_entropy`` or :data:`one_vs_rest_cross_entropy`.
        tolerance: largest entry of the mean loss's gradient, were the inputs standardised; positive. In
            float32 1e-7 is the least that rounding allows. With a small ``l2`` and dependent columns,
            ``converged`` speaks of the gradient, not of the coefficients.

    Raises:
        InputError: a negative penalty, or a tolerance that is not positive.

    >>> import jax, jax.numpy as jnp
    >>> from jaxnets import train
    >>> x, y = jnp.array([[0.0], [1.0], [3.0], [4.0]]), jnp.array([0, 0, 1, 1])
    >>> model = logistic_regression(num_classes=2, l2=0.1)
    >>> run = train.run(jax.random.key(0), model, (x, y), num_steps=100)
    >>> model.predict(run.state, jnp.array([[1.9], [2.1]])).argmax(1).tolist()
    [0, 1]

    Reference: Bishop, Pattern Recognition and Machine Learning, 4.3; Hastie, Tibshirani & Friedman, The
    Elements of Statistical Learning, 4.4. The steps: :mod:`jaxnets.models.proximal`.
    """
    check.interval("l2", l2, check.NON_NEGATIVE)
    check.interval("l1", l1, check.NON_NEGATIVE)
    check.interval("tolerance", tolerance, check.POSITIVE)
    return proximal_linear(loss, num_classes=num_classes, curvature=0.5, l2=l2, l1=l1, tolerance=tolerance)
