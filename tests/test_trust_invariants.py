"""What a cell's numbers do not depend on: neighbours, slots, padding, cuts, devices, processes, caches.

Each test makes a few of its comparisons in the suite and the rest before a release. The controls at the end
break the promises on purpose: the comparisons notice.
"""

import dataclasses
import functools
import multiprocessing
import os
import random
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import test_sweep as base

from experiments.benchmarks import sweep_forecasts
from jaxnets import data, gradient, layers, losses, models, sweep, train
from jaxnets.data import synthetic
from jaxnets.sweep import Grid
from jaxnets.sweep import part as parts
from jaxnets.sweep import way as ways
from jaxnets.sweep.cells import groups
from jaxnets.sweep.fields import resolved
from jaxnets.sweep.lanes import Candidate
from jaxnets.types import Batch

NUM_STEPS = 24
RATES = [0.003, 0.01, 0.02, 0.03, 0.05, 0.1, 1e30, 3e38]
HEALTHY = range(6)
IRIS = data.load("iris").replace(test=None)
random_rows = np.random.default_rng(0)
IMAGES = Batch(random_rows.normal(size=(20, 6, 6, 1)).astype(np.float32), np.arange(20) % 3)
SERIES = Batch(random_rows.normal(size=(20, 5, 2)).astype(np.float32), np.arange(20) % 3)
LINE = Batch(IRIS.train.inputs, IRIS.train.inputs.sum(axis=1, keepdims=True))


class Normed(nn.Module):
    """A network with batch statistics."""

    @nn.compact
    def __call__(self, x, train: bool):
        x = nn.BatchNorm(use_running_average=not train)(nn.Dense(6, use_bias=False)(x))
        return nn.Dense(3)(nn.relu(x))


class Dropped(nn.Module):
    """A network with dropout."""

    @nn.compact
    def __call__(self, x, train: bool):
        return nn.Dense(3)(layers.Dropout(0.3)(nn.relu(nn.Dense(6)(x)), train))


class Convolved(nn.Module):
    """A small convolutional network."""

    @nn.compact
    def __call__(self, x):
        return nn.Dense(3)(nn.relu(nn.Conv(4, (3, 3))(x)).reshape(len(x), -1))


class Recurrent(nn.Module):
    """A recurrent network that reads the state at the end of a sequence."""

    @nn.compact
    def __call__(self, x):
        return nn.Dense(3)(nn.RNN(nn.SimpleCell(4))(x)[:, -1])


def classifier(model, optimizer=optax.sgd):
    return lambda hparams: gradient(model, losses.softmax_cross_entropy, optimizer(hparams.rate))


def decaying(rate):
    return optax.sgd(optax.cosine_decay_schedule(rate, NUM_STEPS))


def gibbs(hparams):
    """A sampler whose loss, and nothing else, is multiplied: a rate of 1 leaves it, 1e38 lets it diverge."""
    sampler = models.bpmf(num_users=6, num_items=5, rank=2, num_samples=4)

    def step(key, state, batch):
        state, metrics = sampler.step(key, state, batch)
        return state, {"loss": 1e3 * hparams.rate * metrics["loss"]}

    return sampler._replace(step=step)


KINDS = {
    "mlp": (classifier(models.MLP((6,), 3)), IRIS),
    "momentum": (classifier(models.MLP((6,), 3), functools.partial(optax.sgd, momentum=0.9)), IRIS),
    "adam": (classifier(models.MLP((6,), 3), optax.adam), IRIS),
    "schedule": (classifier(models.MLP((6,), 3), decaying), IRIS),
    "dropout": (classifier(Dropped()), IRIS),
    "batch norm": (classifier(Normed()), IRIS),
    "cnn": (classifier(Convolved()), IMAGES),
    "rnn": (classifier(Recurrent()), SERIES),
    "gibbs": (gibbs, synthetic.low_rank_ratings(
        jax.random.key(1), num_users=6, num_items=5, num_examples=25, rank=2
    )),
    "line": (lambda hparams: gradient(nn.Dense(1), losses.squared_error, optax.sgd(hparams.rate)), LINE),
}  # fmt: skip


@functools.cache
def plan_of(kind, lanes):
    """Eight cells, two of which diverge at once; compiled once for all tests."""
    make, rows = KINDS[kind]
    return sweep.plan(make, Grid(rate=RATES), rows, num_steps=NUM_STEPS, batch_size=8, lanes=lanes)


