"""What neighbours that diverge, or that compute with denormal numbers, cost a chunk: nothing.

    python -m experiments.benchmarks.sweep_isolation

64 cells side by side: all healthy; 16 of them with rates that diverge; 16 with weights so small that all
their products are denormal. Each is timed seven times in turn; the ratios are of the medians.
"""

from __future__ import annotations

import statistics
import time
from typing import NamedTuple

import flax.linen as nn
import jax
import numpy as np
import optax

from jaxnets import data, losses, sweep
from jaxnets.learner import Learner, gradient

TIMES = 7
NUM_CELLS, NUM_ILL = 64, 16


class Hparams(NamedTuple):
    """What makes a cell ill."""

    learning_rate: float = 0.1
    scale: float = 1.0


class Network(nn.Module):
    """784-128-10, its first weights multiplied by a number."""

    scale: float

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Scores of the classes."""
        hidden = nn.relu(self.scale * nn.Dense(128)(x.reshape(len(x), -1)))
        return nn.Dense(10)(hidden)


def learner(hparams: Hparams) -> Learner:
    """By plain SGD."""
    model = Network(hparams.scale)
    return gradient(model, losses.softmax_cross_entropy, optax.sgd(hparams.learning_rate))


def plan_with(rate: float, scale: float) -> sweep.Plan:
    """64 cells, 16 of which, spread among the others, have this rate and this scale."""
    rates, scales = np.geomspace(0.01, 0.1, NUM_CELLS), np.ones(NUM_CELLS)
    ill = slice(None, None, NUM_CELLS // NUM_ILL)
    rates[ill], scales[ill] = rate * (1 + np.arange(NUM_ILL) / 100), scale
    grid = sweep.Grid.zip(learning_rate=rates.tolist(), scale=scales.tolist())
    digits = data.load("mnist5k").replace(test=None)
    run = {"num_steps": 200, "batch_size": 64, "hparams": Hparams()}
    return sweep.plan(learner, grid, digits, lanes=NUM_CELLS, **run)


def main() -> None:
    """Prints the median of each and its ratio to the healthy one's."""
    plans = {
        "healthy": plan_with(0.05, 1.0),
        "16 diverge": plan_with(1e6, 1.0),
        "16 denormal": plan_with(0.05, 1e-39),
    }
    times: dict[str, list[float]] = {name: [] for name in plans}
    for _ in range(TIMES):
        for name, plan in plans.items():
            begun = time.perf_counter()
            result = sweep.run(plan)
            times[name].append(time.perf_counter() - begun)
            if name == "16 diverge" and (result.columns["status"] == "diverged").sum() != NUM_ILL:
                raise SystemExit("not 16 cells have diverged")
    healthy = statistics.median(times["healthy"])
    for name, taken in times.items():
        median = statistics.median(taken)
        print(f"{name:12} {median:.3f} s  ratio {median / healthy:.3f}")


if __name__ == "__main__":
    main()
