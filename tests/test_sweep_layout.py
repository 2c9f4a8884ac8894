"""Lanes and files of a sweep that is gone on with, and names that would stand in each other's place."""

import dataclasses
import importlib
import os
import shutil
import sys
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import line_sweep
import numpy as np
import pytest
import test_sweep as base

from jaxnets import sweep
from jaxnets.check import InputError
from jaxnets.learner import Learner
from jaxnets.sweep import Grid, fields, lin, log, part
from jaxnets.sweep import results as results_of
from jaxnets.sweep.identity import _operations_of, _threads, manifest_of
from jaxnets.sweep.lanes import Layout
from jaxnets.sweep.plan import laid_out_like

GRID = Grid(learning_rate=[0.01, 0.1, 0.2])


def test_ranges_that_are_drawn_for_whole_numbers_give_whole_numbers():
    """Traced and static ones; points that become the same are there once."""
    trial = base.TRIAL._replace(hparams=Lengths(), learner=of_lengths)
    grid = Grid.random(12, num_steps=lin(40, 43), learning_rate=log(0.01, 1)) * Grid(batch_size=[8])
    found = fields.resolved(trial, grid)
    assert set(found.column("num_steps")) <= {40, 41, 42, 43}
    assert len(found) == 12
    assert len(fields.resolved(trial, Grid.sobol(12, num_steps=lin(40, 43)))) == 4
    with pytest.raises(InputError, match=r"num_steps = 40.5, allowed is int"):
        fields.resolved(trial, Grid(num_steps=[40.5]))


@pytest.mark.parametrize("num_steps", [0, -5])
def test_a_length_is_one_at_least(num_steps):
    trial = base.TRIAL._replace(hparams=Lengths(), learner=of_lengths)
    with pytest.raises(InputError, match=f"num_steps = {num_steps}"):
        sweep.plan(trial, Grid(num_steps=[num_steps, 40]))


@pytest.fixture(scope="module")
def planned():
    return sweep.plan(base.TRIAL, GRID, lanes=2, chunk_size=2)


@pytest.fixture(scope="module")
def folder(planned, tmp_path_factory):
    out = tmp_path_factory.mktemp("layout") / "out"
    sweep.run(planned, out)
    return out


def test_what_is_given_holds_where_a_folder_has_no_sweep(tmp_path):
    (part,) = sweep.plan(base.TRIAL, GRID, lanes=3, chunk_size=3, like=tmp_path / "none").parts
    assert (part.program.lanes, part.chunk_size) == (3, 3)


def test_what_is_given_and_differs_from_the_folder_is_refused(folder):
    plan = sweep.plan(base.TRIAL, GRID, lanes=3, like=folder)
    with pytest.raises(InputError, match=r"parts.0.lanes was 2, is 3"):
        sweep.run(plan, folder, resume=True)


def test_what_was_measured_is_taken_from_the_folder(planned, folder):
    """As a second process would have it: other lanes and files, by measurement."""
    measured = sweep.plan(base.TRIAL, GRID, lanes=1, chunk_size=1)
    measured = dataclasses.replace(measured, given=Layout())
    again = sweep.run(measured, folder, resume=True)
    assert base.same(again, sweep.run(planned))
    assert not again.damaged


def metric_called(name):
    def init(key, batch):
        return jnp.zeros(())

    def step(key, state, batch):
        return state + 1, {"loss": state, name: state}

    return lambda hparams, settings: Learner(init, step, lambda state, inputs: inputs)


@pytest.mark.parametrize(
    "name",
    ["learning_rate", "status", "seed", "mean", "diverged", "step", "valid_own", "test_own"],
)
def test_metrics_that_are_columns_already_are_refused(name, monkeypatch):
    monkeypatch.setattr(part, "candidates", None)  # nothing is compiled before
    metrics = lambda outputs, targets: {"own": jnp.mean(outputs)}  # noqa: E731
    trial = base.TRIAL._replace(learner=metric_called(name), metrics=metrics)
    with pytest.raises(InputError, match=f"a metric '{name}', which is a column already"):
        sweep.plan(trial, GRID, lanes=2)
    with pytest.raises(InputError, match="'std' is a column of every table"):
        Grid(std=[1, 2])