def of_cells(plan, grid, seeds=None):
    """The plan of other cells, trained by the program that there is."""
    (part,), grid = plan.parts, resolved(plan.trial, grid)
    seeds = seeds or [*plan.seeds]
    (group,) = groups(plan.trial, grid, seeds)
    return dataclasses.replace(plan, grid=grid, seeds=tuple(seeds), parts=(part._replace(group=group),))


def trained(part, batch, stops=(NUM_STEPS,)):
    """A batch's arrays at its end; at each stop it is laid down as arrays and taken up again."""
    way = ways.begun(part.program)
    for stop in stops:
        while way.step < stop:
            way = part.advanced(np.array(batch), way, stop)
        way = ways.of_arrays(part.program, way.arrays(len(batch)))
    return way.arrays(len(batch))


def lane(arrays, slot):
    """All bits of one cell: its state, its history and its status."""
    return {name: values[slot].tobytes() for name, values in arrays.items() if values.ndim}


def arrangements(lanes, num, seed):
    """Cells side by side, drawn at random, a healthy one in any slot, those that diverge among the others."""
    generator = random.Random(seed)
    for _ in range(num):
        batch = generator.choices(range(len(RATES)), k=lanes)
        slot, cell = generator.randrange(lanes), generator.choice(HEALTHY)
        batch[slot] = cell
        yield batch, slot, cell


def with_neighbours(kind, lanes, num, *, part=None):
    """How many arrangements gave a cell other bits than it has among cells like itself."""
    part = part or plan_of(kind, lanes).parts[0]
    alike = functools.cache(lambda cell: lane(trained(part, [cell] * lanes), 0))
    pairs = [
        (lane(trained(part, batch), slot), alike(cell)) for batch, slot, cell in arrangements(lanes, num, 1)
    ]
    return sum(found != expected for found, expected in pairs)


MANY = pytest.mark.release


@pytest.mark.parametrize(
    ("kind", "lanes", "num"),
    [
        ("mlp", 2, 6), ("mlp", 4, 5), ("mlp", 8, 5),
        *((kind, 4, 4) for kind in ("cnn", "batch norm", "rnn", "dropout", "gibbs")),
        *(
            pytest.param(kind, lanes, 34, marks=MANY)
            for kind in ("mlp", "cnn", "batch norm", "rnn", "dropout", "gibbs")
            for lanes in (2, 4, 8)
        ),
    ],
)  # fmt: skip
def test_neighbours_and_slots_change_no_bit(kind, lanes, num):
    """36 arrangements here, 612 before a release."""
    assert with_neighbours(kind, lanes, num) == 0


@pytest.mark.parametrize(
    ("lanes", "rounds"), [(4, 2), *(pytest.param(lanes, 7, marks=MANY) for lanes in (2, 4, 8))]
)
def test_filling_up_changes_no_bit_and_is_in_no_result(lanes, rounds):
    """Cells modulo lanes are 0, 1 and one less than the lanes: 6 sweeps, 63 before a release."""
    plan = plan_of("mlp", lanes)
    alone = functools.cache(lambda rate: sweep.run(of_cells(plan, Grid(rate=[rate]))).columns["loss"][0])
    for whole in range(1, rounds + 1):
        for rest in (0, 1, lanes - 1):
            rates = np.linspace(0.01, 0.1, whole * lanes + rest).round(6).tolist()
            result = sweep.run(of_cells(plan, Grid(rate=rates)))
            assert result.columns["rate"].tolist() == rates
            for cell in (0, len(rates) - 1):
                assert result.columns["loss"][cell] == alone(rates[cell])


CUTS = [
    [6, 24], [1, 2, 3, 24], [24], [1, 24], [23, 24], [8, 16, 24], [5, 7, 13, 24], [*range(1, 25)],
]  # fmt: skip


@pytest.mark.parametrize("kind", ["mlp", "momentum", "adam", "schedule", "dropout"])
@pytest.mark.parametrize("num_cuts", [2, pytest.param(8, marks=MANY)])
def test_a_run_that_is_cut_has_the_bits_of_the_whole(kind, num_cuts):
    """10 cut runs here, 40 before a release; laid down as arrays and taken up again at each cut."""
    (part,) = plan_of(kind, 4).parts
    whole = trained(part, [5, 0, 6, 2])
    for stops in CUTS[:num_cuts]:
        cut = trained(part, [5, 0, 6, 2], stops)
        for name in whole:
            if not name.startswith("entry/"):  # a cut makes entries of its own
                np.testing.assert_array_equal(cut[name], whole[name])


