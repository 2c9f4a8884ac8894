"""The multi-layer perceptron.

Reference: Goodfellow, Bengio, Courville, Deep Learning, chapter 6; Rumelhart, Hinton, Williams, Learning
representations by back-propagating errors, 1986.
"""

from __future__ import annotations

from collections.abc import Callable

import flax.linen as nn
import jax

from jaxnets.layers import flatten
from jaxnets.types import Array, Float


class MLP(nn.Module):
    """Dense layers with an activation between: ``a_l = activation(a_(l-1) W_l + b_l)``, the last without.

    Attributes:
        widths: units of each hidden layer; none for a linear model.
        num_outputs: classes (the outputs are logits) or values.
        activation: of the hidden layers.
        kernel_init: ``(key, shape, dtype) -> W``.

    >>> import jax, jax.numpy as jnp
    >>> model = MLP(widths=(30,), num_outputs=10)
    >>> model.init_with_output(jax.random.key(0), jnp.ones((5, 28, 28, 1)))[0].shape
    (5, 10)
    """

    widths: tuple[int, ...]
    num_outputs: int
    activation: Callable[[jax.Array], jax.Array] = nn.relu
    kernel_init: Callable = nn.initializers.lecun_normal()

    @nn.compact
    def __call__(self, x: Float[Array, "n ..."]) -> Float[Array, "n k"]:
        """Outputs of inputs of any shape, a row an example."""
        a = flatten(x)
        for width in self.widths:
            a = self.activation(nn.Dense(width, kernel_init=self.kernel_init)(a))
        return nn.Dense(self.num_outputs, kernel_init=self.kernel_init)(a)
