"""Stopped sweeps: resumed bit for bit, damage found and named, another sweep refused, one owner a folder."""

import dataclasses
import json
import multiprocessing
import os
import pathlib
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import numpy as np
import pytest
import test_sweep as base

from jaxnets import sweep
from jaxnets.check import InputError
from jaxnets.sweep import engine, records
from jaxnets.sweep.store import Store

MANIFEST = {"sweep": "abc", "seeds": [0, 1], "versions": {"jax": "1"}}
ARRAYS = {
    "cell": np.arange(3, dtype=np.int32), "history/loss": np.array([[1.5, np.nan]], np.float32),
    "flags": np.array([True, False]), "nothing": np.zeros((0, 2)), "one": np.array(7),
}  # fmt: skip


@pytest.fixture(scope="module")
def planned():
    return sweep.plan(base.TRIAL, base.GRID, seeds=2, lanes=2, chunk_size=4)


@pytest.fixture(scope="module")
def whole(planned):
    return sweep.run(planned)


class Stop(Exception):
    pass


def stop(*_):
    raise Stop


def files(folder):
    return sorted(path.name for path in (folder / "chunks").iterdir())


def test_a_record_gives_back_its_arrays(tmp_path):
    records.write(tmp_path / "a", {"chunk": 1}, ARRAYS)
    found = records.read(tmp_path / "a", {"chunk": 1})
    assert [*found] == [*ARRAYS]
    for name, array in ARRAYS.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
        np.testing.assert_array_equal(found[name], array)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    if os.name == "posix":
        assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600
    with pytest.raises(InputError, match=r"it is about .'chunk': 1., wanted is .'chunk': 2."):
        records.read(tmp_path / "a", {"chunk": 2})


def damages(content):
    """Files with one damage each: empty, cut, a bit turned, a block of zeros, rubbish."""
    generator = random.Random(0)
    yield b""
    yield content[: len(content) // 2]
    yield content[:-1]
    yield content + b"\0"
    yield generator.randbytes(len(content))
    yield content[:40] + bytes(30) + content[70:]
    for _ in range(100):
        place, bit = generator.randrange(len(content)), generator.randrange(8)
        yield content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :]


def test_every_damage_is_found(tmp_path):
    path = tmp_path / "000001.chunk"
    records.write(path, {"chunk": 1}, ARRAYS)
    content = path.read_bytes()
    for damaged in damages(content):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=r"^000001.chunk: "):
            records.read(path, {"chunk": 1})


def test_a_header_that_lies_takes_no_memory(tmp_path):
    import hashlib

    for layout in ([["a", "<f8", [2**40]]], [["a", "|O", [1]]], [["a", "<f8", [-1]]], [["a", "V9", [1]]], {}):
        header = json.dumps({"about": {}, "arrays": layout}).encode()
        first = f"{records.MAGIC} {hashlib.sha256(header).hexdigest()} {len(header)}\n".encode()
        (tmp_path / "a").write_bytes(first + header)
        if layout == {}:
            assert records.read(tmp_path / "a", {}) == {}
            continue
        with pytest.raises(InputError, match=r"arrays of|cannot be read"):
            records.read(tmp_path / "a", {})


