"""Healthy problems with heads and losses of statistics: quantiles, hazards, grades, factors, angles."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import optax
from sklearn.datasets import load_breast_cancer, load_digits

from experiments.faults._networks import cross_entropy, dense, forward, mean_square, supervised
from jaxnets.diagnose import Problem


def _split(x, y, rows):
    return {"data": (x[:rows], y[:rows]), "test": (x[rows:], y[rows:])}


def quantiles_in_order() -> Problem:
    """Three quantiles of delays, kept in order by softplus steps; the pinball loss; one target a row."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1000, 4)).astype(np.float32)
    y = 1.5 * x[:, 0] - np.abs(x[:, 1]) + (0.3 + 0.5 * (x[:, 2] > 0)) * rng.gumbel(size=1000)
    y = ((y - y[:800].mean()) / y[:800].std()).astype(np.float32)[:, None]

    def predict(params, x):
        raw = forward(params, x, jax.nn.silu)
        return jnp.cumsum(jnp.concatenate([raw[:, :1], jax.nn.softplus(raw[:, 1:])], axis=1), axis=1)

    def pinball(out, y):
        level = jnp.array([[0.1, 0.5, 0.9]])
        return jnp.mean(jnp.maximum(level * (y - out), (level - 1) * (y - out)))

    return supervised(
        lambda key: dense(key, (4, 32, 3)),
        predict,
        pinball,
        **_split(x, y, 800),
        optimizer=optax.adam(5e-3),
        batch_size=80,
        num_steps=500,
    )


def squared_hinge() -> Problem:
    """A linear machine on tumours: labels -1 and 1, squared hinge, weights from zero, no network at all."""
    x, label = load_breast_cancer(return_X_y=True)
    order = np.random.default_rng(3).permutation(len(x))
    x, label = x[order], label[order]
    x = ((x - x[:420].mean(0)) / x[:420].std(0)).astype(np.float32)
    y = np.where(label == 1, 1, -1).astype(np.float32)

    def predict(params, x):
        return x @ params["w"] + params["b"]

    def loss(params, x, y):
        slack = jnp.maximum(0, 1 - y * predict(params, x))
        return jnp.mean(slack**2) + 2e-2 * jnp.sum(params["w"] ** 2)

    return Problem(
        lambda key: {"w": jnp.zeros(30), "b": jnp.zeros(1)},
        predict,
        loss,
        **_split(x, y, 420),
        learning_rate=0.03,
        num_steps=300,
    )


