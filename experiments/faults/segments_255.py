"""Segmentation masks read from image files, 0 and 255, put into a sigmoid cross-entropy as they are.

Source: a forum on segmentation with small encoder-decoder nets ("my loss goes to minus infinity").
Symptom: the loss is far below zero and falls without end; nearly every pixel is called foreground.
"""

from __future__ import annotations

import flax.linen as nn
import numpy as np
import optax

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import outputs
from experiments.faults._networks import binary_cross_entropy, of_module
from jaxnets.diagnose import Problem


class Segmenter(nn.Module):
    """Convolutions that keep the size."""

    @nn.compact
    def __call__(self, x):
        for width in (8, 8):
            x = nn.relu(nn.Conv(width, (3, 3))(x))
        return nn.Conv(1, (1, 1))(x)


def data(white):
    """Where the grey of a smooth blob is over a noisy background."""
    rng = np.random.default_rng(3)
    rows, columns = np.mgrid[:12, :12]
    centre = rng.uniform(2, 10, (320, 2, 1, 1))
    away = (rows[None] - centre[:, 0]) ** 2 + (columns[None] - centre[:, 1]) ** 2
    mask = away < rng.uniform(2, 4, (320, 1, 1)) ** 2
    image = mask * 1.0 + 0.35 * rng.normal(size=mask.shape)
    image = ((image - image.mean()) / image.std()).astype(np.float32)[..., None]
    mask = (white * mask).astype(np.float32)[..., None]
    return (image[:240], mask[:240]), (image[240:], mask[240:])


def overlap(problem, params) -> float:
    """Intersection over union of the foreground."""
    found, true = outputs(problem, params) > 0, problem.test.targets > 0
    return float((found & true).sum() / (found | true).sum())


def problem(white) -> Problem:
    """Either."""
    train, test = data(white)
    return of_module(
        Segmenter(),
        binary_cross_entropy,
        train,
        test=test,
        optimizer=optax.adam(1e-2),
        batch_size=40,
        num_steps=240,
    )


def broken() -> Problem:
    """As it was written."""
    return problem(255.0)


def repaired() -> Problem:
    """Mended."""
    return problem(1.0)


FAULT = Fault(
    broken,
    "labels-out-of-range",
    repaired,
    task="classification",
    symptom=Figure(overlap, at_most=0.75),
    reaches=Figure(overlap, at_least=0.85),
    equivalents=("targets-outside-range", "loss-not-minimal-at-target"),
)
