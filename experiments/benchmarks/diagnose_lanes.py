"""What the verdicts on a sweep's lanes cost, beside the sweep: 64 cells of a 784-30-10 network.

    python -m experiments.benchmarks.diagnose_lanes [REPETITIONS]

Each repetition trains the grid of ``nielsen_digits``'s network for one epoch, as short a
sweep as one would look at, and judges its cells. Prints the medians of the seconds and
their ratio.
"""

from __future__ import annotations

import statistics
import sys
import time

from experiments import _contract
from jaxnets import sweep
from jaxnets.diagnose import diagnose_lanes
from jaxnets.sweep import Plan

NUM_CELLS = 64
NUM_STEPS = 400


def planned() -> Plan:
    """A grid of rates; some diverge or make no progress, so that all kinds of verdicts are given."""
    experiment = _contract.load("nielsen_digits")
    trial = experiment.trial(experiment.Hparams(), experiment.Settings(num_steps=NUM_STEPS))
    return sweep.plan(trial, sweep.Grid(learning_rate=sweep.log(0.01, 1e4, NUM_CELLS)))


def seconds(plan: Plan) -> tuple[float, float]:
    """Of the sweep, and of the verdicts."""
    begun = time.perf_counter()
    result = sweep.run(plan)
    trained = time.perf_counter()
    diagnose_lanes(result)
    return trained - begun, time.perf_counter() - trained


def main(words: list[str]) -> None:
    """Prints a line."""
    plan = planned()
    sweep.run(plan)
    taken = [seconds(plan) for _ in range(int(words[0]) if words else 7)]
    trained, judged = map(statistics.median, zip(*taken, strict=True))
    print(f"sweep {trained:.3f} s   verdicts {judged:.4f} s   overhead {judged / trained:.3%}")


if __name__ == "__main__":
    main(sys.argv[1:])
