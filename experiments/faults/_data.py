"""Rows of the faults and of the healthy problems: bundled sets made ready, and small ones by formula."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from jaxnets.data import load
from jaxnets.types import Array

Rows = tuple[Any, Array]


def standardised(x: Array) -> np.ndarray:
    """Columns of mean 0 and deviation 1; those without variance are left out."""
    varies = x.std(axis=0) > 1e-6
    return ((x - x.mean(axis=0)) / np.where(varies, x.std(axis=0), 1))[:, varies].astype(np.float32)


def one_hot(labels: Array, num_classes: int) -> np.ndarray:
    """1 at the label."""
    return np.eye(num_classes, dtype=np.float32)[labels]


@functools.cache
def digits(num: int = 1000) -> Rows:
    """8 x 8 digits as rows of 64 numbers in [0, 1], in random order, and their labels."""
    inputs, labels = load("digits", test_fraction=0.0).train
    order = np.random.default_rng(0).permutation(len(labels))[:num]
    return inputs.reshape(-1, 64)[order], labels[order]


@functools.cache
def large_digits(counts: tuple[int, ...] = (60,) * 10) -> Rows:
    """28 x 28 digits as rows of 784 numbers in [0, 1], in random order; ``counts`` of each."""
    inputs, labels = load("mnist5k", test_fraction=0.0).train
    rows = np.concatenate([np.flatnonzero(labels == digit)[:num] for digit, num in enumerate(counts)])
    order = np.random.default_rng(0).permutation(rows)
    return inputs.reshape(-1, 784)[order], labels[order]


@functools.cache
def table(name: str) -> Rows:
    """A bundled table as it is measured, in random order: iris, wine, breast_cancer, boston, diabetes."""
    inputs, targets = load(name, test_fraction=0.0).train
    order = np.random.default_rng(0).permutation(len(targets))
    return inputs[order], targets[order]


def scaled_table(name: str) -> Rows:
    """A bundled table, its inputs standardised."""
    inputs, targets = table(name)
    return standardised(inputs), targets


def column(values: Array) -> np.ndarray:
    """As ``[n, 1]`` floats."""
    return np.asarray(values, np.float32)[:, None]


def moons(num: int = 400, *, seed: int = 0) -> Rows:
    """Two half circles that reach into each other, with labels."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 2, num).astype(np.int32)
    angle = generator.uniform(0, np.pi, num)
    x = np.where(labels == 1, 1 - np.cos(angle), np.cos(angle))
    y = np.where(labels == 1, 0.5 - np.sin(angle), np.sin(angle))
    points = np.column_stack([x - 0.5, y - 0.25]) + 0.1 * generator.normal(size=(num, 2))
    return points.astype(np.float32), labels


def rings(num: int = 400, *, seed: int = 0) -> Rows:
    """An inner and an outer circle, with labels: no line separates them."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 2, num).astype(np.int32)
    angle = generator.uniform(0, 2 * np.pi, num)
    radius = np.where(labels == 1, 2.0, 0.8) + 0.1 * generator.normal(size=num)
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle)]).astype(np.float32), labels


def blobs(num: int = 400, *, num_classes: int = 3, num_inputs: int = 4, seed: int = 0) -> Rows:
    """Normal clouds, three deviations around their centres, with labels."""
    generator = np.random.default_rng(seed)
    centres = 2.5 * generator.normal(size=(num_classes, num_inputs))
    labels = generator.integers(0, num_classes, num).astype(np.int32)
    return (centres[labels] + generator.normal(size=(num, num_inputs))).astype(np.float32), labels


def plane(num: int = 300, *, num_inputs: int = 3, noise: float = 0.1, seed: int = 0) -> Rows:
    """Standard normal inputs and a linear target ``[n, 1]`` of them, with an intercept of 1."""
    generator = np.random.default_rng(seed)
    inputs = generator.normal(size=(num, num_inputs)).astype(np.float32)
    slopes = generator.normal(size=(num_inputs, 1))
    return inputs, (inputs @ slopes + 1 + noise * generator.normal(size=(num, 1))).astype(np.float32)


def bump(num: int = 300, *, seed: int = 0) -> Rows:
    """``sin(3 x) + x^2 / 2`` for standardised ``x``, with a little noise."""
    generator = np.random.default_rng(seed)
    inputs = generator.uniform(-1.7, 1.7, (num, 1)).astype(np.float32)
    values = np.sin(3 * inputs) + inputs**2 / 2 + 0.05 * generator.normal(size=(num, 1))
    return inputs, values.astype(np.float32)


def waves(num: int = 300, *, length: int = 20, seed: int = 0) -> Rows:
    """Noisy sines ``[n, length, 1]`` of slow (0), middle (1) and fast (2) frequency, with labels."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 3, num).astype(np.int32)
    phase = generator.uniform(0, 2 * np.pi, (num, 1))
    angle = np.array([0.3, 0.7, 1.3])[labels][:, None] * np.arange(length)[None] + phase
    return (np.sin(angle) + 0.1 * generator.normal(size=angle.shape))[..., None].astype(np.float32), labels


def sums(num: int = 300, *, length: int = 10, seed: int = 0) -> Rows:
    """Sequences ``[n, length, 1]`` of normal numbers and the sum of each, ``[n, 1]``,
    over ``sqrt(length)``."""
    inputs = np.random.default_rng(seed).normal(size=(num, length, 1)).astype(np.float32)
    return inputs, inputs.sum(axis=1) / np.float32(np.sqrt(length))


def sentences(num: int = 400, *, length: int = 12, num_words: int = 30, seed: int = 0) -> Rows:
    """Sentences of numbered words, ``[n, length]`` padded with 0: more good (1-9) or bad (10-19) words?"""
    generator = np.random.default_rng(seed)
    words = generator.integers(1, num_words, (num, length))
    lengths = generator.integers(length // 2, length + 1, num)
    words = np.where(np.arange(length)[None] < lengths[:, None], words, 0)
    score = ((words > 0) & (words < 10)).sum(axis=1) - ((words >= 10) & (words < 20)).sum(axis=1)
    keep = score != 0
    return words[keep].astype(np.int32), (score[keep] > 0).astype(np.int32)


def first_symbols(num: int = 300, *, length: int = 60, seed: int = 0) -> Rows:
    """Sequences ``[n, length, 1]`` of noise after a first number of -1 or 1, which is the class."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 2, num).astype(np.int32)
    inputs = 0.1 * generator.normal(size=(num, length, 1))
    inputs[:, 0, 0] = 2 * labels - 1
    return inputs.astype(np.float32), labels