@pytest.mark.parametrize(
    ("kind", "widths"),
    [
        ("mlp", (2, 4, 8)),
        *(
            pytest.param(kind, (2, 4, 8), marks=MANY)
            for kind in ("mlp", "cnn", "batch norm", "rnn", "dropout", "adam")
        ),
    ],
)
def test_the_number_of_lanes_changes_the_last_bits_alone(kind, widths):
    """Four stable rates by two other widths: 8 losses here, 48 before a release."""
    histories = []
    for lanes in widths:
        plan = of_cells(plan_of(kind, lanes), Grid(rate=RATES[:4]))
        histories.append(sweep.run(plan).history["loss"])
    for other in histories[1:]:
        np.testing.assert_allclose(other, histories[0], rtol=1e-3 if kind == "cnn" else 1e-4)


def spoiled(plan, cell, rate):
    """The plan with another rate for a cell, even one that no grid takes."""
    (part,) = plan.parts
    rates = part.group.hparams.rate.copy()
    rates[cell] = rate
    group = part.group._replace(hparams=part.group.hparams._replace(rate=rates))
    return dataclasses.replace(plan, parts=(part._replace(group=group),))


@pytest.mark.parametrize(
    ("lanes", "num_seeds"), [(4, 1), *(pytest.param(lanes, 3, marks=MANY) for lanes in (4, 8))]
)
def test_a_rate_that_diverges_is_named_and_spoils_nobody(lanes, num_seeds):
    """Five absurd rates in three slots: 15 sweeps here, 90 before a release."""
    for seed in range(num_seeds):
        plan = of_cells(plan_of("line", lanes), Grid(rate=[0.001, 0.002, 0.005, 0.01]), [seed])
        healthy = sweep.run(plan)
        for rate in (np.nan, np.inf, 3e38, 1e30, 1e4):
            for cell in (0, 1, 3):
                result = sweep.run(spoiled(plan, cell, rate))
                others = np.arange(4) != cell
                assert base.same(result, healthy, others)
                assert (result.columns["status"] == np.where(others, "ok", "diverged")).all()
                assert result.columns["step"][cell] < 4
                assert result.best("loss").point["rate"] != result.columns["rate"][cell]


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


@pytest.mark.parametrize("num_sizes", [1, pytest.param(4, marks=MANY)])
def test_a_sweep_of_five_chunks_compiles_one_program(num_sizes, cold_cache):
    """Three kinds here, each with four sizes of a batch before a release; a warm cache leaves none."""
    for batch_size in range(7, 7 + num_sizes):
        for kind in ("mlp", "momentum", "dropout"):
            sweep_of = functools.partial(
                compiled_in, KINDS[kind][0], Grid(rate=RATES[:5]), batch_size=batch_size
            )
            assert sweep_of() == (1, 0)
            if kind == "mlp":
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


PRINTED = """
import sys
sys.path.insert(0, {tests!r})
import jax, test_trust_invariants as t
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


def coupled(part):
    """A part whose lanes feel a little of each other."""

    def advance(*given):
        run, *found = part.program.advance(*given)
        mixed = jax.tree.map(lambda leaf: leaf + 1e-6 * leaf.mean(axis=0, keepdims=True), run.state)
        return run._replace(state=mixed), *found

    first = part.candidates[0]
    program = part.program._replace(advance=advance)
    return part._replace(candidates=(first._replace(program=program),))


def test_control_lanes_that_feel_each_other_are_noticed():
    (part,) = plan_of("mlp", 4).parts
    assert with_neighbours("mlp", 4, 4, part=coupled(part)) > 0


def test_control_a_cut_that_loses_a_bit_is_noticed(monkeypatch):
    keep = ways.Way.arrays

    def rounded(self, num_cells=None):
        arrays = keep(self, num_cells)
        return arrays | {"run/1": np.nextafter(arrays["run/1"], np.float32(0))}

    monkeypatch.setattr(ways.Way, "arrays", rounded)
    with pytest.raises(AssertionError):
        test_a_run_that_is_cut_has_the_bits_of_the_whole("mlp", 2)


def test_control_a_rate_that_does_not_diverge_is_noticed(monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "spoiled", lambda plan, *_: plan)
    with pytest.raises(AssertionError):
        test_a_rate_that_diverges_is_named_and_spoils_nobody(4, 1)


def test_control_another_momentum_is_noticed(in_order):
    assert farthest_from_a_loop(in_order, 0, momentum=0.89) > 1e-4


def test_control_a_second_program_is_counted():
    grid = Grid(rate=RATES[:5], batch_size=[7, 9])
    asked, _ = compiled_in(KINDS["mlp"][0], grid)
    assert asked == 2
