"""Linear support vector machines, solved in the primal."""

from __future__ import annotations

from jaxnets import check, losses
from jaxnets.learner import Learner
from jaxnets.models.proximal import one_vs_rest_loss, proximal_linear
from jaxnets.types import Scalar


def linear_svm(*, num_classes: int, C: Scalar = 1.0, tolerance: Scalar = 2e-7) -> Learner:
    """Minimises ``|w|^2 / 2 + C sum_i max(0, 1 - y_i (w' x_i + b))^2`` for each class against the rest.

    The squared hinge is smooth, so full-batch accelerated gradient steps reach the optimum, in hundreds; a
    run ends by itself once the gradient is at most ``tolerance``. The metric ``loss`` is the sum of the
    classes' objectives over ``C n``. Pixels and standardised inputs do best with a ``C`` of 0.01 or so; the
    larger the ``C``, the more steps.

    Args:
        C: weight of the errors against the width of the margin, positive.
        tolerance: largest entry of the gradient of ``loss``, were the inputs standardised; positive.

    Raises:
        InputError: ``C`` or ``tolerance`` is not positive.

    >>> import jax, jax.numpy as jnp
    >>> from jaxnets import train
    >>> x, y = jnp.array([[0.0], [1.0], [3.0], [4.0]]), jnp.array([0, 0, 1, 1])
    >>> model = linear_svm(num_classes=2, C=1000.0)
    >>> run = train.run(jax.random.key(0), model, (x, y), num_steps=200)
    >>> model.predict(run.state, jnp.array([[1.0], [3.0]])).round(2).tolist()  # the margin
    [[1.0, -1.0], [-1.0, 1.0]]

    Reference: Cortes & Vapnik 1995; Fan et al. 2008, LIBLINEAR. The steps: :mod:`jaxnets.models.proximal`.
    """
    check.interval("C", C, check.POSITIVE)
    check.interval("tolerance", tolerance, check.POSITIVE)
    loss = one_vs_rest_loss(losses.squared_hinge_binary)
    return proximal_linear(
        loss, num_classes=num_classes, curvature=2.0, l2=1 / C, l1=0.0, tolerance=tolerance
    )
