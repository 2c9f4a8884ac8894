"""Successive halving and Hyperband: their time against the share of the steps that they make.

    python -m experiments.benchmarks.sweep_halving

81 learning rates, the whole sweep and the halved one from the same plan. The ideal time is the whole sweep's,
times the share of the steps that are made; the ratio is of the measured to the ideal time.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import flax.linen as nn

from experiments.benchmarks.sweep_modes import network, rates
from jaxnets import data, models, sweep
from jaxnets.sweep import Plan, SweepResult

NETWORKS = {
    "784-30-10, batch 10": (models.MLP((30,), 10, activation=nn.sigmoid), 10, 8100),
    "784-128-10, batch 128": (models.MLP((128,), 10), 128, 2430),
}


def seconds(train: Callable[[], SweepResult]) -> tuple[float, SweepResult]:
    """Of a sweep, and what came out."""
    begun = time.perf_counter()
    result = train()
    return time.perf_counter() - begun, result


def compare(name: str, plan: Plan) -> None:
    """Prints a line for each way to stop early."""
    whole, every = seconds(lambda: sweep.run(plan))
    made = every.columns["step"].sum()
    print(f"{name}: {plan.num_cells} cells, {plan.parts[0].program.lanes} lanes, {whole:.1f} s", flush=True)
    for way in (sweep.halve, sweep.hyperband):
        taken, halved = seconds(lambda way=way: way(plan, "loss"))
        share = halved.columns["step"].sum() / made
        ratio = taken / (share * whole)
        print(f"  {way.__name__:9} {share:.3f} of the steps, {taken:.1f} s, ratio {ratio:.2f}", flush=True)


def main() -> None:
    """Both networks."""
    digits = data.load("mnist5k").replace(test=None)
    for name, (model, batch_size, num_steps) in NETWORKS.items():
        plan = sweep.plan(
            network(model), rates(81), digits,
            num_steps=num_steps, batch_size=batch_size, evaluate_every=num_steps // 81,
        )  # fmt: skip
        compare(name, plan)


if __name__ == "__main__":
    main()
