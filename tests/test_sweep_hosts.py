"""Hosts: two processes of ``jax.distributed`` share a folder; folders of hosts without one are joined."""

import contextlib
import functools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

import jax
import numpy as np
import pytest
import test_sweep as base
from line_sweep import bits
from small_sweep import environment, files, planned, stop, times, whole

from jaxnets import sweep
from jaxnets.check import InputError
from jaxnets.sweep import engine
from jaxnets.sweep.merge import Merged, _are_cells, _are_same, merge
from jaxnets.sweep.store import Store

HOST = """
import sys
import jax
address, place, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
jax.distributed.initialize(
    address, 2, place, coordinator_bind_address=address, heartbeat_timeout_seconds=10
)
import test_sweep_hosts as hosts
assert (jax.device_count(), jax.local_device_count()) == (4, 2)
assert set(hosts.sweep.devices.devices_of(None)) == set(jax.local_devices())
plan = hosts.long_plan()  # on one device, as where the rest is done
result = hosts.sweep.run(plan, folder, share=True, resume=True)
jax.distributed.shutdown()
print(hosts.bits(result))
"""


@functools.cache
def long_plan():
    """Ten chunks of two cells, of some tenths of a second."""
    grid = sweep.Grid(learning_rate=sweep.log(0.001, 1, 20), num_steps=[2000])
    return sweep.plan(base.TRIAL, grid, lanes=1, chunk_size=2, devices=jax.local_devices()[:1])


@pytest.fixture(scope="module")
def long_whole():
    return sweep.run(long_plan())


