"""Other processes, devices and workers give the same bits; memory is what was forecast. Before a release."""

import functools
import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor

import jax
import numpy as np
import optax
import pytest
import test_sweep as base
from kinds_of_learners import KINDS, RATES, classifier

from experiments.benchmarks import sweep_forecasts
from jaxnets import models, sweep
from jaxnets.sweep import Grid
from jaxnets.sweep import part as parts
from jaxnets.sweep.lanes import Candidate

PRINTED = """
import sys
sys.path.insert(0, {tests!r})
import jax, test_trust_processes as t
t.{name}({arguments})
"""


def print_bits(kinds, counts):
    """A line for each kind and number of devices: all bits of a sweep."""
    for kind in kinds:
        for count in counts:
            make, rows = KINDS[kind]
            options = {"num_steps": 6, "batch_size": 8, "lanes": 2, "devices": jax.devices()[:count]}
            result = sweep.run(sweep.plan(make, Grid(rate=RATES), rows, **options))
            print(kind, result.history["loss"].tobytes().hex(), result.columns["step"].tolist())


def printed(name, *arguments, **environment):
    """What a process of its own prints, line by line."""
    code = PRINTED.format(
        tests=os.path.dirname(__file__), name=name, arguments=", ".join(map(repr, arguments))
    )
    environment = os.environ | {"PYTHONPATH": os.getcwd()} | environment
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    ).stdout.splitlines()


@pytest.mark.release
def test_every_process_gives_the_same_bits():
    """Ten; two are compared in the suite where a sweep is killed."""
    assert len({*(line for _ in range(10) for line in printed("print_bits", ["dropout"], [1]))}) == 1


@pytest.mark.release
@pytest.mark.parametrize("kind", ["mlp", "momentum", "schedule", "batch norm", "dropout", "cnn", "adam"])
def test_the_number_of_devices_changes_no_bit(kind):
    """1, 2, 4 and 8: 28 sweeps; one kind is in the suite."""
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=8", "NPROC": "8"}
    lines = printed("print_bits", [kind], [1, 2, 4, 8], **flags)
    assert len(lines) == 4
    assert len(set(lines)) == 1


@pytest.mark.release
@pytest.mark.parametrize("num_workers", [1, 2, 4])
def test_the_number_of_workers_changes_no_bit(tmp_path, num_workers):
    """Four sweeps each, of chunks of other sizes; a pool of two is looked at in the suite."""
    with ProcessPoolExecutor(num_workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        for chunk_size in (1, 2, 3, 5):
            plan = sweep.plan(base.TRIAL, base.GRID, seeds=2, lanes=1, chunk_size=chunk_size)
            folder = tmp_path / str(chunk_size)
            shared = sweep.run(plan, folder, workers=pool, num_workers=num_workers)
            assert base.same(shared, sweep.run(plan))


def print_ratios(batch_size):
    """Bytes measured by those forecast, of nets so large that what every process needs is a small part."""
    rows = (np.ones((1000, 784), np.float32), np.arange(1000) % 10)
    options = {"num_steps": 2, "evaluate_every": 1, "batch_size": batch_size}
    parts.measured = lambda program, *given: Candidate(program, 1.0, 0.0)
    for lanes, width in ((1, 64), (1, 6144), (8, 1024), (64, 256)):
        make = classifier(models.MLP((width,), 10), functools.partial(optax.sgd, momentum=0.9))
        plan = sweep.plan(make, Grid(rate=sweep.log(0.001, 0.1, 64)), rows, lanes=lanes, **options)
        measured = sweep_forecasts.grown(plan)
        if width > 64:  # the first one touches the pages of code
            print(measured / plan.parts[0].program.num_bytes)


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells a process's peak")
@pytest.mark.release
@pytest.mark.parametrize("batch_size", [16, 32, 64, 256])
def test_memory_is_forecast_within_a_tenth(batch_size):
    """1, 8 and 64 lanes: 3 programs here, 12 before a release, of 100 MB and more."""
    ratios = [*map(float, printed("print_ratios", batch_size))]
    assert len(ratios) == 3
    assert all(0.9 < ratio < 1.1 for ratio in ratios), ratios
