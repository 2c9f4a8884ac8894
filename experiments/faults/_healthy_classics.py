"""Healthy classical models: likelihoods, ranks and quantiles, by steps of their own."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
from sklearn.datasets import load_breast_cancer, load_iris

from experiments.faults._networks import binary_cross_entropy, dense, forward, mean_square, supervised
from jaxnets.diagnose import Problem


def newton_poisson() -> Problem:
    """Poisson regression by Newton's steps from zero: full batch, twelve steps, step 1."""
    rng = np.random.default_rng(101)
    X = np.hstack([np.ones((600, 1)), rng.normal(size=(600, 3))])
    y = rng.poisson(np.exp(X @ np.array([0.4, 0.5, -0.6, 0.2]))).astype(float)
    predict = lambda b, x: jnp.exp(x @ b)  # noqa: E731
    loss = lambda b, x, y: jnp.mean(jnp.exp(x @ b) - y * (x @ b))  # noqa: E731

    def update(b, x, y):
        fitted = jnp.exp(x @ b)
        return b - jnp.linalg.solve((x.T * fitted[None]) @ x, x.T @ (fitted - y))

    return Problem(lambda key: jnp.zeros(4), predict, loss, (X, y), update=update, num_steps=12)


def alternating_least_squares() -> Problem:
    """A matrix of low rank by rows, whose numbers are the inputs; both factors solved in turn."""
    rng = np.random.default_rng(102)
    M = rng.normal(size=(80, 3)) @ rng.normal(size=(3, 30)) / np.sqrt(3) + 0.1 * rng.normal(size=(80, 30))

    def init(key):
        one, two = jax.random.split(key)
        return {"P": 0.3 * jax.random.normal(one, (80, 3)), "Q": 0.3 * jax.random.normal(two, (30, 3))}

    predict = lambda p, i: p["P"][i] @ p["Q"].T  # noqa: E731
    loss = lambda p, i, y: jnp.mean((predict(p, i) - y) ** 2)  # noqa: E731

    def update(p, i, y):
        ridge = 0.01 * jnp.eye(3)
        P = p["P"].at[i].set(jnp.linalg.solve(p["Q"].T @ p["Q"] + ridge, p["Q"].T @ y.T).T)
        rows = P[i]
        return {"P": P, "Q": jnp.linalg.solve(rows.T @ rows + ridge, rows.T @ y).T}

    return Problem(init, predict, loss, (np.arange(80), M), update=update, num_steps=20)


def pinball_quantiles() -> Problem:
    """Three quantiles of one target by the pinball loss: the outputs are meant to lie beside the target."""
    rng = np.random.default_rng(103)
    x = rng.uniform(-1.7, 1.7, (900, 1))
    y = np.sin(2 * x) + (0.2 + 0.1 * x) * rng.normal(size=(900, 1))
    taus = jnp.array([[0.1, 0.5, 0.9]])

    def loss(params, x, y):
        e = y - forward(params, x)
        return jnp.mean(jnp.maximum(taus * e, (taus - 1) * e))

    return Problem(
        lambda key: dense(key, (1, 32, 3)),
        forward,
        loss,
        (x, y),
        optimizer=optax.adam(0.01),
        batch_size=90,
        num_steps=800,
        output="values",
    )


def cox_partial_likelihood() -> Problem:
    """Cox' partial likelihood, no intercept (it would cancel): a row's loss depends on the others at risk."""
    rng = np.random.default_rng(104)
    x = rng.normal(size=(300, 5))
    time = rng.exponential(np.exp(-(x @ np.array([1.4, -1.1, 0.8, 0.0, 0.5]))))
    event = time < 3
    y = np.column_stack([np.minimum(time, 3), event])

    def loss(w, x, y):
        risk = x @ w
        at_risk = y[None, :, 0] >= y[:, None, 0]
        total = jax.nn.logsumexp(jnp.where(at_risk, risk[None], -jnp.inf), axis=1)
        return jnp.sum(y[:, 1] * (total - risk)) / jnp.sum(y[:, 1])

    return Problem(
        lambda key: jnp.zeros(5), lambda w, x: x @ w, loss, (x, y), learning_rate=0.3, num_steps=150
    )