def test_a_name_that_is_traced_and_static_is_refused():
    class Both(NamedTuple):
        num_steps: int = 50
        learning_rate: float = 0.1

    with pytest.raises(InputError, match="'learning_rate' is traced and static"):
        sweep.plan(base.TRIAL._replace(settings=Both()), GRID)


class Lengths(NamedTuple):
    learning_rate: float = 0.1
    num_steps: int = 50
    batch_size: int = 8


def of_lengths(hparams, settings):
    return base.learner(base.Hparams(hparams.learning_rate), settings)


def test_lengths_need_entries_that_are_all_alike():
    trial = base.TRIAL._replace(hparams=Lengths(), learner=of_lengths)
    trial = trial._replace(settings=trial.settings._replace(evaluate_every=None))
    with pytest.raises(InputError, match="evaluate_every is needed"):
        sweep.plan(trial, Grid(num_steps=[10, 50]))


@pytest.fixture(scope="module")
def lengths():
    trial = base.TRIAL._replace(hparams=Lengths(), learner=of_lengths)
    return sweep.plan(trial, Grid(num_steps=[10, 50]), lanes=2)


def test_a_shorter_run_has_no_entries_after_its_end(lengths):
    result = sweep.run(lengths)
    np.testing.assert_array_equal(result.steps, [[10, np.nan, np.nan], [20, 40, 50]])
    for values in result.history.values():
        np.testing.assert_array_equal(np.isnan(values), np.isnan(result.steps))
    assert np.isfinite(result.columns["valid_accuracy"]).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [({"batch_size": np.int32([8, 5])}, "batch_size = 5, allowed are divisors of 8"),
     ({"num_steps": np.int32([8, 51])}, "num_steps = 51, allowed is at most 50")],
)  # fmt: skip
def test_numbers_that_a_program_cannot_make_are_refused(lengths, change, message):
    (part,) = lengths.parts
    with pytest.raises(InputError, match=message):
        part.with_hparams(part.group.hparams._replace(**change))


def test_the_functions_of_final_numbers_are_part_of_a_sweep(planned):
    first = dataclasses.replace(planned, trial=planned.trial._replace(evaluate=lambda *given: {"a": 1.0}))
    second = dataclasses.replace(planned, trial=planned.trial._replace(evaluate=lambda *given: {"a": 2.0}))
    one, other = (manifest_of(plan, {})["evaluate"] for plan in (first, second))
    assert one != other
    assert manifest_of(first, {})["evaluate"] == one


HELPER = """
import os.path as path
ADDED = 1
WORDS = {"a", "b"}
def inner(): return path.join("a")
def score(): return inner() in WORDS
"""
CALLER = """
import own_helper
from own_helper import score
def by_module(*given): return {"own": own_helper.score() + own_helper.ADDED}
def by_name(*given): return {"own": score()}
"""


@pytest.mark.parametrize("name", ["by_module", "by_name"])
@pytest.mark.parametrize(
    ("old", "new", "is_same"),
    [("join", "split", False), ('in WORDS', 'in [*WORDS]', False), ('"b"', '"c"', False),
     ("ADDED = 1", "ADDED = 1  # one", True)],
)  # fmt: skip
def test_what_stands_in_another_module_of_ones_own_is_part_of_a_sweep(
    planned, tmp_path, monkeypatch, name, old, new, is_same
):
    """What final numbers name there, and what that names; Python's own and installed modules are not read."""
    monkeypatch.syspath_prepend(tmp_path)
    found = []
    for text in (HELPER, (HELPER).replace(old, new)):
        for module, content in (("own_helper", text), ("own_caller", CALLER)):
            (tmp_path / f"{module}.py").write_text(content)
            monkeypatch.delitem(sys.modules, module, raising=False)
        shutil.rmtree(tmp_path / "__pycache__", ignore_errors=True)
        importlib.invalidate_caches()
        evaluate = getattr(importlib.import_module("own_caller"), name)
        changed = dataclasses.replace(planned, trial=planned.trial._replace(evaluate=evaluate))
        found.append(manifest_of(changed, {})["evaluate"])
    assert (found[0] == found[1]) is is_same


