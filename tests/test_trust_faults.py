"""Kills, crashes, full disks, damage and wrong functions: named in a line, and what was finished is kept.

A few of each in the suite, many before a release. What writes wrongly on purpose is noticed.
"""

import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import warnings
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import test_sweep as base
from jax.experimental.compilation_cache import compilation_cache

from jaxnets import data, sweep
from jaxnets.check import InputError
from jaxnets.data import Dataset
from jaxnets.learner import Learner
from jaxnets.sweep import Grid, engine, records
from jaxnets.sweep.trial import Trial
from jaxnets.types import Batch

MANY = pytest.mark.release
ROWS = Batch(np.arange(12.0, dtype=np.float32).reshape(6, 2), np.arange(6) % 2)


class Hparams(NamedTuple):
    rate: float = 0.1


class Settings(NamedTuple):
    num_steps: int = 4


def line(hparams, settings):
    """The smallest learner there is: the mean of its rows, a bit nearer with each step."""

    def step(key, state, batch):
        mean = batch.inputs.mean() + jnp.asarray(batch.targets, jnp.float32).mean()
        return state + hparams.rate * (mean - state), {"loss": (mean - state) ** 2}

    return Learner(lambda key, batch: jnp.zeros(()), step, lambda state, inputs: inputs * state)


def rows(settings):
    return Dataset(ROWS)


TRIAL = Trial("line", line, Hparams(), Settings(), rows)
GRID = Grid(rate=[0.1, 0.2, 0.3, 0.4, 0.5])


def planned(trial=TRIAL, **options):
    return sweep.plan(trial, GRID, **({"lanes": 1, "chunk_size": 1} | options))


@pytest.fixture(scope="module")
def plan():
    """Five cells in five chunks."""
    return planned()


@pytest.fixture(scope="module")
def whole(plan):
    return sweep.run(plan)


@pytest.fixture(scope="module", params=[(40, 5), pytest.param((200, 50), marks=MANY)], ids=["few", "many"])
def killed(request):
    """What processes that were killed left: 40 saves and 5 locks here, 200 and 50 before a release."""
    words = [sys.executable, "-W", "ignore", "killed_writers.py", *map(str, request.param)]
    environment = os.environ | {"PYTHONPATH": os.getcwd()}
    folder = os.path.dirname(__file__)
    done = subprocess.run(words, env=environment, cwd=folder, capture_output=True, text=True, check=True)
    return json.loads(done.stdout) | {"saves": request.param[0]}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")
def test_a_save_that_is_killed_leaves_a_whole_file(killed):
    inside, lost = killed["safely"]
    assert inside >= 0.6 * killed["saves"]
    assert lost == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")
def test_control_a_file_written_in_place_is_lost(killed):
    inside, lost = killed["in place"]
    assert inside >= 0.6 * killed["saves"]
    assert lost > 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")
def test_a_crash_before_or_after_any_call_of_the_system_loses_nothing(killed):
    """Every open, sync, rename, removal and new folder of a sweep of two chunks: far more than 16 points."""
    points, wrong = killed["points"]
    assert points > 16
    assert wrong == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")
def test_second_processes_are_refused_at_once_with_the_number_of_the_first(killed):
    longest, lines, owner = killed["locks"]
    assert lines == [f": process {owner} works on it"]
    assert longest < 1


