"""Data made from a key: pure functions, so they can be compiled, and mapped over keys.

Each returns a :class:`~jaxnets.types.Batch`; sizes are static, all other numbers may be traced.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxnets import check
from jaxnets.types import Array, Batch, Int, Key, Scalar

PAD, NOT = 0, 1
NUM_WORDS = 8  # positive words 2..9, as many negative ones, the rest says nothing
VOCABULARY_SIZE = 2 + 4 * NUM_WORDS


def lines(key: Key, *, num_examples: int, num_points: int = 10, noise: Scalar = 0.1) -> Batch:
    """Noisy points of lines ``y = slope x + intercept``, and the two numbers to be found.

    ``x`` is uniform in [-1, 1], the slope in [-2, 2], the intercept among -2, -1, 0, 1, 2.

    Returns:
        inputs: points ``[n, num_points, 2]``; targets: ``slope`` float ``[n]`` and ``intercept`` int ``[n]``.

    Example:
        >>> rows = lines(jax.random.key(0), num_examples=3, noise=0.0)
        >>> x, y = jnp.moveaxis(rows.inputs, -1, 0)
        >>> line = rows.targets["slope"][:, None] * x + rows.targets["intercept"][:, None]
        >>> bool(jnp.allclose(y, line))
        True
    """
    x_key, slope_key, intercept_key, noise_key = jax.random.split(key, 4)
    shape = (num_examples, num_points)
    x = jax.random.uniform(x_key, shape, minval=-1.0, maxval=1.0)
    slope = jax.random.uniform(slope_key, (num_examples,), minval=-2.0, maxval=2.0)
    intercept = jax.random.randint(intercept_key, (num_examples,), -2, 3)
    y = slope[:, None] * x + intercept[:, None] + noise * jax.random.normal(noise_key, shape)
    return Batch(jnp.stack([x, y], axis=-1), {"slope": slope, "intercept": intercept})


def two_gaussians(key: Key, *, num_examples: int, num_features: int = 2, separation: Scalar = 3.0) -> Batch:
    """Two classes with unit covariance and means ``separation`` apart along the first feature.

    No rule does better than ``Phi(separation / 2)``, the normal distribution function, on average.
    """
    label_key, noise_key = jax.random.split(key)
    labels = jax.random.bernoulli(label_key, shape=(num_examples,)).astype(jnp.int32)
    inputs = jax.random.normal(noise_key, (num_examples, num_features))
    return Batch(inputs.at[:, 0].add(separation * (labels - 0.5)), labels)


def xor(key: Key, *, num_examples: int, noise: Scalar = 0.1) -> Batch:
    """The corners of the unit square with normal noise; the class is 1 where exactly one coordinate is 1.

    >>> rows = xor(jax.random.key(0), num_examples=4, noise=0.0)
    >>> bool((rows.targets == (rows.inputs.sum(1) == 1)).all())
    True
    """
    corner_key, noise_key = jax.random.split(key)
    corners = jax.random.bernoulli(corner_key, shape=(num_examples, 2)).astype(jnp.int32)
    inputs = corners + noise * jax.random.normal(noise_key, (num_examples, 2))
    return Batch(inputs, corners[:, 0] ^ corners[:, 1])


def parabola(key: Key, *, num_examples: int, margin: Scalar = 0.1) -> Batch:
    """Points above (class 1) and below (class 0) the parabola ``y = 2 x^2 - 1``, ``margin`` away or more.

    ``x`` is uniform in [-1, 1], the vertical distance uniform in [margin, 1]; ``margin`` is in [0, 1).
    """
    check.interval("margin", margin, check.FRACTION)
    x_key, label_key, distance_key = jax.random.split(key, 3)
    x = jax.random.uniform(x_key, (num_examples,), minval=-1.0, maxval=1.0)
    labels = jax.random.bernoulli(label_key, shape=(num_examples,)).astype(jnp.int32)
    distance = jax.random.uniform(distance_key, (num_examples,), minval=margin, maxval=1.0)
    return Batch(jnp.stack([x, 2 * x**2 - 1 + (2 * labels - 1) * distance], axis=1), labels)


def hyperbola(key: Key, *, num_examples: int, margin: Scalar = 0.1) -> Batch:
    """Points between (0) and beyond (1) the branches of ``y^2 - x^2 = 1/4``, ``margin`` away or more.

    ``x`` is uniform in [-1, 1]; points beyond are less than 1 above or below a branch. ``margin`` is
    in [0, 0.5].
    """
    check.interval("margin", margin, check.Interval(0, 0.5))
    x_key, label_key, side_key, distance_key = jax.random.split(key, 4)
    x = jax.random.uniform(x_key, (num_examples,), minval=-1.0, maxval=1.0)
    labels = jax.random.bernoulli(label_key, shape=(num_examples,)).astype(jnp.int32)
    side = jax.random.rademacher(side_key, (num_examples,), dtype=x.dtype)
    branch = jnp.sqrt(x**2 + 0.25)
    part = jax.random.uniform(distance_key, (num_examples,))
    beyond = branch + margin + (1 - margin) * part
    between = (branch - margin) * part
    return Batch(jnp.stack([x, side * jnp.where(labels == 1, beyond, between)], axis=1), labels)


def circles(key: Key, *, num_examples: int, radius: Scalar = 0.4, noise: Scalar = 0.1) -> Batch:
    """Points of the unit circle (class 0) and of one inside it (class 1), with normal noise.

    The classes have the same mean, so that linear models are at chance (the best line is right twice in
    three times); the distance from the origin tells them apart. ``radius`` is in [0, 1).

    >>> rows = circles(jax.random.key(0), num_examples=9, noise=0.0)
    >>> bool((rows.targets == (jnp.linalg.norm(rows.inputs, axis=1) < 0.7)).all())
    True
    """
    check.interval("radius", radius, check.FRACTION)
    label_key, angle_key, noise_key = jax.random.split(key, 3)
    labels = jax.random.bernoulli(label_key, shape=(num_examples,)).astype(jnp.int32)
    angles = jax.random.uniform(angle_key, (num_examples,), maxval=2 * jnp.pi)
    points = jnp.where(labels == 1, radius, 1)[:, None] * jnp.stack(
        [jnp.cos(angles), jnp.sin(angles)], axis=1
    )
    return Batch(points + noise * jax.random.normal(noise_key, points.shape), labels)


def abs_sine(key: Key, *, num_examples: int, stop: Scalar = 4 * jnp.pi, noise: Scalar = 0.0) -> Batch:
    """``|sin x|`` for ``x`` uniform in [0, stop]: inputs ``[n, 1]``, targets ``[n, 1]``."""
    x_key, noise_key = jax.random.split(key)
    x = jax.random.uniform(x_key, (num_examples, 1), maxval=stop)
    return Batch(x, jnp.abs(jnp.sin(x)) + noise * jax.random.normal(noise_key, x.shape))


def low_rank_ratings(
    key: Key,
    *,
    num_examples: int,
    num_users: int = 60,
    num_items: int = 40,
    rank: int = 3,
    noise: Scalar = 0.3,
) -> Batch:
    """Different cells of ``3 + U V' / sqrt(rank) + noise``, with ``U`` and ``V`` standard normal.

    Returns:
        inputs: (user, item) int ``[n, 2]``, no pair twice; targets: ratings ``[n]``.

    Raises:
        InputError: more ratings than cells.
    """
    check.count("num_examples", num_examples, 1, num_users * num_items)
    cell_key, user_key, item_key, noise_key = jax.random.split(key, 4)
    cells = jax.random.choice(cell_key, num_users * num_items, (num_examples,), replace=False)
    users, items = jnp.divmod(cells.astype(jnp.int32), num_items)
    user_factors = jax.random.normal(user_key, (num_users, rank))[users]
    item_factors = jax.random.normal(item_key, (num_items, rank))[items]
    ratings = 3 + (user_factors * item_factors).sum(1) / jnp.sqrt(rank)
    return Batch(
        jnp.stack([users, items], axis=1), ratings + noise * jax.random.normal(noise_key, ratings.shape)
    )


def negation(key: Key, *, num_examples: int, max_length: int = 16) -> Batch:
    """Sentences whose class hangs on which word ``not`` stands before: a bag of words is at chance.

    Each holds one positive word, one negative word and one ``not`` among words that say nothing. ``not``
    turns the next of the two; then both say the same, and that is the class: ``good ... not bad`` is 1,
    ``bad ... not good`` is 0, ``not good ... bad`` is 0, ``not bad ... good`` is 1.

    Args:
        key: random key.
        num_examples: number of sentences.
        max_length: longest sentence, at least 6; lengths are uniform in ``max_length // 2 .. max_length``.

    Returns:
        inputs: ``tokens`` int ``[n, max_length]`` (0 pads, 1 is ``not``, 2 to 9 positive, 10 to 17 negative,
        18 to 33 neither) and ``lengths`` int ``[n]``; targets: labels ``[n]``.

    Raises:
        InputError: sentences too short for three words.
    """
    check.count("max_length", max_length, 6)
    length_key, place_key, label_key, order_key, word_key, filler_key = jax.random.split(key, 6)
    lengths = jax.random.randint(length_key, (num_examples,), max_length // 2, max_length + 1)
    labels = jax.random.bernoulli(label_key, shape=(num_examples,)).astype(jnp.int32)
    words = jax.random.randint(word_key, (num_examples, 2), 0, NUM_WORDS) + jnp.array([[2, 2 + NUM_WORDS]])
    plain, turned = jnp.where(labels[:, None] == 1, words, words[:, ::-1]).T
    not_first = jax.random.bernoulli(order_key, shape=(num_examples,))
    said = [
        jnp.where(not_first, NOT, plain),
        jnp.where(not_first, turned, NOT),
        jnp.where(not_first, plain, turned),
    ]
    shape = (num_examples, max_length)
    tokens = jax.random.randint(filler_key, shape, 2 + 2 * NUM_WORDS, VOCABULARY_SIZE)
    positions = jnp.arange(max_length)[None]
    for word, place in zip(said, _places(place_key, lengths), strict=True):
        tokens = jnp.where(positions == place[:, None], word[:, None], tokens)
    return Batch({"tokens": jnp.where(positions < lengths[:, None], tokens, PAD), "lengths": lengths}, labels)


def _places(key: Key, lengths: Int[Array, " n"]) -> tuple[Int[Array, " n"], ...]:
    """Three different positions below each length, in ascending order; every three equally likely."""
    a, b, c = jax.random.randint(key, (3, len(lengths)), 0, lengths[None] - jnp.arange(3)[:, None])
    b += b >= a
    low, high = jnp.minimum(a, b), jnp.maximum(a, b)
    c += c >= low
    c += c >= high
    first, third = jnp.minimum(low, c), jnp.maximum(high, c)
    return first, a + b + c - first - third, third


class Generator(NamedTuple):
    """A synthetic data set: how to make it, how many rows by default, and how many classes it has."""

    make: Callable[..., Batch]
    num_examples: int
    num_classes: int | None


SYNTHETIC: dict[str, Generator] = {
    "lines": Generator(lines, 5000, None),
    "two_gaussians": Generator(two_gaussians, 1000, 2),
    "xor": Generator(xor, 1000, 2),
    "parabola": Generator(parabola, 1000, 2),
    "hyperbola": Generator(hyperbola, 1000, 2),
    "circles": Generator(circles, 1000, 2),
    "abs_sine": Generator(abs_sine, 1000, None),
    "low_rank_ratings": Generator(low_rank_ratings, 1200, None),
    "negation": Generator(negation, 5000, 2),
}