@pytest.mark.parametrize("point", ["write", "fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch, point):
    records.write(tmp_path / "a", {}, ARRAYS)
    if point == "write":
        monkeypatch.setattr(os, "fdopen", stop)
    else:
        monkeypatch.setattr(os, point, stop)
    with pytest.raises(Stop):
        records.write(tmp_path / "a", {}, {"other": np.zeros(3)})
    monkeypatch.undo()
    assert [*records.read(tmp_path / "a", {})] == [*ARRAYS]
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_stopped_sweep_is_resumed_bit_for_bit(planned, whole, tmp_path):
    for chunk in (1, 2):
        folder = tmp_path / str(chunk)
        with pytest.raises(Stop):
            sweep.run(
                planned,
                folder,
                report=lambda done, arrays, chunk=chunk: stop() if done == 4 * chunk else None,
            )
        assert files(folder) == [f"{number:06}.chunk" for number in range(chunk)]
        before = {path: path.stat().st_mtime_ns for path in (folder / "chunks").iterdir()}
        assert base.same(sweep.run(planned, folder, resume=True), whole)
        assert all(path.stat().st_mtime_ns == then for path, then in before.items())
        assert files(folder) == ["000000.chunk", "000001.chunk", "000002.chunk"]


def test_what_a_killed_write_left_is_removed(planned, whole, tmp_path):
    sweep.run(planned, tmp_path / "out")
    for name in ("chunks/.000001.chunk.123", ".manifest.json.123", "chunks/000001.part"):
        (tmp_path / "out" / name).write_bytes(b"half")
    assert base.same(sweep.run(planned, tmp_path / "out", resume=True), whole)
    assert not [*(tmp_path / "out").rglob(".*"), *(tmp_path / "out").rglob("*.part")]


@pytest.mark.parametrize("keeps", [1, 2, 3, 4])
def test_a_chunk_is_resumed_from_its_way(planned, whole, tmp_path, monkeypatch, keeps):
    """Stopped right after the way was kept for the first, second, ... time: in a batch, and between two."""
    monkeypatch.setattr(engine, "KEEP_SECONDS", -1.0)
    kept, keep = [], Store.keep

    def keep_and_stop(self, chunk, arrays):
        keep(self, chunk, arrays)
        kept.append(chunk)
        if len(kept) == keeps:
            raise Stop

    monkeypatch.setattr(Store, "keep", keep_and_stop)
    with pytest.raises(Stop):
        sweep.run(planned, tmp_path / "out")
    assert any(name.endswith(".part") for name in files(tmp_path / "out"))
    assert base.same(sweep.run(planned, tmp_path / "out", resume=True), whole)
    assert not any(name.endswith(".part") for name in files(tmp_path / "out"))


def test_damaged_and_missing_chunks_are_named_and_made_anew(planned, whole, tmp_path):
    folder = tmp_path / "out"
    sweep.run(planned, folder)
    paths = [folder / "chunks" / f"{number:06}.chunk" for number in range(3)]
    sound = paths[2].stat().st_mtime_ns
    first, second = paths[0].read_bytes(), paths[1].read_bytes()
    paths[0].write_bytes(first[:-3])
    paths[1].unlink()
    result = sweep.run(planned, folder, resume=True)
    assert base.same(result, whole)
    assert result.damaged == ["000000.chunk: damaged, its SHA-256 does not match"]
    assert paths[2].stat().st_mtime_ns == sound
    paths[0].write_bytes(second)
    paths[1].write_bytes(first)
    result = sweep.run(planned, folder, resume=True)
    assert base.same(result, whole)
    assert [line.partition(":")[0] for line in result.damaged] == ["000000.chunk", "000001.chunk"]


def test_a_folder_with_a_sweep_is_resumed_or_started_afresh(planned, whole, tmp_path):
    folder = tmp_path / "out"
    with pytest.raises(Stop):
        sweep.run(planned, folder, report=stop)
    with pytest.raises(InputError, match="holds a sweep; resume it, or start afresh"):
        sweep.run(planned, folder)
    assert files(folder) == ["000000.chunk"]
    assert base.same(sweep.run(planned, folder, fresh=True), whole)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"seeds": [0]}, "seeds was [0, 1], is [0]"),
        ({"versions": {"jax": "2"}}, 'versions.jax was "1", is "2"'),
        ({"more": 1}, "more was null, is 1"),
    ],
)
def test_another_sweep_is_refused_with_the_difference(tmp_path, change, line):
    Store(tmp_path, MANIFEST).close()
    with pytest.raises(InputError) as refusal:
        Store(tmp_path, MANIFEST | change, resume=True)
    assert line in str(refusal.value)
    Store(tmp_path, MANIFEST, resume=True).close()


