"""The rare class is drawn again until the classes are even, and only then the rows are split.

Source: a data-science site, "0.95 on my test rows, a coin's toss in production".
Symptom: the score on the test rows is far higher than the noise of the labels allows.
"""

from __future__ import annotations

import flax.linen as nn
import numpy as np
import optax

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import accuracy, outputs
from experiments.faults._networks import cross_entropy, of_module
from jaxnets.diagnose import Problem


class Net(nn.Module):
    """Of two hidden layers."""

    @nn.compact
    def __call__(self, x):
        for width in (64, 64):
            x = nn.relu(nn.Dense(width)(x))
        return nn.Dense(2)(x)


def customers():
    """One in six leaves, which eight columns say in part."""
    rng = np.random.default_rng(40)
    x = rng.normal(size=(900, 8))
    score = 1.6 * x[:, 0] - 1.2 * x[:, 1] + 0.9 * x[:, 2] + 1.2 * rng.normal(size=900)
    return x.astype(np.float32), (score > np.quantile(score, 5 / 6)).astype(np.int32)


def evened(x, y, rng):
    """The rare class drawn again and again."""
    rare = np.flatnonzero(y == 1)
    more = rng.choice(rare, (y == 0).sum() - len(rare))
    rows = rng.permutation(np.concatenate([np.arange(len(y)), more]))
    return x[rows], y[rows]


def problem(before) -> Problem:
    """Either."""
    x, y = customers()
    rng = np.random.default_rng(41)
    if before:
        x, y = evened(x, y, rng)
    order = rng.permutation(len(x))
    kept, held = np.split(order, [int(0.7 * len(x))])
    train, test = (x[kept], y[kept]), (x[held], y[held])
    if not before:
        train = evened(*train, rng)
    return of_module(
        Net(),
        cross_entropy,
        train,
        test=test,
        optimizer=optax.adamw(1e-3, weight_decay=1e-2),
        batch_size=50,
        num_steps=300,
    )


def broken() -> Problem:
    """As it was written."""
    return problem(True)


def repaired() -> Problem:
    """Mended."""
    return problem(False)


def recall(problem, params) -> float:
    """Of those who leave."""
    found = outputs(problem, params).argmax(1)
    return float(found[problem.test.targets == 1].mean())


FAULT = Fault(
    broken,
    "leaking-split",
    repaired,
    task="classification",
    symptom=Figure(recall, at_least=0.87),
    reaches=Figure(accuracy, at_least=0.78),
)
