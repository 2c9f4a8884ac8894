"""What cannot be swept is refused in a line, before anything is compiled or written."""

import dataclasses
import inspect
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import test_sweep as base
from small_sweep import planned

from jaxnets import sweep
from jaxnets.check import InputError
from jaxnets.learner import Learner
from jaxnets.sweep import Grid, engine, halving, population, store
from jaxnets.sweep.lanes import layouts_in
from jaxnets.sweep.ranking import ranked
from jaxnets.sweep.results import write

bare = inspect.unwrap
"""Without the tests' own type checks, which would answer first."""


def evolved(metric="loss", **options):
    return bare(population.evolve)(planned(), metric, every=20, **options)


def parsed(words, space="product"):
    return bare(Grid.parse.__func__)(Grid, words, space)


@pytest.mark.parametrize(
    ("option", "message"),
    [("report", "unknown option 'report'"), ("num_steps", "num_steps: not allowed beside settings")],
)
def test_options_beside_settings_are_refused(option, message):
    with pytest.raises(InputError, match=message):
        sweep.plan(lambda hparams: None, Grid(rate=[1.0]), base.DATA, settings=base.Settings(), **{option: 3})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lanes": 0}, "lanes = 0"),
        ({"lanes": 2, "memory": 1000}, "allowed is a smaller batch_size or model"),
        ({"lanes": 2**16, "memory": 10**6}, "allowed is"),
        ({"memory": "1GB"}, "memory = '1GB'"),
        ({"devices": "cpu"}, "devices = ('c', 'p', 'u')"),
        ({"devices": jax.devices()[0]}, "allowed is a list of jax's devices"),
        ({"devices": []}, "devices = []"),
        ({"devices": jax.devices()[:1] * 2}, "each is allowed once"),
        ({"like": ""}, "like = '', allowed is the name of a folder"),
        ({"seeds": {1: 2}}, "seeds = dict, allowed are a number of seeds"),
        ({"seeds": (seed for seed in [1])}, "allowed are a number of seeds"),
        ({"seeds": 0}, "seeds = 0"),
        ({"num_steps": 3}, "num_steps: not allowed beside an experiment"),
    ],
)
def test_what_cannot_be_planned_is_refused(options, message):
    with pytest.raises(InputError) as refusal:
        sweep.plan(base.TRIAL, base.GRID, **options)
    assert message in str(refusal.value)


