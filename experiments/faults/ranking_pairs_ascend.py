"""Pairwise ranking by hand (Rendle et al. 2009): the update's plus belongs to the log-likelihood.

Source: a thread on learning to rank in NumPy; the paper maximises, the code differentiates what it minimises.
Symptom: the loss grows from step to step; the better item gets the lower score.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import sided
from jaxnets.diagnose import Problem


def _pairs():
    """Rows (a, b) of two items each, and 1 where a was preferred."""
    rng = np.random.default_rng(23)
    a, b = rng.normal(size=(2, 500, 7))
    taste = rng.normal(size=7)
    y = ((a - b) @ taste + 0.3 * rng.logistic(size=500) > 0).astype(np.float32)
    return np.stack([a, b], axis=1), y


def problem(sign: float) -> Problem:
    """Which of two items is preferred."""

    def score(w, items):
        return jnp.tanh(items @ w["hidden"]) @ w["out"]

    def init(key):
        one, two = jax.random.split(key)
        return {
            "hidden": jax.random.normal(one, (7, 5)) / jnp.sqrt(7.0),
            "out": jax.random.normal(two, (5,)) / jnp.sqrt(5.0),
        }

    def predict(w, x):
        return score(w, x[:, 0]) - score(w, x[:, 1])

    def loss(w, x, y):
        margin = predict(w, x)
        return jnp.mean(jax.nn.softplus(jnp.where(y == 1, -margin, margin)))

    def update(w, x, y):
        m = jax.nn.sigmoid(predict(w, x)) - y
        ha, hb = jnp.tanh(x[:, 0] @ w["hidden"]), jnp.tanh(x[:, 1] @ w["hidden"])
        d_out = (m @ (ha - hb)) / len(y)
        back = lambda h, items: items.T @ (m[:, None] * (1 - h**2) * w["out"][None])  # noqa: E731
        d_hidden = (back(ha, x[:, 0]) - back(hb, x[:, 1])) / len(y)
        return {"hidden": w["hidden"] + sign * 0.2 * d_hidden, "out": w["out"] + sign * 0.2 * d_out}

    return Problem(
        init, predict, loss, _pairs(), update=update, batch_size=50, num_steps=600, output="logits"
    )


def broken() -> Problem:
    """Plus."""
    return problem(1.0)


def repaired() -> Problem:
    """Minus."""
    return problem(-1.0)


FAULT = Fault(
    broken,
    "update-ascends",
    repaired,
    task="classification",
    symptom=Figure(sided(0.0), at_most=0.3),
    reaches=Figure(sided(0.0), at_least=0.9),
    equivalents=("loss-sign",),
)
