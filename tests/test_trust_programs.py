"""One program a sweep, and what it computes is what a loop in NumPy does.

A few comparisons in the suite, the rest before a release; the controls at the end are noticed.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from kinds_of_learners import IRIS, KINDS, RATES, of_cells, trained
from line_sweep import line

from jaxnets import sweep, train
from jaxnets.sweep import Grid

MANY = pytest.mark.release


def compiled_in(make, grid, **options):
    """How many programs a sweep of five chunks asks for, from plan to table, and how many a cache had."""
    events, rows = [], jax.tree.map(jnp.asarray, IRIS)  # copying them is a program of jax's own
    jax.monitoring.register_event_duration_secs_listener(lambda name, *rest, **more: events.append(name))
    try:
        plan = sweep.plan(make, grid, rows, num_steps=5, lanes=1, chunk_size=1, **options)
        sweep.run(plan)
    finally:
        jax.monitoring.clear_event_listeners()
    assert {len(part.chunks) for part in plan.parts} == {5}
    return len([name for name in events if name.endswith("backend_compile_duration")]), len(
        [name for name in events if name.endswith("cache_retrieval_time_sec")]
    )


def mean_of_rows(hparams):
    """What is compiled soonest."""
    return line(hparams, None)


@pytest.mark.parametrize("num_sizes", [1, pytest.param(4, marks=MANY)])
def test_a_sweep_of_five_chunks_compiles_one_program(num_sizes, cold_cache):
    """Three kinds here, each with four sizes of a batch before a release; a warm cache leaves none."""
    for batch_size in range(7, 7 + num_sizes):
        for make in (mean_of_rows, KINDS["momentum"][0], KINDS["dropout"][0]):
            sweep_of = functools.partial(compiled_in, make, Grid(rate=RATES[:5]), batch_size=batch_size)
            assert sweep_of() == (1, 0)
            if make is mean_of_rows:
                assert sweep_of() == (1, 1)


def by_hand(rate, weights, rows, *, momentum=0.9, num_steps=20, batch_size=8):
    """A hidden layer, softmax and their gradients in plain NumPy: batches in the order of the rows."""
    x, labels, (b1, w1, b2, w2) = np.float64(rows.inputs), np.eye(3)[rows.targets], map(np.float64, weights)
    speeds = [0.0] * 4
    for step in range(num_steps):
        some = np.arange(step * batch_size, (step + 1) * batch_size) % len(x)
        z = x[some] @ w1 + b1
        a = np.maximum(z, 0)
        powers = np.exp(a @ w2 + b2)
        error = (powers / powers.sum(axis=1, keepdims=True) - labels[some]) / batch_size
        back = error @ w2.T * (z > 0)
        slopes = [back.sum(0), x[some].T @ back, error.sum(0), a.T @ error]
        speeds = [momentum * speed + slope for speed, slope in zip(speeds, slopes)]
        b1, w1, b2, w2 = (old - rate * speed for old, speed in zip((b1, w1, b2, w2), speeds))
    return b1, w1, b2, w2


@pytest.fixture(scope="module")
def in_order():
    make, rows = KINDS["momentum"]
    options = {"num_steps": 20, "batch_size": 8, "sampling": "sequential", "lanes": 5}
    return sweep.plan(make, Grid(rate=[0.003, 0.01, 0.02, 0.03, 0.05]), rows, **options)


def farthest_from_a_loop(plan, seed, **options):
    """The largest difference of a weight of five cells from that of a loop in NumPy."""
    (part,) = of_cells(plan, plan.grid, [seed]).parts
    found = trained(part, range(5), (20,))
    make, rows = KINDS["momentum"]
    start = train.run(jax.random.key(seed), make(part.group.hparams), rows, num_steps=0)
    return max(
        np.abs(found[f"run/{number}"][cell] - weight).max()
        for cell, rate in enumerate(part.group.hparams.rate)
        for number, weight in enumerate(
            by_hand(rate, jax.tree.leaves(start.state.params), rows.train, **options)
        )
    )


@pytest.mark.parametrize("num_seeds", [1, pytest.param(6, marks=MANY)])
def test_twenty_steps_are_those_of_a_loop_in_numpy(in_order, num_seeds):
    """Five rates here, with six seeds before a release."""
    for seed in range(num_seeds):
        assert farthest_from_a_loop(in_order, seed) < 1e-5


def test_control_another_momentum_is_noticed(in_order):
    assert farthest_from_a_loop(in_order, 0, momentum=0.89) > 1e-4


def test_control_a_second_program_is_counted():
    grid = Grid(rate=RATES[:5], batch_size=[7, 9])
    asked, _ = compiled_in(mean_of_rows, grid)
    assert asked == 2