@pytest.mark.parametrize(
    ("refuse", "message"),
    [
        (lambda: layouts_in(3, 1), "like = 3, allowed is the name of a folder"),
        (lambda: store.folder_of(3), "out = 3, allowed is the name of a folder"),
        (lambda: sweep.run(planned(), ""), "out = '', allowed is the name of a folder"),
        (lambda: sweep.run(planned(), "gs://a/b"), "out = 'gs://a/b', allowed is a local or mounted folder"),
        (lambda: layouts_in(Path("s3://a/b"), 1), "like = 's3:/a/b', allowed is a local or mounted folder"),
        (lambda: sweep.merge([""], "there"), "folders = '', allowed is the name of a folder"),
        (lambda: store.folder_of(1, "folders"), "folders = 1, allowed is the name of a folder"),
        (lambda: engine.refuse_callers(3, None), "workers = 3, allowed is an executor"),
        (lambda: engine.refuse_callers(0, None), "workers = 0, allowed is an executor"),
        (lambda: engine.refuse_callers(None, 3), "report = 3, allowed is a function"),
        (lambda: bare(sweep.run)(None), "plan = None, allowed is what sweep.plan gives"),
        (lambda: bare(sweep.halve)([], "loss"), "plan = [], allowed is what sweep.plan gives"),
        (lambda: bare(sweep.hyperband)(3, "loss"), "plan = 3, allowed is what sweep.plan gives"),
        (lambda: bare(sweep.evolve)("x", "loss", every=20), "plan = 'x', allowed is what sweep.plan gives"),
        (lambda: bare(sweep.run)(planned(), resume="no"), "resume = 'no', allowed are True, False"),
        (lambda: evolved(metric=3), "unknown metric 3: allowed: loss, valid_accuracy"),
        (lambda: evolved(metric=np.array([1, 2])), "unknown metric array([1, 2]): allowed"),
        (lambda: evolved(names=b"x"), "names = b'x', allowed is a list of names"),
        (lambda: evolved(names=[3]), "unknown name 3: allowed: learning_rate"),
        (lambda: evolved(share=[]), "share = [], allowed is a number"),
        (lambda: evolved(lowest="x"), "lowest = 'x', allowed are True, False, None"),
        (lambda: evolved(lowest=np.zeros(2)), "lowest = array([0., 0.]), allowed are True, False, None"),
        (lambda: bare(ranked)({}, (), "loss", lowest="maximize"), "lowest = 'maximize', allowed are"),
        (lambda: write("", b""), "path = '', allowed is the name of a file"),
        (lambda: bare(Grid.__mul__)(base.GRID, 3), "factor = 3, allowed is a Grid"),
        (lambda: bare(Grid.__add__)(base.GRID, None), "summand = None, allowed is a Grid"),
        (lambda: bare(Grid.column)(base.GRID, 3), "unknown name 3: allowed: learning_rate"),
        (lambda: parsed([3]), "grid = 3, allowed is a text"),
        (lambda: parsed("a=1"), "words = 'a=1', allowed is a list of texts"),
        (lambda: parsed(["a=1"], None), "space = None, allowed is product"),
        (lambda: parsed(["a=1,2"], "product:3"), "space product:3, allowed is product"),
        (lambda: parsed(["a=1,2"], "zip:"), "space zip:, allowed is zip"),
        (lambda: parsed(["a=1,2"], "random"), "space random, allowed is random:NUM"),
        (lambda: parsed(["a=log:1:2:3"], "random:4"), "a: a range of 3 values, allowed are ends alone"),
    ],
)
def test_what_cannot_be_run_is_refused(refuse, message):
    with pytest.raises(InputError) as refusal:
        refuse()
    assert message in str(refusal.value)


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ({"own": np.ones(1)}, "evaluate: 'own' is an array of shape (1,), allowed is a number"),
        ({"own": "good"}, "evaluate: 'own' is 'good', allowed is a number"),
        ({"": 1.0}, "evaluate gave {'': 1.0}, allowed is a dict of numbers by name"),
        (None, "evaluate gave None, allowed is a dict of numbers by name"),
        ({"loss": 1.0}, "evaluate: 'loss' is a column of the table"),
    ],
)
def test_what_no_table_can_hold_is_refused_before_a_chunk_is_kept(found, message, tmp_path):
    trial = base.TRIAL._replace(evaluate=lambda learner, state, dataset: found)
    with pytest.raises(InputError) as refusal:
        sweep.run(sweep.plan(trial, Grid(learning_rate=[0.1]), lanes=1), tmp_path)
    assert message in str(refusal.value)
    assert not [*(tmp_path / "chunks").glob("*.chunk")]


def test_a_sweep_that_is_shared_is_not_begun_afresh(tmp_path):
    """Else one that came later would remove what the first has finished."""
    with pytest.raises(InputError, match="share and fresh, allowed is one of them"):
        sweep.run(planned(), tmp_path / "out", share=True, fresh=True)
    assert not (tmp_path / "out").exists()


def test_workers_that_take_no_work_are_refused_before_a_sweep_is_removed(tmp_path):
    sweep.run(planned(), tmp_path / "out")
    kept = sorted(path.name for path in (tmp_path / "out" / "chunks").iterdir())
    pool = ThreadPoolExecutor(1)
    with pytest.raises(InputError, match="num_workers = 0"):
        sweep.run(planned(), tmp_path / "out", fresh=True, workers=pool, num_workers=0)
    pool.shutdown()
    with pytest.raises(InputError, match="workers: RuntimeError: cannot schedule new futures"):
        sweep.run(planned(), tmp_path / "out", workers=pool)
    assert sorted(path.name for path in (tmp_path / "out" / "chunks").iterdir()) == kept


@pytest.mark.parametrize("option", ["resume", "fresh", "share"])
def test_ways_into_a_folder_want_one(option):
    for train in (sweep.run, lambda plan, **ways: sweep.halve(plan, "loss", **ways)):
        if option != "share" or train is sweep.run:
            with pytest.raises(InputError, match="out is missing"):
                train(planned(), **{option: True})


def test_a_report_that_cannot_be_called_is_refused_by_every_way(monkeypatch):
    """The tests' own type checks would answer first."""
    monkeypatch.setattr(halving, "_climb", inspect.unwrap(halving._climb))
    evolve = partial(inspect.unwrap(population.evolve), every=20)
    for way in (halving.halve, halving.hyperband, evolve):
        with pytest.raises(InputError, match=r"report = 3, allowed is a function \(cells done"):
            way(planned(), "loss", report=3)


