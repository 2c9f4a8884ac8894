"""Normalisation by the batch: mean and variance depend on every row, and so do the gradients."""

from __future__ import annotations

import jax.numpy as jnp

from jaxnets import check
from jaxnets.backprop.affine import Backward
from jaxnets.types import Array, Float, Scalar


def batch_norm(
    x: Float[Array, "... d"], scale: Float[Array, " d"], bias: Float[Array, " d"], *, epsilon: Scalar = 1e-5
) -> tuple[Float[Array, "... d"], Backward]:
    """``y = scale u + bias``, ``u = (x - mean) / s``, ``s^2 = var + epsilon``, over all axes but the last.

    Backward, with ``<.>`` the mean over the rows of a feature::

        dscale = sum dy u      dbias = sum dy      dx = scale / s (dy - <dy> - u <dy u>)

    Derivation: let ``du = scale dy`` and ``n`` be the number of rows. A row ``i`` acts on the loss in three
    ways: through its own ``u_i``, by ``du_i / s``; through the mean, which moves every ``u_j`` by
    ``-1 / (n s)``, by ``-<du> / s``; and through the variance, whose slope ``2 (x_i - mean) / n`` is
    ``2 s u_i / n`` and which moves ``u_j`` by ``-u_j / (2 s^2)``, by ``-u_i <du u> / s``. The sum is ``dx``.
    The mean's own part in the variance is 0, for deviations from the mean sum to 0.

    So ``dx`` is ``du / s`` without its parts along ``1`` and along ``u`` (exactly, if ``epsilon`` is 0): a
    step changes neither the mean of a feature nor, to first order, its spread.

    Args:
        x: rows; more axes (images) are rows, too.
        scale: of each feature.
        bias: of each feature.
        epsilon: 0 or more, added to the (biased) variance.

    Raises:
        InputError: a negative epsilon.

    >>> y, backward = batch_norm(jnp.array([[1.0], [3.0]]), jnp.ones(1), jnp.zeros(1))
    >>> dx, dscale, dbias = backward(jnp.array([[1.0], [0.0]]))
    >>> y.round(2).ravel().tolist(), dscale.round(2).tolist(), dbias.tolist()
    ([-1.0, 1.0], [-1.0], [1.0])

    Reference: Ioffe and Szegedy, Batch normalization, 2015, section 3.
    """
    check.interval("epsilon", epsilon, check.NON_NEGATIVE)
    shape, rows = x.shape, x.reshape(-1, x.shape[-1])
    s = jnp.sqrt(rows.var(axis=0, keepdims=True) + epsilon)
    u = (rows - rows.mean(axis=0, keepdims=True)) / s

    def backward(dy: Float[Array, "... d"]) -> tuple[Array, Array, Array]:
        dy = dy.reshape(u.shape)
        centred = dy - dy.mean(axis=0, keepdims=True) - u * (dy * u).mean(axis=0, keepdims=True)
        return (scale[None] / s * centred).reshape(shape), (dy * u).sum(axis=0), dy.sum(axis=0)

    return (scale[None] * u + bias[None]).reshape(shape), backward