@contextlib.contextmanager
def hosts(folder):
    """Two hosts of two devices each on one folder; the first coordinates them, on loopback."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [sys.executable, "-c", HOST, address]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    options["env"] = environment(XLA_FLAGS="--xla_force_host_platform_device_count=2")
    with contextlib.ExitStack() as stack:
        processes = []
        for place in ("0", "1"):
            words = [*command, place, str(folder)]
            processes.append(stack.enter_context(subprocess.Popen(words, **options)))
            stack.callback(processes[-1].kill)
        yield processes


@pytest.mark.release
def test_both_hosts_end_with_the_whole_table(tmp_path, long_whole):
    with hosts(tmp_path / "out") as processes:
        answers = [process.communicate(timeout=120) for process in processes]
    for process, (out, log) in zip(processes, answers, strict=True):
        assert process.returncode == 0, log
        assert out.strip() == bits(long_whole)
    assert len(files(tmp_path / "out")) == 10


@pytest.mark.parametrize("place", [0, pytest.param(1, marks=pytest.mark.release)])
def test_a_rerun_does_only_what_a_killed_host_left(tmp_path, long_whole, place):
    """Without its coordinator the other is aborted at once; without another it ends, and is aborted then."""
    folder = tmp_path / "out"
    with hosts(folder) as processes:
        while not [*folder.glob("chunks/*.chunk")]:
            assert [process.poll() for process in processes] == [None, None]
            time.sleep(0.01)
        processes[place].send_signal(signal.SIGKILL)
        finished = times(folder)
        _, log = processes[1 - place].communicate(timeout=120)
    assert "another task died" in log
    assert 0 < len(finished) < 10
    kept = times(folder)
    assert finished.items() <= kept.items()
    assert len(kept) < 10 or place == 1
    assert bits(sweep.run(long_plan(), folder, resume=True)) == bits(long_whole)
    assert kept.items() <= times(folder).items()
    assert files(folder) == [f"{number:06}.chunk" for number in range(10)]


@pytest.fixture
def halves(tmp_path):
    """The folders of two hosts, with the tables that they had."""
    folders = [tmp_path / "first", tmp_path / "second"]
    return folders, [sweep.run(planned(), folder, host=(place, 2)) for place, folder in enumerate(folders)]


def test_a_host_has_the_table_of_its_own_cells(halves):
    folders, tables = halves
    assert [files(folder) for folder in folders] == [["000000.chunk", "000002.chunk"], ["000001.chunk"]]
    found = sorted(cell for table in tables for cell in table.columns["cell"].tolist())
    assert found == [*range(10)]
    for table in tables:
        cells = table.columns["cell"]
        for name, column in table.columns.items():
            assert column.tobytes() == whole().columns[name][cells].tobytes(), name


def test_joined_folders_give_the_whole_table(halves, tmp_path, monkeypatch):
    folders, _ = halves
    expected = whole()
    assert merge(folders[:1], tmp_path / "out") == Merged(6, 4, [])
    assert merge(folders, tmp_path / "out") == Merged(10, 0, [])
    for folder in folders:
        for path in (folder / "chunks").iterdir():
            assert (tmp_path / "out" / "chunks" / path.name).read_bytes() == path.read_bytes()
    monkeypatch.setattr(engine, "_chunk", stop)
    assert base.same(sweep.run(planned(), tmp_path / "out", resume=True), expected)


def test_damaged_chunks_are_named_and_only_they_are_made_anew(halves, tmp_path):
    folders, _ = halves
    path = folders[0] / "chunks" / "000002.chunk"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    merged = merge(folders, tmp_path / "out")
    assert merged == Merged(8, 2, [f"{folders[0]}: 000002.chunk: damaged, its SHA-256 does not match"])
    kept = times(tmp_path / "out")
    assert base.same(sweep.run(planned(), tmp_path / "out", resume=True), whole())
    assert kept.items() <= times(tmp_path / "out").items()


def test_pipes_among_chunks_are_named_and_a_lost_manifest_is_refused(halves, tmp_path):
    folders, _ = halves
    path = folders[0] / "chunks" / "000002.chunk"
    path.unlink()
    os.mkfifo(path)
    merged = merge(folders, tmp_path / "out")
    assert merged == Merged(8, 2, [f"{folders[0]}: 000002.chunk: damaged, no plain file"])
    (tmp_path / "out" / "manifest.json").unlink()
    with pytest.raises(InputError, match=r"manifest.json is lost"):
        merge(folders, tmp_path / "out")
    assert files(tmp_path / "out") == ["000000.chunk", "000001.chunk"]


def test_a_chunk_of_other_cells_is_not_taken(halves, tmp_path):
    folders, _ = halves
    manifest = json.loads((folders[0] / "manifest.json").read_text())
    with Store(folders[0], manifest, resume=True) as store:
        arrays = store.finished(2)
        store.finish(2, arrays | {"cell": arrays["cell"] + 10})
    merged = merge(folders, tmp_path / "out")
    assert merged == Merged(8, 2, [f"{folders[0]}: 000002.chunk: not the arrays of cells"])
    assert merge(folders[1:], folders[0]) == Merged(8, 2, [])  # what stands there is the plan's to judge


@pytest.mark.parametrize(
    "other", [np.zeros((2, 3), np.float32), np.zeros((3, 2), np.int32), np.ones((2, 3), np.int32)]
)
def test_arrays_are_the_same_if_dtype_shape_and_bytes_are(other):
    mine = {"a": np.zeros((2, 3), np.int32)}
    assert _are_same(mine, {"a": np.zeros((2, 3), np.int32)})
    assert not _are_same(mine, {"a": other})
    assert not _are_same(mine, {"b": mine["a"]})


@pytest.mark.parametrize(
    "change",
    [
        {"cell": np.array([0.0, 1.0])}, {"cell": np.array([0, 2])}, {"cell": np.array([-1, 0])},
        {"cell": np.array([1, 1])}, {"cell": np.array([[0], [1]])}, {"loss": np.zeros(3)},
        {"loss": np.zeros(())}, {"cell": np.zeros(0, int), "loss": np.zeros(0)},
    ],
)  # fmt: skip
def test_cells_are_whole_numbers_each_once_with_as_many_rows_of_all_else(change):
    arrays = {"cell": np.array([1, 0]), "loss": np.zeros((2, 5))}
    assert _are_cells(arrays, 2)
    assert not _are_cells(arrays | change, 2)
    assert not _are_cells({"loss": arrays["loss"]}, 2)


def test_hosts_that_disagree_are_refused(halves, tmp_path):
    folders, _ = halves
    other = shutil.copytree(folders[0], tmp_path / "other")
    manifest = json.loads((other / "manifest.json").read_text())
    with Store(other, manifest, resume=True) as store:
        arrays = store.finished(0)
        store.finish(0, arrays | {"kept_steps": arrays["kept_steps"] + 1})
    with pytest.raises(InputError, match=r"000000.chunk: other numbers than in .*out"):
        merge([folders[0], other], tmp_path / "out")
    (other / "manifest.json").write_text(json.dumps(manifest | {"threads": 64}))
    with pytest.raises(InputError, match=r"other: another sweep than in .*first: threads was \d+, is 64"):
        merge([*folders, other], tmp_path / "out")
    (other / "manifest.json").write_text(json.dumps(manifest | {"population": {}}))
    with pytest.raises(InputError, match="a sweep by population"):
        merge([other], tmp_path / "out")
    for nothing in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(InputError, match="holds no sweep"):
            merge([nothing], tmp_path / "new")
    for nothing in ([], "first"):
        with pytest.raises(InputError, match="allowed is a list of one or more"):
            merge(nothing, tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("host", [(2, 2), (-1, 2), (0, 4), (0, 0), (True, 2), (0.0, 2), 1, "01", (0, 1, 2)])
def test_what_is_no_host_is_refused(tmp_path, host):
    with pytest.raises(InputError, match=r"host = .*hosts <= 3, as many as there are chunks"):
        engine.tasks_of(planned(), host)
