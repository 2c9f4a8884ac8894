"""Healthy problems that look odd: mixtures, contrasts, rankings, sets, tied weights, frozen features."""

from __future__ import annotations

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.faults import _data
from experiments.faults._networks import cross_entropy, dense, forward, mean_square, of_module, supervised
from jaxnets.diagnose import Problem
from jaxnets.types import Array, Params


def mixture() -> Problem:
    """Three normals a row for an inverse problem, where one input has several targets."""
    generator = np.random.default_rng(20)
    y = generator.uniform(-1, 1, (400, 1)).astype(np.float32)
    x = (y + 0.5 * np.sin(2 * np.pi * y) + 0.05 * generator.normal(size=(400, 1))).astype(np.float32)

    def loss(params, x, y):
        weight, centre, width = jnp.split(forward(params, x), 3, axis=1)
        density = jax.scipy.stats.norm.logpdf(y, centre, 0.03 + jax.nn.softplus(width))
        return -jax.nn.logsumexp(jax.nn.log_softmax(weight) + density, axis=1).mean()

    init = lambda key: dense(key, (1, 24, 9), gain=1.5)  # noqa: E731
    return Problem(init, forward, loss, (x, y), optimizer=optax.adam(0.01), num_steps=1500)


def contrast() -> Problem:
    """Two noisy views of each row find each other among all of the batch, by cosines over 0.2."""
    generator = np.random.default_rng(21)
    hidden = generator.normal(size=(320, 4))
    views = [
        (hidden @ generator.normal(size=(4, 10)) + 0.1 * generator.normal(size=(320, 10))).astype(np.float32)
        for _ in range(2)
    ]

    def predict(p, x):
        code = x @ p["one"]
        return code / (1e-6 + jnp.linalg.norm(code, axis=1, keepdims=True))

    def loss(p, x, y):
        other = predict({"one": p["two"]}, y)
        return cross_entropy(predict(p, x) @ other.T / 0.2, jnp.arange(len(x)))

    def init(key):
        draw = lambda one: jax.random.normal(one, (10, 4)) / 3  # noqa: E731
        return dict(zip(("one", "two"), map(draw, jax.random.split(key)), strict=True))

    return Problem(
        init, predict, loss, tuple(views), optimizer=optax.adam(0.02), batch_size=32, num_steps=400
    )


class Residual(nn.Module):
    """Four blocks that add nothing at the start, and a mean over the set's members."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """A number of each set."""
        x = nn.Dense(16)(x)
        for _ in range(4):
            h = nn.relu(nn.Dense(16)(x)) ** 2
            x = x + nn.Dense(16, kernel_init=nn.initializers.zeros)(h)
        return nn.Dense(1)(x.mean(axis=1))


def sets() -> Problem:
    """The mean square of the members of a set."""
    x = np.random.default_rng(22).normal(size=(300, 7, 1)).astype(np.float32)
    training = {"optimizer": optax.adam(0.003), "batch_size": 50, "num_steps": 300}
    return of_module(Residual(), mean_square, (x, (x**2).mean(axis=1)), **training)


def tied() -> Problem:
    """An autoencoder whose decoder is the encoder's transpose."""
    x, _ = _data.digits(400)

    def init(key):
        return {"w": jax.random.normal(key, (64, 10)) / 8, "up": jnp.zeros(10), "down": jnp.zeros(64)}

    def predict(p, x):
        return jax.nn.elu(x @ p["w"] + p["up"][None]) @ p["w"].T + p["down"][None]

    return supervised(init, predict, mean_square, (x, x), optimizer=optax.adam(0.01), num_steps=300)


def random_features() -> Problem:
    """A hundred cosines that are drawn once and are no params; ridge regression on them."""
    generator = np.random.default_rng(23)
    waves, phases = generator.normal(size=(1, 100)) * 2, generator.uniform(0, 2 * np.pi, (1, 100))
    features = lambda x: jnp.cos(x @ waves.astype(np.float32) + phases.astype(np.float32)) / 10  # noqa: E731
    predict = lambda w, x: features(x) @ w  # noqa: E731
    loss = lambda w, x, y: mean_square(predict(w, x), y) + 1e-4 * jnp.sum(w**2)  # noqa: E731
    return Problem(
        lambda key: jnp.zeros((100, 1)), predict, loss, _data.bump(), learning_rate=1.0, num_steps=2000
    )