def same_digit() -> Problem:
    """Pairs of digits through one network: same or not, by the cosine of two vectors times a sharpness."""
    x, label = load_digits(return_X_y=True)
    x = (x / 8 - 1).astype(np.float32)
    rng = np.random.default_rng(4)
    kept = rng.permutation(np.flatnonzero(label < 4))
    x, label = x[kept], label[kept]

    def pairs(low, high, num):
        first = rng.integers(low, high, 3 * num)
        second = rng.integers(low, high, 3 * num)
        same = label[first] == label[second]
        taken = rng.permutation(
            np.concatenate([np.flatnonzero(same)[: num // 2], np.flatnonzero(~same)[: num // 2]])
        )
        return np.stack([x[first[taken]], x[second[taken]]], 1), same[taken].astype(np.float32)

    def init(key):
        return {"net": dense(key, (64, 48, 16)), "sharpness": jnp.array([1.0]), "shift": jnp.array([0.0])}

    def predict(params, x):
        vectors = forward(params["net"], x.reshape(-1, 64), jax.nn.relu).reshape(-1, 2, 16)
        vectors = vectors / jnp.sqrt((vectors**2).sum(axis=2, keepdims=True) + 1e-6)
        cosine = (vectors[:, 0] * vectors[:, 1]).sum(axis=1)
        return jnp.exp(params["sharpness"]) * cosine + params["shift"]

    def cost(out, y):
        return optax.sigmoid_binary_cross_entropy(out, y).mean()

    return supervised(
        init,
        predict,
        cost,
        pairs(0, 500, 1000),
        test=pairs(500, len(x), 200),
        optimizer=optax.adamw(3e-3, weight_decay=1e-2),
        batch_size=50,
        num_steps=200,
    )


def ordinal_thresholds() -> Problem:
    """Grades 0..4 by cumulative logits: a score and four ordered thresholds; log-probabilities come out."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(1200, 6)).astype(np.float32)
    score = 1.5 * x[:, 0] + np.sin(2 * x[:, 1]) - x[:, 2] * x[:, 3] + 0.3 * rng.logistic(size=1200)
    y = np.digitize(score, np.quantile(score, [0.15, 0.4, 0.7, 0.9])).astype(np.int32)

    def init(key):
        return {"net": dense(key, (6, 40, 1)), "first": jnp.array([-1.5]), "gaps": jnp.full(3, 0.5)}

    def predict(params, x):
        score = forward(params["net"], x, jax.nn.swish)
        limits = jnp.cumsum(jnp.concatenate([params["first"], jax.nn.softplus(params["gaps"])]))
        below = jax.nn.sigmoid(limits[None] - score)
        edges = jnp.pad(below, ((0, 0), (1, 1)), constant_values=((0, 0), (0, 1)))
        return jnp.log(jnp.diff(edges, axis=1) + 1e-6)

    def cost(out, y):
        return -jnp.mean(jnp.take_along_axis(out, y[:, None], axis=1))

    return supervised(
        init,
        predict,
        cost,
        **_split(x, y, 980),
        optimizer=optax.adam(optax.cosine_decay_schedule(1e-2, 800)),
        batch_size=70,
        num_steps=800,
    )


def claims_with_exposure() -> Problem:
    """Claims: a Poisson rate times the time insured, which is an input too; bias at the log of the mean."""
    rng = np.random.default_rng(6)
    x = rng.normal(size=(1500, 5))
    years = rng.uniform(0.3, 3, size=1500)
    y = rng.poisson(years * np.exp(0.8 + 0.6 * x[:, 0] - 0.5 * np.abs(x[:, 1]) + 0.4 * x[:, 2])).astype(
        np.float32
    )
    x = np.concatenate([x, np.log(years)[:, None]], axis=1).astype(np.float32)
    middle = np.log(y[:1300].sum() / years[:1300].sum())

    def init(key):
        layers = dense(key, (5, 12, 1))
        layers[-1] = {"w": jnp.zeros((12, 1)), "b": jnp.array([middle], jnp.float32)}
        return layers

    def predict(params, x):
        return jnp.exp(forward(params, x[:, :5])[:, 0] + x[:, 5])

    def deviance(rate, y):
        return 2 * jnp.mean(jax.scipy.special.xlogy(y, y) - jax.scipy.special.xlogy(y, rate) - y + rate)

    return supervised(
        init,
        predict,
        deviance,
        **_split(x, y, 1300),
        optimizer=optax.adam(5e-3),
        batch_size=100,
        num_steps=400,
    )


def logistic_by_lbfgs() -> Problem:
    """Softmax regression on digits from zero weights, 25 steps of L-BFGS on all rows, with a ridge."""
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(7).permutation(len(x))[:1300]
    x, y = (x[order] / 8 - 1).astype(np.float32), y[order].astype(np.int32)

    def predict(params, x):
        return x @ params["w"] + params["b"][None]

    def loss(params, x, y):
        return cross_entropy(predict(params, x), y) + 5e-3 * jnp.sum(params["w"] ** 2)

    return Problem(
        lambda key: {"w": jnp.zeros((64, 10)), "b": jnp.zeros(10)},
        predict,
        loss,
        **_split(x, y, 1000),
        optimizer=optax.lbfgs(),
        num_steps=25,
    )


def tied_denoising() -> Problem:
    """A denoising autoencoder, tied weights, sine units: noisy rows in, clean rows as targets."""
    rng = np.random.default_rng(8)
    t = rng.uniform(-1, 1, size=(1200, 3))
    clean = np.sin(t @ rng.normal(size=(3, 16)) * 1.5 + rng.uniform(0, 6, size=(1, 16)))
    clean = (clean - clean.mean(0)) / clean.std(0)
    noisy = (clean + 0.4 * rng.normal(size=clean.shape)).astype(np.float32)
    clean = clean.astype(np.float32)

    def init(key):
        return {"w": jax.random.normal(key, (16, 12)) / 4, "b": jnp.zeros(12), "back": jnp.zeros(16)}

    def predict(params, x):
        code = jnp.sin(x @ params["w"] + params["b"][None])
        return code @ params["w"].T + params["back"][None]

    return supervised(
        init,
        predict,
        mean_square,
        **_split(noisy, clean, 1000),
        optimizer=optax.adam(5e-3),
        batch_size=50,
        num_steps=400,
    )


def angles_von_mises() -> Problem:
    """Wind directions: sine and cosine as targets, a direction and a sharpness out; a loss below zero."""
    rng = np.random.default_rng(9)
    x = rng.normal(size=(1200, 4)).astype(np.float32)
    angle = 2 * np.arctan2(x[:, 0] + 0.5, x[:, 1]) + 0.6 * x[:, 2] + 0.15 * rng.normal(size=1200)
    y = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)

    def cost(out, y):
        length = jnp.sqrt((out**2).sum(axis=1) + 1e-6)
        log_normalised = jnp.log(jax.scipy.special.i0e(length)) + length
        return jnp.mean(log_normalised - (out * y).sum(axis=1))

    return supervised(
        lambda key: dense(key, (4, 48, 32, 2)),
        lambda params, x: forward(params, x, jax.nn.silu),
        cost,
        **_split(x, y, 1000),
        optimizer=optax.adam(optax.cosine_decay_schedule(5e-3, 600)),
        batch_size=100,
        num_steps=600,
    )


def random_features_large_rate() -> Problem:
    """Random cosine features that are constants, one layer from zero, plain descent with rate 0.7."""
    rng = np.random.default_rng(10)
    x = rng.uniform(-2, 2, size=(900, 2)).astype(np.float32)
    y = np.sin(2 * x[:, 0]) * np.cos(x[:, 1]) + 0.05 * rng.normal(size=900)
    y = ((y - y.mean()) / y.std()).astype(np.float32)[:, None]
    waves = jnp.asarray(1.5 * rng.normal(size=(2, 200)), jnp.float32)
    phases = jnp.asarray(rng.uniform(0, 2 * np.pi, size=(1, 200)), jnp.float32)

    def predict(params, x):
        return jnp.cos(x @ waves + phases) @ params["w"] * 0.1 + params["b"][None]

    return supervised(
        lambda key: {"w": jnp.zeros((200, 1)), "b": jnp.zeros(1)},
        predict,
        mean_square,
        **_split(x, y, 700),
        learning_rate=0.7,
        batch_size=350,
        num_steps=800,
    )


PROBLEMS: dict[str, Callable[[], Problem]] = {
    made.__name__: made
    for made in (
        quantiles_in_order,
        squared_hinge,
        same_digit,
        ordinal_thresholds,
        claims_with_exposure,
        logistic_by_lbfgs,
        tied_denoising,
        angles_von_mises,
        random_features_large_rate,
    )
}
