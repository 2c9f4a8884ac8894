"""What a diagnosis of an MNIST-sized network takes, and how much of it is compiling.

    python -m experiments.benchmarks.diagnose_report

784-128-10 in batches of 128; nothing is compiled before, and the persistent compilation cache is off. First
the pure probes alone (no training, no proof), then the whole report. Seconds of tracing, lowering and
compiling are those that jax tells; what is left is the measurements themselves.
"""

from __future__ import annotations

import collections
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jaxnets import data, losses, models
from jaxnets.diagnose import Problem, Report, diagnose
from jaxnets.diagnose.rules import rules

TRAINING = ("architecture", "run", "step")
"""Families that train, if briefly."""
STAGES = ("jaxpr_trace_duration", "jaxpr_to_mlir_module_duration", "backend_compile_duration")


def problem() -> Problem:
    """A classifier of digits by plain gradient descent."""
    digits = data.load("mnist5k")
    model = models.MLP((128,), 10)
    rows = (np.asarray(digits.train.inputs), np.asarray(digits.train.targets))

    def loss(params: Any, inputs: Any, targets: Any) -> jax.Array:
        return losses.softmax_cross_entropy(model.apply(params, inputs), targets).mean()

    return Problem(
        lambda key: model.init(key, rows[0][:2]), model.apply, loss, rows,
        learning_rate=0.1, batch_size=128, num_steps=1000, output="logits",
    )  # fmt: skip


def main() -> None:
    """Prints a line each for the probes and the whole report."""
    spent: dict[str, float] = collections.defaultdict(float)

    def told(event: str, seconds: float, **_: Any) -> None:
        spent[event.rpartition("/")[2]] += seconds

    jax.monitoring.register_event_duration_secs_listener(told)
    training = [name for name, rule in rules().items() if rule.__module__.rpartition(".")[2] in TRAINING]
    ways: dict[str, Callable[[], Report]] = {
        "pure probes": lambda: diagnose(problem(), jax.random.key(0), mute=training, proves=False),
        "whole report": lambda: diagnose(problem(), jax.random.key(0)),
    }
    for name, way in ways.items():
        jax.clear_caches()
        spent.clear()
        begun = time.perf_counter()
        report = way()
        seconds, compiling = time.perf_counter() - begun, sum(spent[stage] for stage in STAGES)
        rules_found = ", ".join(one.rule for one in report.findings) or "nothing found"
        print(f"{name:12} {seconds:5.1f} s, {seconds - compiling:4.1f} s after compiling; {rules_found}")


if __name__ == "__main__":
    main()