class Ranker(NamedTuple):
    """A line; thresholds are of no use, since only differences count."""

    slopes: Array


def ranking() -> Problem:
    """Which of two flats is dearer: the logistic loss of the difference of two scores."""
    generator = np.random.default_rng(24)
    pairs = generator.normal(size=(300, 2, 5)).astype(np.float32)
    value = pairs @ np.array([1.0, -2.0, 0.5, 0.0, 1.5], np.float32)
    dearer = (value[:, 0] > value[:, 1]).astype(np.float32)
    predict = lambda p, x: (x[:, 0] - x[:, 1]) @ p.slopes  # noqa: E731
    loss = lambda p, x, y: optax.sigmoid_binary_cross_entropy(predict(p, x), y).mean()  # noqa: E731
    init = lambda key: Ranker(0.1 * jax.random.normal(key, (5,)))  # noqa: E731
    return Problem(init, predict, loss, (pairs, dearer), learning_rate=0.5, num_steps=150)


def learnt_temperature() -> Problem:
    """Cosines with a direction for each class, over a temperature that is learnt as its logarithm."""

    def predict(p, x):
        rows = x / jnp.linalg.norm(x, axis=1, keepdims=True)
        return jnp.exp(p["scale"]) * rows @ (p["w"] / jnp.linalg.norm(p["w"], axis=0, keepdims=True))

    init = lambda key: {"w": jax.random.normal(key, (13, 3)), "scale": jnp.log(3.0)}  # noqa: E731
    data = _data.scaled_table("wine")
    return supervised(init, predict, cross_entropy, data, optimizer=optax.adam(0.03), num_steps=200)


class Gated(nn.Module):
    """A gated linear unit over a window."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """The next value."""
        return nn.Dense(1)(nn.glu(nn.Dense(32)(x[..., 0])))


def next_of_map() -> Problem:
    """The logistic map from its last four values; the rate goes up and down."""
    series = [0.3]
    for _ in range(500):
        series.append(3.8 * series[-1] * (1 - series[-1]))
    windows = np.lib.stride_tricks.sliding_window_view(np.array(series, np.float32) - 0.6, 5)
    rate = lambda step: 0.02 * (0.55 - 0.45 * jnp.cos(step / 25))  # noqa: E731
    data = (windows[:, :4, None] * 3, windows[:, 4:] * 3)
    return of_module(Gated(), mean_square, data, optimizer=optax.adam(rate), num_steps=600)


def rare() -> Problem:
    """Two of a hundred are ill, weighted fifty times, by a network of sines."""
    generator = np.random.default_rng(25)
    x = generator.normal(size=(1000, 3)).astype(np.float32)
    ill = np.arange(1000) % 50 == 0
    x[ill] += np.array([3.0, -3.0, 2.0], np.float32)

    def loss(params, x, y):
        each = optax.sigmoid_binary_cross_entropy(predict(params, x), y)
        return jnp.mean(each * jnp.where(y == 1, 50.0, 1.0))

    predict = lambda params, x: forward(params, x, jnp.sin)[:, 0]  # noqa: E731
    init = lambda key: dense(key, (3, 12, 1))  # noqa: E731
    return Problem(
        init, predict, loss, (x, ill.astype(np.float32)), optimizer=optax.adam(0.01), num_steps=200
    )


def noisy_gradient() -> Problem:
    """Noise on each slope, less of it from step to step."""
    steps = optax.chain(optax.add_noise(0.01, 0.55, jax.random.key(26)), optax.sgd(0.1))
    init = lambda key: dense(key, (3, 8, 1))  # noqa: E731
    return supervised(init, forward, mean_square, _data.plane(), optimizer=steps, num_steps=400)


def last_real_step() -> Problem:
    """Does the last real number of a padded sequence have the first one's sign? A recurrence with a mask."""
    generator = np.random.default_rng(27)
    lengths = generator.integers(2, 7, 300)
    real = np.arange(6)[None] < lengths[:, None]
    values = np.where(real, generator.choice([-1.0, 1.0], (300, 6)), 0)
    same = values[:, 0] == values[np.arange(300), lengths - 1]

    def predict(p, x):
        def step(state, now):
            new = jnp.tanh(state @ p["keep"] + now[:, None] * p["read"][None] + p["shift"][None])
            return jnp.where((now != 0)[:, None], new, state), None

        return forward(p["head"], jax.lax.scan(step, jnp.zeros((len(x), 20)), x.T)[0])

    def init(key):
        keep, read, head = jax.random.split(key, 3)
        return {
            "keep": jax.nn.initializers.orthogonal()(keep, (20, 20)),
            "read": jax.random.normal(read, (20,)),
            "shift": jnp.zeros(20),
            "head": dense(head, (20, 16, 2)),
        }

    data = (values.astype(np.float32), same.astype(np.int32))
    return supervised(init, predict, cross_entropy, data, optimizer=optax.adam(0.01), num_steps=300)


