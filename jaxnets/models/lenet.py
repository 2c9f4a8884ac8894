"""LeNet for small images: two convolutions, two dense layers.

Reference: LeCun, Bottou, Bengio, Haffner, Gradient-based learning applied to document recognition, 1998;
the default widths are those of the 32C5-P2-64C5-P2-1024 network that is usual for MNIST.
"""

from __future__ import annotations

import flax.linen as nn

from jaxnets.check import InputError
from jaxnets.layers import Conv, Dropout, flatten, max_pool
from jaxnets.types import Array, Float, Scalar


class LeNet(nn.Module):
    """32C5-P2-64C5-P2-1024-dropout-k: 3,274,634 parameters for 28x28 images in grey and ten classes.

    ``LeNet(features=(6, 16), widths=(120, 84), dropout_rate=0.0)`` has LeNet-5's widths.

    Attributes:
        num_classes: number of logits.
        features: channels of each 5x5 convolution, followed by ReLU and 2x2 maximum.
        widths: units of each dense layer.
        dropout_rate: part of each dense layer's units dropped while training, in ``[0, 1]``; may be traced.

    Raises:
        InputError: inputs that are no images ``[n, h, w, c]``, or too small to be halved so often.

    >>> import jax, jax.numpy as jnp
    >>> model = LeNet()
    >>> variables = jax.eval_shape(model.init, jax.random.key(0), jnp.ones((1, 28, 28, 1)))
    >>> sum(leaf.size for leaf in jax.tree.leaves(variables))
    3274634
    """

    num_classes: int = 10
    features: tuple[int, ...] = (32, 64)
    widths: tuple[int, ...] = (1024,)
    dropout_rate: Scalar = 0.4

    @nn.compact
    def __call__(self, x: Float[Array, "n ..."], train: bool = False) -> Float[Array, "n k"]:
        """Logits of images."""
        if x.ndim != 4:
            raise InputError(f"LeNet: inputs of shape {x.shape}, allowed are images (n, h, w, c)")
        least = 2 ** len(self.features)
        if min(x.shape[1:3]) < least:
            height, width = x.shape[1:3]
            raise InputError(
                f"LeNet: images of {height}x{width} pixels, allowed are {least}x{least} and larger: "
                f"each of the {len(self.features)} poolings halves them"
            )
        for features in self.features:
            x = max_pool(nn.relu(Conv(features, (5, 5))(x)), (2, 2))
        a = flatten(x)
        for width in self.widths:
            a = Dropout(self.dropout_rate)(nn.relu(nn.Dense(width)(a)), train)
        return nn.Dense(self.num_classes)(a)