@pytest.mark.parametrize("chunk", [1, 2, 4])
def test_an_interrupt_leaves_a_folder_that_is_gone_on_with(plan, whole, tmp_path, chunk):
    """A signal while it runs, after a chunk; a process in the background may ignore it by default."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def interrupt(done, arrays):
        if done == chunk:
            os.kill(os.getpid(), signal.SIGINT)

    try:
        with pytest.raises(KeyboardInterrupt):
            sweep.run(plan, tmp_path, report=interrupt)
    finally:
        signal.signal(signal.SIGINT, before)
    assert len([*(tmp_path / "chunks").glob("*.chunk")]) >= chunk
    assert base.same(sweep.run(plan, tmp_path, resume=True), whole)


SIGNALLED = """
import os, sys
sys.path.insert(0, {tests!r})
import test_trust_faults as t
kill = lambda done, arrays: os.kill(os.getpid(), {number}) if done == {chunk} else None
t.sweep.run(t.planned(), {folder!r}, report=kill)
"""


@pytest.mark.parametrize(
    ("number", "chunk"),
    [
        (signal.SIGTERM, 2),
        *(
            pytest.param(number, chunk, marks=MANY)
            for number in (signal.SIGTERM, signal.SIGINT)
            for chunk in (0, 1, 2, 3, 4, 5, 1, 2, 3, 4)
        ),
    ],
)
def test_a_signal_to_the_process_leaves_a_folder_that_is_gone_on_with(plan, whole, tmp_path, number, chunk):
    words = {"number": int(number), "chunk": max(chunk, 1), "folder": str(tmp_path / "out")}
    code = SIGNALLED.format(tests=os.path.dirname(__file__), **words)
    environment = os.environ | {"PYTHONPATH": os.getcwd()}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode in (-int(number), 130, 143)
    assert len([*(tmp_path / "out" / "chunks").glob("*.chunk")]) >= max(chunk, 1)
    assert base.same(sweep.run(plan, tmp_path / "out", resume=True), whole)


def damaged(content, generator):
    """A file with one damage: cut anywhere, a bit turned, zeros, rubbish, of another length."""
    place = generator.randrange(len(content))
    kinds = [
        content[:place], content[:-1], content + generator.randbytes(1), b"",
        content[:place] + bytes([content[place] ^ 1 << generator.randrange(8)]) + content[place + 1 :],
        content[:place] + generator.randbytes(40) + content[place + 40 :],
        generator.randbytes(len(content)),
    ]  # fmt: skip
    return generator.choice(kinds)


@pytest.mark.parametrize("num", [20, pytest.param(1000, marks=MANY)])
def test_damage_is_named_and_what_was_damaged_is_made_anew(plan, whole, tmp_path, num):
    """106 more, of one record alone, are in the tests of records."""
    generator = random.Random(2)
    sweep.run(plan, tmp_path)
    paths = sorted((tmp_path / "chunks").glob("*.chunk"))
    contents = {path: path.read_bytes() for path in paths}
    for number in range(num):
        path, other = generator.sample(paths, 2)
        content = contents[other] if number % 10 == 0 else damaged(contents[path], generator)
        path.write_bytes(content)
        result = sweep.run(plan, tmp_path, resume=True)
        assert [text.partition(": ")[0] for text in result.damaged] == [path.name]
        assert base.same(result, whole)
        assert {path: path.read_bytes() for path in paths} == contents


@pytest.mark.parametrize("num", [3, pytest.param(9, marks=MANY)])
@pytest.mark.parametrize(
    "code",
    [
        errno.ENOSPC, errno.EACCES, errno.EROFS,
        *(pytest.param(code, marks=MANY) for code in (errno.EIO, errno.EMFILE)),
    ],
    ids=errno.errorcode.get,
)  # fmt: skip
def test_a_disk_that_refuses_keeps_what_is_finished(plan, whole, tmp_path, monkeypatch, code, num):
    """At the first, second, ... opening, sync or rename after the second chunk."""
    for point in range(num):
        folder, calls, name = tmp_path / str(point), [], ("open", "fsync", "replace")[point % 3]

        def refuse(*given, call=getattr(os, name), folder=folder, calls=calls, **options):
            is_late = len([*(folder / "chunks").glob("*.chunk")]) >= 2
            calls += [1] * is_late
            if len(calls) > point // 3:
                raise OSError(code, os.strerror(code))
            return call(*given, **options)

        with monkeypatch.context() as patched:
            patched.setattr(os, name, refuse)
            with pytest.raises(InputError) as refusal:
                sweep.run(plan, folder)
        assert str(refusal.value) == f"{folder}: {os.strerror(code)}; what was finished is kept"
        left = sorted(path.name for path in (folder / "chunks").iterdir())
        assert left[:2] == ["000000.chunk", "000001.chunk"]
        assert all(name.endswith(".chunk") for name in left)
        assert base.same(sweep.run(plan, folder, resume=True), whole)


@pytest.mark.parametrize("chunk", [1, 2, 3, *(pytest.param(chunk, marks=MANY) for chunk in (1, 2, 3, 4) * 4)])
def test_a_folder_that_is_removed_is_said_to_be(plan, whole, tmp_path, chunk):
    folder = tmp_path / "out"

    def remove(done, arrays):
        if done == chunk:
            shutil.rmtree(folder)

    with pytest.raises(InputError) as refusal:
        sweep.run(plan, folder, report=remove)
    assert "No such file or directory" in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert base.same(sweep.run(plan, folder), whole)


def leaves(manifest, path=()):
    """The path of every entry of a manifest."""
    for name, value in manifest.items():
        yield from leaves(value, (*path, name)) if isinstance(value, dict) and value else [(*path, name)]


def test_a_manifest_that_differs_in_any_entry_is_refused_with_it(plan, tmp_path):
    sweep.run(plan, tmp_path)
    text = (tmp_path / "manifest.json").read_text()
    paths = [*leaves(json.loads(text))]
    assert len(paths) > 15
    for path in paths:
        changed = json.loads(text)
        entry = changed
        for name in path[:-1]:
            entry = entry[name]
        before, entry[path[-1]] = entry[path[-1]], "other"
        (tmp_path / "manifest.json").write_text(json.dumps(changed))
        with pytest.raises(InputError) as refusal:
            sweep.run(plan, tmp_path, resume=True)
        assert f'{".".join(path)} was "other", is {json.dumps(before)[:20]}' in str(refusal.value)


@pytest.mark.parametrize("num", [10, pytest.param(30, marks=MANY)])
def test_a_damaged_cache_of_programs_changes_no_bit(whole, cold_cache, num):
    generator = random.Random(3)
    for _ in range(num):
        jax.clear_caches()
        compilation_cache.reset_cache()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # jax says that it could not read an entry
            assert base.same(sweep.run(planned()), whole)
        entries = [path for path in cold_cache.iterdir() if path.name.endswith("-cache")]
        assert entries
        for path in entries:
            path.write_bytes(damaged(path.read_bytes() or b"nothing", generator))


def test_lanes_that_do_not_fit_are_refused_with_a_number_that_does():
    class Wide(NamedTuple):
        num_steps: int = 2

    def wide(hparams, settings):
        return line(hparams, settings)._replace(
            init=lambda key, batch: jnp.zeros(50_000),
            step=lambda key, state, batch: (state + hparams.rate, {"loss": state[0]}),
        )

    trial = TRIAL._replace(learner=wide, settings=Wide())
    with pytest.raises(InputError, match=r"lanes = 4096 take .* allowed is \d+ lanes") as refusal:
        planned(trial, lanes=4096, memory=10**7)
    fitting = int(str(refusal.value).split()[-2])
    assert 1 < fitting < 4096
    with pytest.raises(InputError, match="lanes = 5000"):
        planned(trial, lanes=5000, memory=10**7)


KEPT = []


def leaking(hparams, settings):
    """A function that keeps a value of one trace for the next."""
    KEPT.append(hparams.rate)
    return line(hparams._replace(rate=KEPT[0]), settings)


def raising(hparams, settings):
    raise RuntimeError("no such model\nat all")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"learner": raising}, "line: RuntimeError: no such model"),
        ({"learner": leaking}, "line: Tracer"),
        ({"metrics": lambda outputs, targets: {"rows": outputs}}, "metric 'rows': float32 of shape (6, 2)"),
        ({"metrics": lambda outputs, targets: {"name": "good"}}, "metric 'name': str, allowed is one real"),
    ],
)
def test_functions_that_are_wrong_are_named_before_anything_is_written(change, message):
    """Four more are in the tests of refusals: none, impure, of another shape, of another dtype."""
    trial = TRIAL._replace(data=lambda settings: Dataset(ROWS, test=ROWS), **change)
    with pytest.raises(InputError) as refusal:
        planned(trial)
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_data_drawn_anew_at_each_start_are_other_data(tmp_path):
    """NumPy's random numbers in the data."""
    generator = np.random.default_rng(0)
    drawn = TRIAL._replace(
        data=lambda settings: Dataset(ROWS._replace(inputs=np.float32(generator.normal(size=(6, 2)))))
    )
    sweep.run(planned(drawn), tmp_path)
    with pytest.raises(InputError, match=r"parts.0.data was"):
        sweep.run(planned(drawn), tmp_path, resume=True)


