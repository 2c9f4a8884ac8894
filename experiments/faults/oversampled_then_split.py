"""Rare defaults of loans: they are drawn with replacement up to balance, and the split comes afterwards.

Source: a competition's forum, "0.97 at home and 0.8 on the leaderboard".
Symptom: the test score is far better than on new customers; most rare test rows are training rows.
"""

from __future__ import annotations

import numpy as np
import optax

from experiments.faults._fault import Fault, Figure
from experiments.faults._figures import accuracy
from experiments.faults._networks import cross_entropy, dense, forward, supervised
from jaxnets.diagnose import Problem


def _balanced(rng, x, y):
    rare, common = np.flatnonzero(y == 1), np.flatnonzero(y == 0)
    rows = np.concatenate([common, rng.choice(rare, len(common))])
    rows = rng.permutation(rows)
    return x[rows], y[rows]


def problem(split_first: bool) -> Problem:
    """A rare class, balanced by repetition."""
    rng = np.random.default_rng(17)
    y = (rng.random(1000) < 0.12).astype(int)
    x = rng.normal(size=(1000, 6)) + y[:, None] * np.array([1.5, -1.5, 1.2, 0, 0.8, 0])
    if split_first:
        train, test = _balanced(rng, x[:750], y[:750]), (x[750:], y[750:])
    else:
        x, y = _balanced(rng, x, y)
        cut = 3 * len(y) // 4
        train, test = (x[:cut], y[:cut]), (x[cut:], y[cut:])
    return supervised(
        lambda key: dense(key, (6, 12, 2)),
        forward,
        cross_entropy,
        train,
        test=test,
        optimizer=optax.adam(0.003),
        batch_size=60,
        num_steps=300,
    )


def broken() -> Problem:
    """Balanced, then split."""
    return problem(False)


def repaired() -> Problem:
    """Split, then balanced."""
    return problem(True)


def _known(problem, params):
    """Share of the test rows that are training rows."""
    train = {row.tobytes() for row in problem.data.inputs}
    return float(np.mean([row.tobytes() in train for row in problem.test.inputs]))


FAULT = Fault(
    broken,
    "leaking-split",
    repaired,
    task="classification",
    symptom=Figure(_known, at_least=0.3),
    reaches=Figure(accuracy, at_least=0.85),
)