def number(factor, *given, offset=0.0):
    return {"own": factor + offset}


def closed(factor):
    return lambda *given: {"own": factor * 2}


@pytest.mark.parametrize(
    "make",
    [
        closed,
        lambda factor: partial(number, factor),
        lambda factor: partial(number, 1.0, offset=factor),
        lambda factor: lambda *given, factor=factor: factor,
        lambda factor: closed(np.full(3, factor)),
        lambda factor: closed(jax.random.key(int(factor))),
        lambda factor: closed(closed(factor)),
    ],
    ids=["closure", "partial", "keyword", "default", "array", "key", "inner"],
)
def test_what_a_function_of_final_numbers_holds_is_part_of_a_sweep(make):
    one, other, again = (_operations_of(make(factor)) for factor in (1.0, 2.0, 1.0))
    assert one == again
    assert one != other


def test_a_sweep_that_is_gone_on_with_keeps_to_the_memory(planned, folder):
    small = dataclasses.replace(planned, given=Layout(), memory=100)
    with pytest.raises(InputError, match=r"lanes = 2 take .* MB, there are 0.0001 MB"):
        laid_out_like(small, folder)


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [("precision", "jax_default_matmul_precision", "bfloat16"), ("x64", "jax_enable_x64", True)],
)
def test_how_numbers_are_rounded_is_part_of_a_sweep(planned, name, option, value):
    before, usual = manifest_of(planned, {}), getattr(jax.config, option)
    jax.config.update(option, value)
    try:
        after = manifest_of(planned, {})
    finally:
        jax.config.update(option, usual)
    assert {one for one in after if after[one] != before[one]} == {name, "sweep"}


def test_the_number_of_threads_is_part_of_a_sweep(planned, monkeypatch):
    found = []
    for number in "12":
        monkeypatch.setenv("NPROC", number)
        found.append(manifest_of(planned, {}))
    assert {one for one in found[0] if found[0][one] != found[1][one]} == {"threads", "sweep"}


@pytest.mark.parametrize(("given", "threads"), [("8", 8), ("all", "all"), ("-1", "-1"), ("", 3)])
def test_threads_are_those_that_are_asked_for_or_else_the_cores_of_this_process(monkeypatch, given, threads):
    monkeypatch.setenv("NPROC", given)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 2, 5}, raising=False)
    assert _threads() == threads


@pytest.mark.parametrize(("cores", "threads"), [(6, 6), (None, 1)])
def test_threads_are_all_cores_where_the_system_keeps_no_list_of_a_process(monkeypatch, cores, threads):
    """As macOS and Windows."""
    monkeypatch.delenv("NPROC", raising=False)
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert _threads() == threads


def test_a_random_key_inside_a_learner_is_part_of_a_program():
    def holding(number):
        key = jax.random.key(number)

        def noisy(hparams, settings):
            one = line_sweep.line(hparams, settings)
            return one._replace(init=lambda own, batch: one.init(own, batch) + jax.random.normal(key))

        return line_sweep.planned(line_sweep.TRIAL._replace(learner=noisy)).parts[0].program.text

    assert holding(0) != holding(1)


def test_numbers_inside_a_compiled_function_are_part_of_a_program():
    def holding(numbers):
        weights = np.array(numbers, np.float32)
        scaled = jax.jit(lambda outputs, targets: {"a": (outputs * weights[None]).mean()})
        return sweep.plan(base.TRIAL._replace(metrics=scaled), GRID, lanes=2).parts[0].program.text

    assert holding([1.0, 2.0, 3.0]) != holding([1.0, 2.0, 4.0])


def test_parts_with_other_intervals_have_their_own_steps():
    grid = Grid(evaluate_every=[20, 25])
    result = sweep.run(sweep.plan(base.TRIAL, grid, lanes=1))
    np.testing.assert_array_equal(result.steps, [[20, 40, 50], [25, 50, np.nan]])
    losses = result.history["loss"]
    assert results_of.in_the_end(losses, losses).tolist() == result.columns["loss"].tolist()
