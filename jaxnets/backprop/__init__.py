"""Backward passes derived by hand, in matrix form, each proved equal to ``jax.grad``.

All have one shape, that of ``jax.vjp``: ``outputs, backward = function(*inputs)`` keeps what the way back
needs, and ``backward(gradient of a loss by the outputs)`` gives its gradients by the inputs, a tuple in their
order. A network's backward pass is then its forward pass read from the end; start in ``affine.py``.

>>> import jax, jax.numpy as jnp
>>> from jaxnets import losses
>>> x, labels = jnp.array([[1.0, -1.0], [2.0, 1.0]]), jnp.array([0, 1])
>>> w, v, b = jnp.eye(2), jnp.array([[0.0, 1.0], [2.0, 0.0]]), jnp.zeros(2)
>>> z, into_first = affine(x, w, b)
>>> a, into_relu = relu(z)
>>> logits, into_second = affine(a, v, b)
>>> loss, into_loss = softmax_cross_entropy(logits, labels)
>>> (dlogits,) = into_loss(1.0)
>>> da, dv, db2 = into_second(dlogits)
>>> (dz,) = into_relu(da)
>>> dx, dw, db1 = into_first(dz)
>>> plain = jax.grad(lambda w: losses.softmax_cross_entropy(jax.nn.relu(x @ w) @ v, labels))
>>> bool(jnp.allclose(dw, plain(w)))
True
"""

from jaxnets.backprop.activations import relu, sigmoid, tanh
from jaxnets.backprop.affine import affine
from jaxnets.backprop.batch_norm import batch_norm
from jaxnets.backprop.conv import conv2d
from jaxnets.backprop.differentiable import differentiable
from jaxnets.backprop.losses import softmax_cross_entropy, squared_error
from jaxnets.backprop.pooling import average_pool, max_pool
from jaxnets.backprop.recurrent import gru_cell, lstm_cell

__all__ = [
    "affine", "average_pool", "batch_norm", "conv2d", "differentiable", "gru_cell", "lstm_cell", "max_pool",
    "relu", "sigmoid", "softmax_cross_entropy", "squared_error", "tanh",
]  # fmt: skip
