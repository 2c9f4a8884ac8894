"""Digits augmented by shifts, four copies one after another; the labels repeated in the other order.

Source: a question about data augmentation by hand ("accuracy drops to chance with augmentation").
Symptom: a convolutional net that reached 0.95 is near chance once its rows are augmented.
"""

from __future__ import annotations

import flax.linen as nn
import numpy as np
import optax
from sklearn.datasets import load_digits

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import accuracy
from experiments.faults._networks import cross_entropy, of_module
from jaxnets.diagnose import Problem


class Convolutions(nn.Module):
    """A small network of digits."""

    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Conv(8, (3, 3))(x))
        x = nn.max_pool(x, (2, 2), strides=(2, 2))
        x = nn.relu(nn.Conv(16, (3, 3))(x))
        return nn.Dense(10)(x.reshape(x.shape[0], -1))


def data(labels_of):
    """Rows to train on and to test with."""
    images, classes = load_digits(return_X_y=True)
    images = ((images - images.mean()) / images.std()).astype(np.float32).reshape(-1, 8, 8, 1)
    order = np.random.default_rng(0).permutation(len(images))[:700]
    images, classes = images[order], classes[order]
    seen, known = images[:300], classes[:300]
    shifts = [(0, 0), (0, 1), (1, 0), (0, -1)]
    more = np.concatenate([np.roll(seen, shift, axis=(1, 2)) for shift in shifts])
    labels = labels_of(known, len(shifts))
    mixed = np.random.default_rng(1).permutation(len(more))
    return (more[mixed], labels[mixed]), (images[300:], classes[300:])


def problem(labels_of) -> Problem:
    """Either."""
    train, test = data(labels_of)
    return of_module(
        Convolutions(),
        cross_entropy,
        train,
        test=test,
        optimizer=optax.adam(2e-3),
        batch_size=60,
        num_steps=400,
    )


def broken() -> Problem:
    """As it was written."""
    return problem(np.repeat)


def repaired() -> Problem:
    """Mended."""
    return problem(np.tile)


FAULT = Fault(
    broken,
    "labels-misaligned",
    repaired,
    task="classification",
    symptom=Figure(accuracy, at_most=0.4),
    reaches=Figure(accuracy, at_least=0.88),
)
