"""Sweeps: lanes are lone runs, neighbours change no bit, what diverged is never best."""

import dataclasses
import json
import os
import subprocess
import sys
from typing import Annotated, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import small_sweep

from jaxnets import data, gradient, losses, models, sweep, train
from jaxnets.check import NON_NEGATIVE, InputError
from jaxnets.metrics import classification
from jaxnets.sweep import Grid
from jaxnets.sweep.trial import Trial, complete

DATA = data.load("iris", valid_fraction=0.2)


class Hparams(NamedTuple):
    learning_rate: Annotated[float, NON_NEGATIVE] = 0.1
    momentum: float = 0.0


class Settings(NamedTuple):
    num_steps: int = 50
    batch_size: int = 16
    evaluate_every: int = 20
    num_hidden: int = 8
    num_classes: int | None = None


def learner(hparams, settings):
    network = models.MLP((settings.num_hidden,), settings.num_classes)
    return gradient(
        network, losses.softmax_cross_entropy, optax.sgd(hparams.learning_rate, momentum=hparams.momentum)
    )


def iris(settings):
    return DATA


TRIAL = Trial("iris", learner, Hparams(), Settings(), iris, classification)
RATES = [0.01, 0.03, 0.1, 0.3, 1.0]
GRID = Grid(learning_rate=RATES)


@pytest.fixture(scope="module")
def planned():
    return sweep.plan(TRIAL, GRID, seeds=2, lanes=4)


@pytest.fixture(scope="module")
def result(planned):
    return sweep.run(planned)


def lone(rate, seed, **changes):
    settings = complete(Settings(**changes), DATA)
    one = learner(Hparams(rate, jnp.float32(0)), settings)
    return train.run(
        jax.random.key(seed), one, DATA, num_steps=settings.num_steps, batch_size=16, evaluate_every=20,
        metrics=classification,
    )  # fmt: skip


def same(one, other, cells=slice(None)):
    """Whether two results agree in every bit."""
    for mine, theirs in ((one.columns, other.columns), (one.history, other.history)):
        for name in set(mine) - {"cell"}:
            a, b = mine[name][cells], theirs[name][cells]
            if not np.array_equal(a, b, equal_nan=a.dtype.kind == "f"):
                return False
    return True


def test_the_plan_says_what_it_takes(planned):
    text = str(planned)
    assert "10 cells = 5 points x 2 seeds, 1 static combination, 1 compilation" in text
    assert "4 lanes" in text
    assert planned.num_cells == 10
    assert planned.seconds > 0
    (part,) = planned.parts
    assert part.program.num_bytes > 0
    assert sorted(np.concatenate(part.chunks)) == [*range(10)]
    assert part.num_batches == 3


def test_lanes_are_the_lone_runs(result):
    run = jax.jit(lone, static_argnums=())
    for cell, (rate, seed) in enumerate((rate, seed) for rate in RATES for seed in (0, 1)):
        alone = run(jnp.float32(rate), seed)
        assert result.columns["learning_rate"][cell] == rate
        assert result.columns["seed"][cell] == seed
        for name in ("loss", "valid_accuracy"):
            np.testing.assert_allclose(result.history[name][cell], alone.history[name], rtol=1e-5)
    assert (result.steps == [20, 40, 50]).all()


def test_a_lane_alone_is_the_lone_run_bit_for_bit():
    result = sweep.run(sweep.plan(TRIAL, Grid(learning_rate=[0.1]), lanes=1))
    alone = jax.jit(lone)(jnp.float32(0.1), 0)
    for name, values in result.history.items():
        np.testing.assert_array_equal(values[0], alone.history[name])
    test = classification(
        learner(Hparams(), complete(Settings(), DATA)).predict(alone.state, DATA.test.inputs),
        DATA.test.targets,
    )
    assert result.columns["test_accuracy"][0] == np.float32(test["accuracy"])


