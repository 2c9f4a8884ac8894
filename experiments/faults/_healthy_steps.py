"""Healthy problems whose steps are unusual: large stable rates, single rows, momentum, decay, by hand."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.faults import _data
from experiments.faults._networks import cross_entropy, dense, forward, mean_square, of_module, supervised
from jaxnets.diagnose import Problem
from jaxnets.models import MLP
from jaxnets.types import Array, Params


def wine(**training: object) -> Problem:
    """Wines by eight units."""
    model = MLP(widths=(8,), num_outputs=3)
    return of_module(model, cross_entropy, _data.scaled_table("wine"), **{"num_steps": 150} | training)


def digits(**training: object) -> Problem:
    """Digits by 32 units."""
    model = MLP(widths=(32,), num_outputs=10)
    return of_module(model, cross_entropy, _data.digits(), **{"batch_size": 50, "num_steps": 200} | training)


def half_square(params: Params, x: Array, y: Array) -> Array:
    """Half of the mean over rows of the squared distance."""
    return 0.5 * jnp.sum((forward(params, x) - y) ** 2) / len(x)


def by_hand(params: Params, x: Array, y: Array) -> Params:
    """Its gradient for one layer of tanh."""
    one, two = params
    a = jnp.tanh(x @ one["w"] + one["b"][None])
    d2 = (a @ two["w"] + two["b"][None] - y) / len(x)
    d1 = d2 @ two["w"].T * (1 - a**2)
    return [{"w": x.T @ d1, "b": d1.sum(axis=0)}, {"w": a.T @ d2, "b": d2.sum(axis=0)}]


def own_gradient() -> Problem:
    """A correct gradient by hand."""
    init = lambda key: dense(key, (1, 16, 1), gain=1.5)  # noqa: E731
    return Problem(
        init, forward, half_square, _data.bump(), gradient=by_hand, learning_rate=0.1, num_steps=300
    )


def relu_gradient() -> Problem:
    """A correct gradient by hand through a ReLU, cross-entropy and a penalty."""
    x, labels = _data.scaled_table("iris")
    y = _data.one_hot(labels, 3)
    squares = lambda params: sum(jnp.sum(layer["w"] ** 2) for layer in params)  # noqa: E731
    logits = lambda params, x: forward(params, x, jax.nn.relu)  # noqa: E731

    def loss(params, x, y):
        return -jnp.mean(jnp.sum(y * jax.nn.log_softmax(logits(params, x)), axis=1)) + 0.005 * squares(params)

    def gradient(params, x, y):
        one, two = params
        a = jnp.maximum(x @ one["w"] + one["b"][None], 0)
        d2 = (jax.nn.softmax(a @ two["w"] + two["b"][None]) - y) / len(x)
        d1 = d2 @ two["w"].T * (a > 0)
        return [
            {"w": x.T @ d1 + 0.01 * one["w"], "b": d1.sum(axis=0)},
            {"w": a.T @ d2 + 0.01 * two["w"], "b": d2.sum(axis=0)},
        ]

    init = lambda key: dense(key, (4, 10, 3))  # noqa: E731
    return Problem(init, logits, loss, (x, y), gradient=gradient, learning_rate=0.2, num_steps=150)


def momentum_in_params() -> Problem:
    """Momentum by hand: the velocity is kept among the params, and has no gradient."""

    def init(key):
        weights = dense(key, (3, 8, 1))
        return {"weights": weights, "velocity": jax.tree.map(jnp.zeros_like, weights)}

    predict = lambda p, x: forward(p["weights"], x)  # noqa: E731
    loss = lambda p, x, y: mean_square(predict(p, x), y)  # noqa: E731

    def update(p, x, y):
        slope = jax.grad(loss)(p, x, y)["weights"]
        velocity = jax.tree.map(lambda v, g: 0.9 * v - 0.02 * g, p["velocity"], slope)
        return {"weights": jax.tree.map(jnp.add, p["weights"], velocity), "velocity": velocity}

    return Problem(init, predict, loss, _data.plane(), update=update, num_steps=80)


def nearly_unstable() -> Problem:
    """Least squares at nine tenths of the largest stable rate, 2 / curvature."""
    x, y = _data.plane()
    ones = np.hstack([x, np.ones((len(x), 1))])
    rate = 0.9 * 2 / (2 * np.linalg.eigvalsh(ones.T @ ones / len(x))[-1])
    return supervised(
        lambda key: dense(key, (3, 1)), forward, mean_square, (x, y), learning_rate=float(rate), num_steps=80
    )


def signed() -> Problem:
    """Every weight moves by the same amount, against the sign of its slope."""
    return wine(optimizer=optax.sign_sgd(0.01))


def scheduled() -> Problem:
    """The rate rises for 50 steps and falls along a cosine."""
    rate = optax.warmup_cosine_decay_schedule(0.0001, 0.5, 50, 200)
    return digits(optimizer=optax.sgd(rate))


def perceptron() -> Problem:
    """Rosenblatt's rule, a row a step, as an update."""
    x, labels = _data.blobs(200, num_classes=2)
    y = _data.column(2 * labels - 1)
    score = lambda p, x: x @ p["w"] + p["b"]  # noqa: E731
    loss = lambda p, x, y: jnp.mean(jax.nn.relu(-y * score(p, x)))  # noqa: E731

    def update(p, x, y):
        wrong = y * (y * score(p, x) <= 0)
        return {"w": p["w"] + 0.1 * x.T @ wrong, "b": p["b"] + 0.1 * wrong.sum(axis=0, keepdims=True)}

    init = lambda key: {"w": 0.5 * jax.random.normal(key, (4, 1)), "b": jnp.zeros((1, 1))}  # noqa: E731
    return Problem(init, score, loss, (x, y), update=update, batch_size=1, num_steps=400)


PROBLEMS = {
    "steps_large_rate": lambda: wine(learning_rate=0.8),
    "steps_nearly_unstable": nearly_unstable,
    "steps_single_rows": lambda: wine(learning_rate=0.03, batch_size=1, num_steps=800),
    "steps_small_rate_many": lambda: wine(learning_rate=0.005, num_steps=3000),
    "steps_momentum": lambda: digits(optimizer=optax.sgd(0.05, momentum=0.9)),
    "steps_nesterov": lambda: digits(optimizer=optax.sgd(0.05, momentum=0.9, nesterov=True)),
    "steps_no_warm_up": lambda: digits(optimizer=optax.adam(0.02)),
    "steps_weight_decay": lambda: digits(optimizer=optax.adamw(0.005, weight_decay=0.1)),
    "steps_rmsprop": lambda: digits(optimizer=optax.rmsprop(0.003)),
    "steps_adagrad": lambda: digits(optimizer=optax.adagrad(0.1)),
    "steps_lion": lambda: digits(optimizer=optax.lion(0.001)),
    "steps_adadelta": lambda: digits(optimizer=optax.adadelta(1.0)),
    "steps_signs": signed,
    "steps_schedule": scheduled,
    "steps_accumulated": lambda: digits(optimizer=optax.MultiSteps(optax.adam(0.01),
    4).gradient_transformation()),
    "steps_own_gradient": own_gradient,
    "steps_own_gradient_relu": relu_gradient,
    "steps_velocity_among_params": momentum_in_params,
    "steps_perceptron": perceptron,
}  # fmt: skip