def test_other_points_or_lanes_are_another_sweep(planned, tmp_path):
    with pytest.raises(Stop):
        sweep.run(planned, tmp_path / "out", report=stop)
    other = sweep.plan(base.TRIAL, base.GRID, seeds=2, lanes=1)
    with pytest.raises(InputError, match=r"parts.0.lanes was 2, is 1"):
        sweep.run(other, tmp_path / "out", resume=True)


def test_a_manifest_that_is_none_is_refused(tmp_path):
    Store(tmp_path, MANIFEST).close()
    (tmp_path / "manifest.json").write_text("[1")
    with pytest.raises(InputError, match="no manifest of a sweep; start afresh"):
        Store(tmp_path, MANIFEST, resume=True)
    Store(tmp_path, MANIFEST, fresh=True).close()


def test_the_second_process_is_refused_with_the_first_ones_number(tmp_path):
    with Store(tmp_path, MANIFEST):
        code = f"from jaxnets.sweep.store import Store; Store({str(tmp_path)!r}, {MANIFEST!r}, resume=True)"
        environment = os.environ | {"PYTHONPATH": os.getcwd()}
        second = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
        assert f"process {os.getpid()} works on it" in second.stderr
    Store(tmp_path, MANIFEST, resume=True).close()


def test_one_that_shares_and_one_that_does_not_exclude_each_other(tmp_path, monkeypatch):
    monkeypatch.setattr("jaxnets.sweep.lock.WAIT_SECONDS", 0.1)
    for mine, others in ((True, False), (False, True)):
        with (
            Store(tmp_path, MANIFEST, share=mine, fresh=True),
            pytest.raises(InputError, match="works on it"),
        ):
            Store(tmp_path, MANIFEST, share=others, resume=True)
    first, second = Store(tmp_path, MANIFEST, share=True, fresh=True), Store(tmp_path, MANIFEST, share=True)
    with first, second, pytest.raises(InputError, match="seeds was"):
        Store(tmp_path, MANIFEST | {"seeds": [7]}, share=True)


SHARED = """
import sys
sys.path.insert(0, {tests!r})
import test_sweep_store as store
plan = store.shared_plan()
print("begins", flush=True)
result = store.sweep.run(plan, {folder!r}, share=True, resume=True)
print(result.history["loss"].tobytes().hex())
"""


def shared_plan():
    grid = sweep.Grid(learning_rate=sweep.log(0.001, 1, 40), num_steps=[40])
    return sweep.plan(base.TRIAL, grid, lanes=2, chunk_size=2)


def test_processes_share_a_folder_and_take_over_what_a_killed_one_began(tmp_path):
    """20 chunks; one of two processes is killed on its way, the other ends with the bits of one alone."""
    code = SHARED.format(tests=os.path.dirname(__file__), folder=str(tmp_path / "out"))
    environment = os.environ | {"PYTHONPATH": os.getcwd()}
    options = {"stdout": subprocess.PIPE, "text": True, "env": environment}
    first, second = (subprocess.Popen([sys.executable, "-c", code], **options) for _ in range(2))
    assert first.stdout.readline() == "begins\n"
    time.sleep(0.05)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    lines = second.communicate()[0].splitlines()
    assert lines[0] == "begins"
    assert lines[1] == sweep.run(shared_plan()).history["loss"].tobytes().hex()
    assert files(tmp_path / "out") == [f"{number:06}.chunk" for number in range(20)]


@pytest.fixture(scope="module")
def pool():
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as workers:
        yield workers


def test_a_pool_of_processes_gives_the_same_bits(planned, whole, tmp_path, monkeypatch, pool):
    monkeypatch.setattr(engine, "_chunk", stop)  # here, not in the workers
    assert base.same(sweep.run(planned, tmp_path / "out", workers=pool), whole)
    assert files(tmp_path / "out") == ["000000.chunk", "000001.chunk", "000002.chunk"]