def test_neighbours_that_diverge_change_no_bit(planned, result):
    spoiled = sweep.run(sweep.plan(TRIAL, Grid(learning_rate=[0.01, 1e30, 0.1, 3e37, 1.0]), seeds=2, lanes=4))
    kept = [0, 1, 4, 5, 8, 9]
    assert same(result, spoiled, kept)
    lost = spoiled.columns["status"] == "diverged"
    assert lost.tolist() == [cell in (2, 3, 6, 7) for cell in range(10)]
    assert (spoiled.columns["step"][lost] < 5).all()
    best = spoiled.best("valid_accuracy")
    assert best.left_out == 2
    assert best.point["learning_rate"] in (0.01, 0.1, 1.0)
    assert np.isfinite(best.mean)
    with pytest.raises(InputError, match="none of 1 points"):
        sweep.run(sweep.plan(TRIAL, Grid(learning_rate=[1e30]), lanes=4)).best("loss")


def test_what_has_ended_has_the_same_entries_whoever_goes_on(planned):
    """The first entry ends with all four lanes diverged, or with one of them."""
    (part,) = planned.parts
    rates, tables = part.group.hparams.learning_rate, []
    for lost in (np.full(10, True), np.arange(10) == 4):
        hparams = part.group.hparams._replace(learning_rate=np.where(lost, np.float32(1e30), rates))
        tables.append(sweep.run(dataclasses.replace(planned, parts=(part.with_hparams(hparams),))))
    assert tables[0].columns["status"].tolist() == ["diverged"] * 10
    assert same(*tables, [4])
    assert np.isfinite(tables[0].history["valid_accuracy"]).all()


def test_the_chunk_that_a_cell_falls_in_changes_no_bit(result):
    """Other companions, other slots, another number of cells to fill up with."""
    reordered = sweep.run(sweep.plan(TRIAL, Grid(learning_rate=RATES[::-1][:3]), seeds=[1, 0], lanes=4))
    for cell in range(6):
        rate, seed = (reordered.columns[name][cell] for name in ("learning_rate", "seed"))
        there = int(
            np.flatnonzero((result.columns["learning_rate"] == rate) & (result.columns["seed"] == seed))[0]
        )
        for name, values in reordered.history.items():
            np.testing.assert_array_equal(values[cell], result.history[name][there])


def test_static_names_compile_once_a_combination():
    grid = Grid(num_steps=[20, 40], learning_rate=[0.1, 0.3])
    plan = sweep.plan(TRIAL, grid, lanes=2)
    assert len(plan.parts) == plan.compilations == 2
    result = sweep.run(plan)
    assert result.columns["num_steps"].tolist() == [20, 20, 40, 40]
    assert np.isnan(result.history["loss"][[0, 1], 1]).all()
    assert np.isfinite(result.columns["loss"]).all()
    np.testing.assert_allclose(
        result.columns["loss"][2],
        jax.jit(lambda rate: lone(rate, 0, num_steps=40))(0.1).history["loss"][-1],
        rtol=1e-5,
    )


def test_nothing_is_compiled_while_it_runs(planned, result):
    events = []
    jax.monitoring.register_event_duration_secs_listener(lambda name, *rest, **more: events.append(name))
    try:
        assert same(sweep.run(planned), result)
    finally:
        jax.monitoring.clear_event_listeners()
    assert not [name for name in events if "backend_compile" in name]


def test_many_seeds_of_few_points_run_side_by_side():
    plan = sweep.plan(TRIAL, Grid(learning_rate=[0.1]), seeds=4, lanes=4)
    (part,) = plan.parts
    assert not part.shares_seed
    assert part.num_batches == 1
    result = sweep.run(plan)
    assert len(set(result.columns["loss"].tolist())) == 4
    table = result.over_seeds("loss")
    losses = result.columns["loss"]
    np.testing.assert_allclose(table["mean"], losses.mean(), rtol=1e-6)
    half = 3.182446 * losses.std(ddof=1) / 2  # Student's t of three degrees of freedom
    np.testing.assert_allclose(table["high"] - table["mean"], half, rtol=1e-5)