def prototypes() -> Problem:
    """Each class is a point of the plane: logits are squared distances, with a minus."""

    def predict(p, x):
        code = x @ p["map"]
        return -((code[:, None] - p["points"][None]) ** 2).sum(axis=2)

    def init(key):
        one, two = jax.random.split(key)
        return {"map": jax.random.normal(one, (4, 2)) / 2, "points": jax.random.normal(two, (3, 2))}

    data = _data.scaled_table("iris")
    return supervised(init, predict, cross_entropy, data, learning_rate=0.1, batch_size=1, num_steps=900)


def survival() -> Problem:
    """Times until failure, some cut off: an exponential's likelihood, its rate an exponential head."""
    generator = np.random.default_rng(28)
    x = generator.normal(size=(400, 2)).astype(np.float32)
    times = generator.exponential(np.exp(x[:, 0] - 0.5 * x[:, 1]))
    both = np.column_stack([np.minimum(times, 2), times < 2]).astype(np.float32)

    def loss(p: Params, x: Array, y: Array) -> Array:
        rate = predict(p, x)
        return jnp.mean(rate * y[:, 0] - y[:, 1] * jnp.log(rate))

    predict = lambda p, x: jnp.exp(x @ p[:2] + p[2])  # noqa: E731
    init = lambda key: 0.1 * jax.random.normal(key, (3,))  # noqa: E731
    return Problem(init, predict, loss, (x, both), learning_rate=0.2, num_steps=200)


def heavy_decay() -> Problem:
    """Digits, a single batch of all, AdamW with a decay of 1 and smooth labels."""
    x, labels = _data.digits(500)
    soft = 0.9 * _data.one_hot(labels, 10) + 0.01
    cost = lambda z, y: optax.softmax_cross_entropy(z, y).mean()  # noqa: E731
    predict = lambda params, x: forward(params, x, jax.nn.relu)  # noqa: E731
    init = lambda key: dense(key, (64, 48, 10), gain=1.4)  # noqa: E731
    return supervised(
        init, predict, cost, (x, soft), optimizer=optax.adamw(0.01, weight_decay=1.0), num_steps=200
    )


PROBLEMS = {
    "odd_mixture_of_normals": mixture,
    "odd_contrast_of_views": contrast,
    "odd_sets_residual_zeros": sets,
    "odd_tied_autoencoder": tied,
    "odd_random_features": random_features,
    "odd_ranking_pairs": ranking,
    "odd_learnt_temperature": learnt_temperature,
    "odd_logistic_map_gated": next_of_map,
    "odd_one_in_fifty": rare,
    "odd_noisy_gradient": noisy_gradient,
    "odd_last_real_step": last_real_step,
    "odd_prototypes_single_rows": prototypes,
    "odd_failure_times": survival,
    "odd_heavy_decay": heavy_decay,
}
