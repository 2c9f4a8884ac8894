"""Layers that stay fast inside compiled loops and take traced rates. Start in ``conv.py``."""

from jaxnets.layers.batch_norm import BatchNorm
from jaxnets.layers.conv import Conv, conv2d
from jaxnets.layers.dropout import Dropout
from jaxnets.layers.flatten import flatten
from jaxnets.layers.pooling import average_pool, max_pool
from jaxnets.layers.random_affine import RandomAffine
from jaxnets.layers.recurrent import Recurrent

__all__ = [
    "BatchNorm", "Conv", "Dropout", "RandomAffine", "Recurrent", "average_pool", "conv2d", "flatten",
    "max_pool",
]  # fmt: skip