def test_what_killed_workers_leave_is_done_here(planned, whole, tmp_path, monkeypatch):
    def submit(work, job):
        future = Future()
        future.set_exception(BrokenProcessPool("a worker was killed"))
        return future

    with ThreadPoolExecutor(1) as pool:
        monkeypatch.setattr(pool, "submit", submit)
        assert base.same(sweep.run(planned, tmp_path / "out", workers=pool), whole)


def test_workers_need_a_folder_and_a_learner_that_can_be_sent(planned, tmp_path, pool):
    with pytest.raises(InputError, match="out is missing"):
        sweep.run(planned, workers=pool)
    local = dataclasses.replace(planned, trial=planned.trial._replace(data=lambda settings: base.DATA))
    with pytest.raises(InputError, match=r"workers: \w+Error: .*lambda"):
        sweep.run(local, tmp_path / "out", workers=pool)


def test_a_folder_that_cannot_be_used_is_one_line(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match=r"Not a directory|File exists"):
        Store(tmp_path / "file", MANIFEST)


def test_a_full_disk_keeps_what_is_finished(planned, whole, tmp_path, monkeypatch):
    folder, write = tmp_path / "out", os.fsync
    with monkeypatch.context() as patched:
        calls = []

        def full(descriptor):
            calls.append(descriptor)
            if len(calls) > 6:
                raise OSError(28, "No space left on device")
            write(descriptor)

        patched.setattr(os, "fsync", full)
        with pytest.raises(InputError, match="No space left on device; what was finished is kept"):
            sweep.run(planned, folder)
    finished = files(folder)
    assert finished
    assert all(name.endswith(".chunk") for name in finished)
    assert base.same(sweep.run(planned, folder, resume=True), whole)


KILLED = """
import sys
sys.path.insert(0, {tests!r})
import test_sweep as base
from jaxnets import sweep
from jaxnets.sweep import engine
engine.KEEP_SECONDS = -1.0
grid = sweep.Grid(learning_rate=sweep.log(0.001, 1, 100), num_steps=[{steps}])
plan = sweep.plan(base.TRIAL, grid, seeds=2, lanes=2, chunk_size=10)
print("begins", flush=True)
result = sweep.run(plan, {folder!r}, resume=True)
print(result.history["loss"].tobytes().hex()[:200], result.to_pandas().to_csv().__hash__())
"""


def run_until_killed(folder, seconds, steps):
    """The sweep's own process, ended by SIGKILL so long after it began to train; None: to its end."""
    code = KILLED.format(tests=os.path.dirname(__file__), folder=str(folder), steps=steps)
    environment = os.environ | {"PYTHONPATH": os.getcwd(), "PYTHONHASHSEED": "0"}
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout.readline() == "begins\n"
    if seconds is None:
        return process.communicate()[0]
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    return process.communicate()[0]


@pytest.mark.parametrize("kills", [1, pytest.param(60, marks=pytest.mark.release)])
def test_kill_9_at_any_moment_loses_nothing(tmp_path, kills):
    """200 cells of 40 steps in 20 chunks; each start goes on for a random time until it is killed."""
    generator, folder = random.Random(1), tmp_path / "killed"
    expected = run_until_killed(tmp_path / "whole", None, 40)
    for _ in range(kills):
        before = {
            path.name: path.stat().st_mtime_ns for path in pathlib.Path(folder, "chunks").glob("*.chunk")
        }
        run_until_killed(folder, generator.uniform(0.0, 0.4), 40)
        after = {
            path.name: path.stat().st_mtime_ns for path in pathlib.Path(folder, "chunks").glob("*.chunk")
        }
        assert before.items() <= after.items()
    assert run_until_killed(folder, None, 40) == expected
    left = [path.name for path in folder.rglob("*") if path.is_file()]
    assert sorted(left) == sorted([f"{number:06}.chunk" for number in range(20)] + ["lock", "manifest.json"])
