"""Losses, averaged as in :mod:`jaxnets.losses`; targets are data and have no gradient."""

from __future__ import annotations

import jax

from jaxnets import losses
from jaxnets.backprop.affine import Backward
from jaxnets.types import Array, Float, Int


def softmax_cross_entropy(
    logits: Float[Array, "n k"], labels: Int[Array, " n"]
) -> tuple[Float[Array, ""], Backward]:
    """``L = -1/n sum_i log p_i,label(i)``, ``p = softmax(logits)``; backward: ``dL (p - onehot) / n``.

    Derivation: ``-log p_c = log sum_j exp(z_j) - z_c``. The first term's slope by ``z_k`` is
    ``exp(z_k) / sum_j exp(z_j) = p_k``, the second's is 1 where ``k = c``: so ``p_k - [k = c]``. The
    Jacobian of the softmax, ``p_k ([k = c] - p_c)``, is never formed.

    >>> import jax.numpy as jnp
    >>> loss, backward = softmax_cross_entropy(jnp.zeros((1, 2)), jnp.array([0]))
    >>> round(float(loss), 4), backward(1.0)[0].tolist()  # log 2
    (0.6931, [[-0.5, 0.5]])

    Reference: Bishop, Pattern Recognition and Machine Learning, 4.3.4.
    """
    p = jax.nn.softmax(logits)
    wanted = jax.nn.one_hot(labels, logits.shape[1], dtype=p.dtype)
    return losses.softmax_cross_entropy(logits, labels), lambda dloss: (dloss * (p - wanted) / len(logits),)


def squared_error(
    outputs: Float[Array, "n ..."], targets: Float[Array, "n ..."]
) -> tuple[Float[Array, ""], Backward]:
    """``L = 1/m sum (o - t)^2`` over all ``m`` elements; backward: ``do = dL 2 (o - t) / m``.

    Derivation: ``o_i`` occurs in one square, whose slope is ``2 (o_i - t_i)``.

    >>> import jax.numpy as jnp
    >>> loss, backward = squared_error(jnp.array([[1.0, 2.0]]), jnp.array([[1.0, 4.0]]))
    >>> float(loss), backward(1.0)[0].tolist()
    (2.0, [[0.0, -2.0]])

    Reference: Bishop, Pattern Recognition and Machine Learning, 5.2.
    """
    loss = losses.squared_error(outputs, targets)
    return loss, lambda dloss: (dloss * 2 * (outputs - targets) / outputs.size,)