def test_a_sweep_without_steps_or_with_nonsense_is_refused():
    with pytest.raises(InputError, match="num_steps = 0"):
        sweep.plan(base.TRIAL, Grid(num_steps=[0]))
    with pytest.raises(InputError, match="num_steps is missing"):
        sweep.plan(lambda hparams: None, Grid(rate=[1.0]), base.DATA)
    with pytest.raises(InputError, match="allowed are a Trial"):
        sweep.plan("iris", base.GRID)
    with pytest.raises(InputError, match="allowed is a Grid"):
        sweep.plan(base.TRIAL, {"learning_rate": [0.1]})
    with pytest.raises(InputError, match="data: NoneType"):
        sweep.plan(lambda hparams: None, Grid(rate=[1.0]), num_steps=3)
    with pytest.raises(InputError, match="unknown option 'num_step'"):
        sweep.plan(lambda hparams: None, Grid(rate=[1.0]), base.DATA, num_steps=3, num_step=3)
    with pytest.raises(InputError, match="settings: dict"):
        sweep.plan(lambda hparams: None, Grid(rate=[1.0]), base.DATA, settings={"num_steps": 3})


def impure(hparams, settings):
    scale = np.random.default_rng().normal()
    return base.learner(hparams._replace(momentum=scale * hparams.momentum), settings)


def growing(hparams, settings):
    def step(key, state, batch):
        return jnp.concatenate([state, state]), {"loss": jnp.float32(0)}

    return Learner(lambda key, batch: jnp.zeros(2), step, lambda state, inputs: inputs)


def of_other_numbers(hparams, settings):
    step = lambda key, state, batch: (state.astype(jnp.int32), {"loss": jnp.float32(0)})  # noqa: E731
    return Learner(lambda key, batch: jnp.zeros(2), step, lambda state, inputs: inputs)


@pytest.mark.parametrize(
    ("learner", "message"),
    [
        (lambda hparams, settings: None, "it made NoneType, allowed is a Learner"),
        (impure, "made twice, it computes something else"),
        (growing, "a step changes state from float32[2] to float32[4]"),
        (of_other_numbers, "a step changes state from float32[2] to int32[2]"),
    ],
)
def test_a_learner_that_is_none_is_refused_before_anything_is_compiled(learner, message):
    trial = base.TRIAL._replace(learner=learner, metrics=None)
    with pytest.raises(InputError) as refusal:
        sweep.plan(trial, base.GRID, lanes=2)
    assert message in str(refusal.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_steps": []}, "num_steps = [], allowed is a number"),
        ({"batch_size": np.array([1, 2])}, "batch_size = array([1, 2]), allowed is a number"),
        ({"sampling": {}}, "sampling = {}, allowed is a number, a word"),
        ({"evaluate_every": ([],)}, "evaluate_every = ([],), allowed is a number"),
        ({"sampling": 3}, "unknown sampling 3: allowed: epoch"),
        ({"sampling": lambda: 0}, "allowed is a function (key, start, num_steps, *, num_rows, batch_size)"),
    ],
)
def test_settings_that_cannot_be_are_refused(options, message):
    make = lambda hparams: base.learner(base.Hparams(hparams.rate), base.Settings(num_classes=3))  # noqa: E731
    with pytest.raises(InputError) as refusal:
        sweep.plan(make, Grid(rate=[0.1]), base.DATA, **({"num_steps": 3, "batch_size": 8} | options))
    assert message in str(refusal.value)


class Sizes(NamedTuple):
    batch_size: int = 16


@pytest.mark.parametrize(
    ("sizes", "message"),
    [([0], "batch_size = 0"), ([500], "batch_size = 500"), ([31, 37, 41], "common multiple")],
)
def test_sizes_of_a_batch_that_cannot_share_rows_are_refused(sizes, message):
    trial = base.TRIAL._replace(hparams=Sizes())
    with pytest.raises(InputError, match=message):
        sweep.plan(trial, Grid(batch_size=sizes))


def test_random_numbers_that_depend_on_neighbours_are_refused():
    with jax.default_prng_impl("rbg"), pytest.raises(InputError, match="jax_default_prng_impl = rbg"):
        sweep.plan(base.TRIAL, base.GRID)


@pytest.mark.parametrize("name", ["cell", "learning_rate", "row"])
def test_a_final_number_with_a_columns_name_is_refused(name):
    trial = base.TRIAL._replace(evaluate=lambda learner, state, dataset: {name: 1.0})
    with pytest.raises(InputError, match=f"evaluate: '{name}' is a column of the table"):
        sweep.run(dataclasses.replace(planned(), trial=trial))