CHANGES = {
    "a value": lambda lines: [lines[0], lines[1].replace("0.5", "0.6"), *lines[2:]],
    "a label": lambda lines: [*lines[:-1], lines[-1].replace("b", "a")],
    "the order": lambda lines: [lines[0], *reversed(lines[1:])],
    "a row less": lambda lines: lines[:-1],
    "a row more": lambda lines: [*lines, lines[-1]],
    "cut in a row": lambda lines: [*lines[:-1], lines[-1][:4]],
}


@pytest.mark.parametrize("name", [*CHANGES])
@pytest.mark.parametrize("num_rows", [6, pytest.param(60, marks=MANY)])
def test_a_file_of_data_that_changed_is_another_sweep(tmp_path, name, num_rows):
    path = tmp_path / "rows.csv"
    lines = ["x,label", *(f"{number}.5,{'ab'[number % 2]}" for number in range(num_rows))]
    path.write_text("\n".join(lines))
    trial = TRIAL._replace(data=lambda settings: data.load(str(path), test_fraction=0.0))
    sweep.run(planned(trial), tmp_path / "out")
    path.write_text("\n".join(CHANGES[name](lines)))
    with pytest.raises(InputError, match=r"parts.0.data was|rows.csv"):
        sweep.run(planned(trial), tmp_path / "out", resume=True)


def test_control_the_same_file_is_the_same_sweep(tmp_path):
    (tmp_path / "rows.csv").write_text("x,label\n0.5,a\n1.5,b\n")
    trial = TRIAL._replace(data=lambda settings: data.load(str(tmp_path / "rows.csv"), test_fraction=0.0))
    first = sweep.run(planned(trial), tmp_path / "out")
    assert base.same(sweep.run(planned(trial), tmp_path / "out", resume=True), first)


def test_control_a_damage_that_no_one_looks_for_is_noticed(plan, whole, tmp_path, monkeypatch):
    """Without the check of hashes, results are no longer those of the sweep."""
    sweep.run(plan, tmp_path)
    path = tmp_path / "chunks" / "000002.chunk"
    arrays = records.read(path, {"chunk": 2, "sweep": engine.manifest_of(plan, {})["sweep"]})
    turned = arrays | {"history/loss": arrays["history/loss"] + 1}
    records.write(path, {"chunk": 2, "sweep": engine.manifest_of(plan, {})["sweep"]}, turned)
    result = sweep.run(plan, tmp_path, resume=True)
    assert not base.same(result, whole)
