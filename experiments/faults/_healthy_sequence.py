"""Healthy problems over sequences: recurrences, attention, convolutions, bags of words, dictionaries."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.faults import _data
from experiments.faults._networks import binary_cross_entropy, cross_entropy, mean_square, of_module
from jaxnets.diagnose import Problem
from jaxnets.layers import recurrent
from jaxnets.models import SequenceClassifier


class Recurrence(nn.Module):
    """Recurrent states, one of them or their mean, and outputs."""

    cell: Callable[[], nn.RNNCellBase]
    num_outputs: int = 1
    pool: Callable = lambda states: states[:, -1]

    @nn.compact
    def __call__(self, x):
        """Outputs of sequences."""
        return nn.Dense(self.num_outputs)(self.pool(nn.RNN(self.cell())(x)))


class Reader(nn.Module):
    """Words' vectors, what becomes of them, and outputs."""

    num_outputs: int
    read: Callable

    @nn.compact
    def __call__(self, words):
        """Outputs of sentences; padding counts as nothing."""
        mask = (words > 0)[..., None]
        return nn.Dense(self.num_outputs)(self.read(nn.Embed(30, 8)(words) * mask, mask))


def mean(x: jax.Array, mask: jax.Array) -> jax.Array:
    """Over the words."""
    return x.sum(axis=1) / mask.sum(axis=1)


def attended(x: jax.Array, mask: jax.Array) -> jax.Array:
    """Words weighted by themselves, over the words of each sentence."""
    scores = jnp.where(mask[..., 0], nn.Dense(1)(nn.tanh(nn.Dense(8)(x)))[..., 0], -1e9)
    return (nn.softmax(scores, axis=1)[..., None] * x).sum(axis=1)


def transformed(x: jax.Array, mask: jax.Array) -> jax.Array:
    """A layer of self-attention."""
    seen = nn.make_attention_mask(mask[..., 0], mask[..., 0])
    return mean((x + nn.MultiHeadDotProductAttention(2)(x, mask=seen)) * mask, mask)


def convolved(x: jax.Array, mask: jax.Array) -> jax.Array:
    """Pairs of words, the largest of each filter."""
    return nn.relu(nn.Conv(16, (2,))(x)).max(axis=1)


def sentences(read: Callable, **training: object) -> Problem:
    """Good or bad words, two logits."""
    optimizer = training.pop("optimizer", optax.adam(0.02))
    return of_module(
        Reader(2, read),
        cross_entropy,
        _data.sentences(),
        optimizer=optimizer,
        **{"num_steps": 120} | training,
    )


def one_logit() -> Problem:
    """The same by one output."""
    words, labels = _data.sentences()
    data = (words, _data.column(labels))
    return of_module(Reader(1, mean), binary_cross_entropy, data, optimizer=optax.adam(0.02), num_steps=120)


def sums(cell: Callable, **training: object) -> Problem:
    """Sums of ten numbers from the last state."""
    return of_module(
        Recurrence(cell),
        mean_square,
        _data.sums(),
        **{"optimizer": optax.adam(0.01), "num_steps": 200} | training,
    )


def waves(cell: Callable, pool: Callable = lambda states: states[:, -1]) -> Problem:
    """Three frequencies."""
    model = Recurrence(cell, 3, pool)
    return of_module(model, cross_entropy, _data.waves(), optimizer=optax.adam(0.01), num_steps=200)


def negation(cell: Callable | None) -> Problem:
    """Sentences with their lengths, as a dictionary; without an order they cannot be understood."""
    words, labels = _data.sentences()
    rows = {"tokens": words, "lengths": (words > 0).sum(axis=1).astype(np.int32)}
    model = SequenceClassifier(30, cell=cell, embedding_size=8, num_units=8)
    return of_module(model, cross_entropy, (rows, labels), optimizer=optax.adam(0.02), num_steps=120)


class Filter(nn.Module):
    """The next value of a wave, a linear function of the last five."""

    @nn.compact
    def __call__(self, x):
        """Outputs ``[n, t, 1]``: padded on the left, so that nothing is seen in advance."""
        return nn.Conv(1, (5,), padding="CAUSAL")(x)


def next_values() -> Problem:
    """Every value of a wave from those before it: targets at each time."""
    x, _ = _data.waves(200)
    return of_module(Filter(), mean_square, (x[:, :-1], x[:, 1:]), learning_rate=0.1, num_steps=150)


class NextWord(nn.Module):
    """Logits of each next word, from a GRU."""

    @nn.compact
    def __call__(self, words):
        """``[n, t, k]``."""
        return nn.Dense(6)(nn.RNN(nn.GRUCell(12))(nn.Embed(6, 6)(words)))


def next_words() -> Problem:
    """Counting up by one, two or three from any number, modulo 6."""
    generator = np.random.default_rng(0)
    start, stride = generator.integers(0, 6, (2, 200, 1))
    words = ((start + (1 + stride % 3) * np.arange(9)[None]) % 6).astype(np.int32)
    cost = lambda logits, labels: optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()  # noqa: E731
    return of_module(
        NextWord(),
        cost,
        (words[:, :-1], words[:, 1:]),
        optimizer=optax.adam(0.02),
        batch_size=50,
        num_steps=120,
    )


class Denoiser(nn.Module):
    """A wave from a noisy one, of the same length."""

    @nn.compact
    def __call__(self, x):
        """Clean values."""
        return nn.Conv(1, (5,))(nn.tanh(nn.Conv(8, (5,))(x)))


def denoised() -> Problem:
    """Noise as an input, targets without it."""
    x, _ = _data.waves(200)
    noise = np.random.default_rng(1).normal(size=x.shape).astype(np.float32)
    return of_module(Denoiser(), mean_square, (x + 0.5 * noise, x), optimizer=optax.adam(0.01), num_steps=150)


def identity(key: jax.Array, shape: tuple[int, ...], dtype: object) -> jax.Array:
    """A recurrence that begins by remembering everything."""
    return jnp.eye(*shape, dtype=dtype)


PROBLEMS = {
    "sentences_mean": lambda: sentences(mean),
    "sentences_sum": lambda: sentences(lambda x, mask: x.sum(axis=1)),
    "sentences_attention": lambda: sentences(attended),
    "sentences_self_attention": lambda: sentences(transformed, optimizer=optax.adam(0.005)),
    "sentences_convolution": lambda: sentences(convolved),
    "sentences_one_logit": one_logit,
    "sentences_adagrad": lambda: sentences(mean, optimizer=optax.adagrad(0.5), batch_size=20),
    "sentences_clipped": lambda: sentences(
        mean, optimizer=optax.chain(optax.clip_by_global_norm(0.1), optax.sgd(3.0)), num_steps=300
    ),
    "sentences_lengths": lambda: negation(None),
    "sentences_gru_lengths": lambda: negation(recurrent.gru),
    "sums_gru": lambda: sums(partial(nn.GRUCell, 12)),
    "sums_lstm": lambda: sums(partial(nn.OptimizedLSTMCell, 12)),
    "sums_relu_identity": lambda: sums(
        partial(nn.SimpleCell, 12, activation_fn=nn.relu, recurrent_kernel_init=identity)
    ),
    "waves_vanilla": lambda: waves(partial(nn.SimpleCell, 16)),
    "waves_gru_mean": lambda: waves(partial(nn.GRUCell, 12), lambda states: states.mean(axis=1)),
    "waves_next_value": next_values,
    "waves_denoised": denoised,
    "numbers_next": next_words,
}
