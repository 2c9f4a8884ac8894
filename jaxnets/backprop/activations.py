"""Functions of each element by itself: the Jacobian is diagonal, so backward is a product by element.

``y_i = f(x_i)`` reaches the loss through ``y_i`` alone, so ``dx_i = dy_i f'(x_i)``. All three slopes can be
told from the output, so the input need not be kept.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxnets.backprop.affine import Backward
from jaxnets.types import Array, Float


def sigmoid(x: Float[Array, ...]) -> tuple[Float[Array, ...], Backward]:
    """``y = 1 / (1 + exp(-x))``; backward: ``dx = dy y (1 - y)``.

    Derivation: ``y' = exp(-x) / (1 + exp(-x))^2``, which is ``y`` times ``exp(-x) / (1 + exp(-x)) = 1 - y``.

    >>> y, backward = sigmoid(jnp.zeros(1))
    >>> float(y[0]), float(backward(jnp.ones(1))[0][0])
    (0.5, 0.25)

    Reference: Nielsen, Neural Networks and Deep Learning, chapter 1.
    """
    y = jax.nn.sigmoid(x)
    return y, lambda dy: (dy * y * (1 - y),)


def tanh(x: Float[Array, ...]) -> tuple[Float[Array, ...], Backward]:
    """``y = tanh x``; backward: ``dx = dy (1 - y^2)``.

    Derivation: of ``sinh / cosh`` the slope is ``(cosh^2 - sinh^2) / cosh^2 = 1 - tanh^2``.

    >>> y, backward = tanh(jnp.zeros(1))
    >>> float(y[0]), float(backward(jnp.ones(1))[0][0])
    (0.0, 1.0)

    Reference: LeCun, Bottou, Orr, Müller, Efficient BackProp, 1998, section 4.4.
    """
    y = jnp.tanh(x)
    return y, lambda dy: (dy * (1 - y**2),)


def relu(x: Float[Array, ...]) -> tuple[Float[Array, ...], Backward]:
    """``y = max(x, 0)``; backward: ``dx = dy`` where ``x > 0``, else 0 (at 0 too, as in jax).

    Derivation: the slope is 1 above 0 and 0 below; at 0 any number in ``[0, 1]`` is a subgradient.

    >>> y, backward = relu(jnp.array([-1.0, 2.0]))
    >>> y.tolist(), backward(jnp.array([5.0, 5.0]))[0].tolist()
    ([0.0, 2.0], [0.0, 5.0])

    Reference: Glorot, Bordes, Bengio, Deep sparse rectifier neural networks, 2011.
    """
    y = jnp.maximum(x, 0)
    return y, lambda dy: (jnp.where(y > 0, dy, 0),)
