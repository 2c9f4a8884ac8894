"""The multi-layer perceptron.

Reference: Goodfellow, Bengio, Courville, Deep Learning, chapter 6; Rumelhart, Hinton, Williams, Learning
representations by back-propagating errors, 1986.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

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
        bias_init: ``(key, shape, dtype) -> b``.
        use_bias: whether there is a ``b`` at all.

    >>> import jax, jax.numpy as jnp
    >>> model = MLP(widths=(30,), num_outputs=10)
    >>> model.init_with_output(jax.random.key(0), jnp.ones((5, 28, 28, 1)))[0].shape
    (5, 10)
    """

    widths: tuple[int, ...]
    num_outputs: int
    activation: Callable[[jax.Array], jax.Array] = nn.relu
    kernel_init: Callable = nn.initializers.lecun_normal()
    bias_init: Callable = nn.initializers.zeros
    use_bias: bool = True

    @nn.compact
    def __call__(self, x: Float[Array, "n ..."]) -> Float[Array, "n k"]:
        """Outputs of inputs of any shape, a row an example."""
        dense = partial(
            nn.Dense, kernel_init=self.kernel_init, bias_init=self.bias_init, use_bias=self.use_bias
        )
        a = flatten(x)
        for width in self.widths:
            a = self.activation(dense(width)(a))
        return dense(self.num_outputs)(a)
