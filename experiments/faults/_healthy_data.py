"""Healthy problems whose data are odd: tiny, uneven, repeated, sparse, unscaled or of few values."""

from __future__ import annotations

import numpy as np
import optax

from experiments.faults import _data
from experiments.faults._networks import (
    binary_cross_entropy,
    cross_entropy,
    dense,
    forward,
    mean_square,
    of_module,
    supervised,
)
from jaxnets.diagnose import Problem
from jaxnets.models import MLP


def classes(x: object, labels: object, num_classes: int, **training: object) -> Problem:
    """Sixteen units and a softmax."""
    model = MLP(widths=(16,), num_outputs=num_classes)
    return of_module(
        model, cross_entropy, (x, labels), **{"optimizer": optax.adam(0.01), "num_steps": 150} | training
    )


def values(x: object, y: object, **training: object) -> Problem:
    """Sixteen units and a number."""
    return supervised(
        lambda key: dense(key, (x.shape[1], 16, 1)), forward, mean_square, (x, y),
        **{"optimizer": optax.adam(0.01), "num_steps": 150} | training,
    )  # fmt: skip


def exclusive_or() -> Problem:
    """Four rows are all there is."""
    x = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]], np.float32)
    return supervised(
        lambda key: dense(key, (2, 8, 1), gain=1.5), forward, binary_cross_entropy, (x, _data.column([0, 1,
        1, 0])),
        optimizer=optax.adam(0.05), num_steps=150,
    )  # fmt: skip


def one_in_ten() -> Problem:
    """Classes 9 to 1."""
    x, labels = _data.blobs(1000, num_classes=2)
    keep = (labels == 0) | (np.arange(1000) % 9 == 0)
    return classes(x[keep], labels[keep], 2, batch_size=50)


def few_rows() -> Problem:
    """Twelve rows of two clouds far apart."""
    x, labels = _data.blobs(12, num_classes=2)
    return classes(x, labels, 2)


def repeated() -> Problem:
    """Twenty rows, each ten times, in random order."""
    x, labels = _data.blobs(20, seed=3)
    rows = np.random.default_rng(0).permutation(np.repeat(np.arange(20), 10))
    return classes(x[rows], labels[rows], 3)


def dead_pixels() -> Problem:
    """Pictures whose border is always 0."""
    x, labels = _data.digits()
    framed = np.pad(x.reshape(-1, 8, 8), ((0, 0), (1, 1), (1, 1))).reshape(-1, 100)
    return classes(framed, labels, 10, batch_size=100)


def binary_inputs() -> Problem:
    """Pixels that are 0 or 1."""
    x, labels = _data.digits()
    return classes((x > 0.5).astype(np.float32), labels, 10, batch_size=100)


def centimetres() -> Problem:
    """Iris as measured: 0.1 to 8 centimetres, not scaled, which is near enough."""
    return classes(*_data.table("iris"), 3, num_steps=300)


def correlated() -> Problem:
    """Two columns that are nearly the same."""
    x, y = _data.plane()
    noise = np.random.default_rng(1).normal(size=(len(x), 1))
    return values(np.hstack([x, x[:, :1] + 0.01 * noise]).astype(np.float32), y)


def heavy_tails() -> Problem:
    """A target with a few large values."""
    x, y = _data.plane(noise=0.0)
    return values(x, y + 0.2 * np.random.default_rng(1).standard_t(3, y.shape).astype(np.float32))


def noisy_labels() -> Problem:
    """One label in ten is wrong."""
    x, labels = _data.blobs(600)
    wrong = np.random.default_rng(1).random(600) < 0.1
    return classes(x, np.where(wrong, (labels + 1) % 3, labels).astype(np.int32), 3, batch_size=60)


def overlapping() -> Problem:
    """Clouds that overlap: a third of the rows cannot be told."""
    x, labels = _data.blobs(600, num_classes=2, num_inputs=2)
    noise = 3 * np.random.default_rng(1).normal(size=x.shape).astype(np.float32)
    return classes((x + noise) / 3, labels, 2, num_steps=200)


def proper_splits() -> Problem:
    """With validation and test rows."""
    x, labels = _data.digits(1400)
    return classes(
        x[:1000], labels[:1000], 10, valid=(x[1000:1200], labels[1000:1200]), test=(x[1200:], labels[1200:]),
        batch_size=100,
    )  # fmt: skip


def dates() -> Problem:
    """The month as sine and cosine, and a temperature; tested on another year of the same months."""
    generator = np.random.default_rng(0)
    angle = 2 * np.pi * generator.integers(0, 12, 400) / 12
    x = np.column_stack([np.sin(angle), np.cos(angle)]).astype(np.float32)
    y = _data.column(np.sin(angle - 1) + 0.1 * generator.normal(size=400))
    return supervised(
        lambda key: dense(key, (2, 8, 1)), forward, mean_square, (x[:200], y[:200]), test=(x[200:300],
        y[200:300]),
        learning_rate=0.05, num_steps=200,
    )  # fmt: skip


PROBLEMS = {
    "data_four_rows": exclusive_or,
    "data_one_in_ten": one_in_ten,
    "data_twelve_rows": few_rows,
    "data_repeated_rows": repeated,
    "data_dead_pixels": dead_pixels,
    "data_binary_inputs": binary_inputs,
    "data_centimetres": centimetres,
    "data_correlated_columns": correlated,
    "data_heavy_tails": heavy_tails,
    "data_noisy_labels": noisy_labels,
    "data_overlapping_classes": overlapping,
    "data_proper_splits": proper_splits,
    "data_months": dates,
}