def perceptron_margin_by_hand() -> Problem:
    """Squared hinge with labels -1 and 1 on breast cancer, momentum, gradient by hand, starts at zero."""
    bunch = load_breast_cancer()
    x = (bunch.data - bunch.data.mean(0)) / bunch.data.std(0)
    rows = np.random.default_rng(105).permutation(len(x))
    x, y = np.hstack([x, np.ones((len(x), 1))])[rows], (2.0 * bunch.target - 1)[rows]

    def loss(w, x, y):
        return jnp.mean(jnp.maximum(0, 1 - y * (x @ w)) ** 2)

    def gradient(w, x, y):
        return -2 * x.T @ (y * jnp.maximum(0, 1 - y * (x @ w))) / len(y)

    return Problem(
        lambda key: jnp.zeros(31),
        lambda w, x: x @ w,
        loss,
        (x, y),
        gradient=gradient,
        optimizer=optax.sgd(0.01, momentum=0.9),
        num_steps=300,
    )


def exponentiated_gradient() -> Problem:
    """Weights on the simplex: multiplied by exp(-rate * slope) and normalised, all equal at the start."""
    rng = np.random.default_rng(106)
    x = rng.normal(size=(400, 12))
    y = x @ rng.dirichlet(np.full(12, 0.4)) + 0.05 * rng.normal(size=400)
    predict = lambda w, x: x @ w  # noqa: E731
    loss = lambda w, x, y: jnp.mean((predict(w, x) - y) ** 2)  # noqa: E731

    def update(w, x, y):
        w = w * jnp.exp(-0.5 * 2 * x.T @ (x @ w - y) / len(y))
        return w / w.sum()

    return Problem(
        lambda key: jnp.full(12, 1 / 12), predict, loss, (x, y), update=update, batch_size=50, num_steps=400
    )


def smoothed_iris_from_zero() -> Problem:
    """Softmax regression from zero weights, targets of 0.95 and 0.025, a warm-up from rate 0 and a cosine."""
    x, y = load_iris(return_X_y=True)
    rows = np.random.default_rng(107).permutation(150)
    x, y = ((x - x.mean(0)) / x.std(0))[rows], (0.925 * np.eye(3)[y] + 0.025)[rows]
    init = lambda key: {"W": jnp.zeros((4, 3)), "b": jnp.zeros(3)}  # noqa: E731
    cost = lambda logits, targets: optax.softmax_cross_entropy(logits, targets).mean()  # noqa: E731
    rate = optax.warmup_cosine_decay_schedule(0.0, 1.0, 20, 400)
    return supervised(
        init,
        lambda p, x: x @ p["W"] + p["b"][None],
        cost,
        (x, y),
        optimizer=optax.sgd(rate),
        batch_size=30,
        num_steps=400,
        output="logits",
    )


def chronological_autoregression() -> Problem:
    """A stationary series, four values to the next one; rows in order of time, the test afterwards."""
    rng = np.random.default_rng(108)
    s = np.zeros(1100)
    for t in range(2, 1100):
        s[t] = 1.5 * s[t - 1] - 0.8 * s[t - 2] + 0.4 * rng.normal()
    s = s[100:] / s[100:800].std()
    x = np.stack([s[i : i + 996] for i in range(4)], axis=1)
    y = s[4:, None]
    return supervised(
        lambda key: dense(key, (4, 16, 1)),
        forward,
        mean_square,
        (x[:700], y[:700]),
        test=(x[700:], y[700:]),
        optimizer=optax.adam(0.005),
        batch_size=70,
        num_steps=500,
    )


def rare_positives_prior_bias() -> Problem:
    """One positive in eight, a logit whose bias starts at the log-odds and whose weights start at zero."""
    rng = np.random.default_rng(109)
    y = (rng.random(1000) < 0.125).astype(np.float32)
    x = rng.normal(size=(1000, 8)) + y[:, None] * np.array([2, -2, 1.5, 0, 0, 1.5, 0, -1])
    x = (x - x.mean(0)) / x.std(0)

    def init(key):
        layers = dense(key, (8, 16, 1))
        layers[-1] = {"w": jnp.zeros((16, 1)), "b": jnp.full((1,), float(np.log(y.mean() / (1 - y.mean()))))}
        return layers

    return supervised(
        init,
        forward,
        binary_cross_entropy,
        (x, y[:, None]),
        optimizer=optax.adam(0.01),
        batch_size=100,
        num_steps=300,
        output="logits",
    )


PROBLEMS = {
    one.__name__: one
    for one in (
        newton_poisson,
        alternating_least_squares,
        pinball_quantiles,
        cox_partial_likelihood,
        perceptron_margin_by_hand,
        exponentiated_gradient,
        smoothed_iris_from_zero,
        chronological_autoregression,
        rare_positives_prior_bias,
    )
}