def test_the_table_has_a_row_a_cell(result, tmp_path):
    frame = result.to_pandas()
    assert [*frame.columns[:5]] == ["cell", "learning_rate", "seed", "status", "step"]
    assert result.metrics == [*frame.columns[5:]]
    assert {"loss", "valid_accuracy", "test_accuracy"} <= set(result.metrics)
    result.to_csv(tmp_path / "table.csv")
    lines = (tmp_path / "table.csv").read_text().splitlines()
    assert len(lines) == 11
    with pytest.raises(InputError, match="unknown metric 'los'"):
        result.best("los")


def test_the_best_point_is_that_of_the_means(result):
    by_rate = result.columns["loss"].reshape(5, 2).mean(axis=1)
    best = result.best("loss")
    assert best.point == {"learning_rate": RATES[int(by_rate.argmin())]}
    assert best.mean == pytest.approx(by_rate.min())
    assert result.best("loss", lowest=False).mean == pytest.approx(by_rate.max())


def test_a_heatmap_hatches_what_diverged():
    grid = Grid(learning_rate=[0.1, 1e30], momentum=[0.0, 0.5, 0.9])
    result = sweep.run(sweep.plan(TRIAL, grid, lanes=3))
    axes = result.heatmap("learning_rate", "momentum", "valid_accuracy").axes[0]
    shown = np.ma.getmaskarray(axes.images[0].get_array())
    assert shown.tolist() == [[False, True]] * 3
    assert axes.get_xlabel() == "learning rate"


def test_a_function_is_enough():
    def make(hparams, width=4):
        return gradient(models.MLP((width,), 3), losses.softmax_cross_entropy, optax.adam(hparams.rate))

    plan = sweep.plan(make, Grid(rate=[0.01, 0.1]), DATA, num_steps=10, metrics=classification)
    assert set(sweep.run(plan).metrics) == {"loss", "valid_accuracy", "test_accuracy"}


def test_own_final_numbers_are_those_of_each_cell():
    def evaluate(learner, state, dataset):
        return {"norm": optax.tree_utils.tree_norm(state.params)}

    result = sweep.run(sweep.plan(TRIAL._replace(metrics=None, evaluate=evaluate), GRID, lanes=4))
    expected = [
        optax.tree_utils.tree_norm(jax.jit(lone)(jnp.float32(rate), 0).state.params) for rate in RATES
    ]
    np.testing.assert_allclose(result.columns["norm"], expected, rtol=1e-5)


DEVICES = """
import sys
sys.path.insert(0, {tests!r})
import pathlib, numpy as np, jax, test_sweep as t
from jaxnets import sweep
assert jax.device_count() == 8
out = pathlib.Path({out!r})
for devices in (slice(1), slice(8), slice(3, 4)):
    plan = sweep.plan(t.TRIAL, t.GRID, seeds=2, lanes=2, devices=jax.devices()[devices])
    found = sweep.run(plan)
    print(found.history["loss"].tobytes().hex(), found.columns["test_accuracy"].tobytes().hex())
    halved = sweep.halve(plan, "valid_accuracy", out=out, resume=devices != slice(1), keep_lanes=True)
    print(halved.damaged, *sorted(path.stat().st_mtime_ns for path in (out / "chunks").iterdir()))
"""


def test_the_number_of_devices_changes_no_bit(tmp_path):
    """Nor which files a halving has: another number of devices goes on with them."""
    flags = "--xla_force_host_platform_device_count=8"
    environment = small_sweep.environment(XLA_FLAGS=flags, NPROC="8")
    done = subprocess.run(
        [sys.executable, "-c", DEVICES.format(tests=os.path.dirname(__file__), out=str(tmp_path))],
        env=environment, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    bits = done.stdout.splitlines()
    assert len(bits) == 6
    assert len(set(bits[::2])) == len(set(bits[1::2])) == 1
    assert bits[1].startswith("[] ")


def test_the_manifest_names_all_that_the_numbers_depend_on(planned, tmp_path):
    sweep.run(planned, tmp_path / "out")
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    for name in (
        "code",
        "versions",
        "device",
        "threads",
        "precision",
        "hparams",
        "settings",
        "points",
        "seeds",
    ):
        assert name in manifest
    assert {"data", "lanes", "shares_seed"} <= set(manifest["parts"]["0"])
