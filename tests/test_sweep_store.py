"""Stopped sweeps: resumed bit for bit, damage found and named, another sweep refused, one owner a folder."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import test_sweep as base
from small_sweep import Stop, environment, files, planned, stop, times, whole

from jaxnets import sweep
from jaxnets.check import InputError
from jaxnets.sweep import engine
from jaxnets.sweep.lanes import Layout, layouts_in
from jaxnets.sweep.store import Store, differences

MANIFEST = {"sweep": "abc", "seeds": [0, 1], "versions": {"jax": "1"}}


def test_a_stopped_sweep_is_resumed_bit_for_bit(tmp_path):
    for chunk in (1, 2):
        folder = tmp_path / str(chunk)
        with pytest.raises(Stop):
            sweep.run(
                planned(),
                folder,
                report=lambda done, arrays, chunk=chunk: stop() if done == 4 * chunk else None,
            )
        assert files(folder) == [f"{number:06}.chunk" for number in range(chunk)]
        before = times(folder)
        assert base.same(sweep.run(planned(), folder, resume=True), whole())
        assert before.items() <= times(folder).items()
        assert files(folder) == ["000000.chunk", "000001.chunk", "000002.chunk"]


def test_what_a_killed_write_left_is_removed(tmp_path):
    sweep.run(planned(), tmp_path / "out")
    for name in ("chunks/.000001.chunk.123", ".manifest.json.123", "chunks/000001.part"):
        (tmp_path / "out" / name).write_bytes(b"half")
    assert base.same(sweep.run(planned(), tmp_path / "out", resume=True), whole())
    assert not [*(tmp_path / "out").rglob(".*"), *(tmp_path / "out").rglob("*.part")]


@pytest.mark.parametrize("keeps", [1, 2, 3, 4])
def test_a_chunk_is_resumed_from_its_way(tmp_path, monkeypatch, keeps):
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
        sweep.run(planned(), tmp_path / "out")
    assert any(name.endswith(".part") for name in files(tmp_path / "out"))
    assert base.same(sweep.run(planned(), tmp_path / "out", resume=True), whole())
    assert not any(name.endswith(".part") for name in files(tmp_path / "out"))


def test_damaged_and_missing_chunks_are_named_and_made_anew(tmp_path):
    folder = tmp_path / "out"
    sweep.run(planned(), folder)
    paths = [folder / "chunks" / f"{number:06}.chunk" for number in range(3)]
    sound = paths[2].stat().st_mtime_ns
    first, second = paths[0].read_bytes(), paths[1].read_bytes()
    paths[0].write_bytes(first[:-3])
    paths[1].unlink()
    result = sweep.run(planned(), folder, resume=True)
    assert base.same(result, whole())
    assert result.damaged == ["000000.chunk: damaged, its SHA-256 does not match"]
    assert paths[2].stat().st_mtime_ns == sound
    paths[0].write_bytes(second)
    paths[1].write_bytes(first)
    result = sweep.run(planned(), folder, resume=True)
    assert base.same(result, whole())
    assert [line.partition(":")[0] for line in result.damaged] == ["000000.chunk", "000001.chunk"]


def test_a_folder_with_a_sweep_is_resumed_or_started_afresh(tmp_path):
    folder = tmp_path / "out"
    with pytest.raises(Stop):
        sweep.run(planned(), folder, report=stop)
    with pytest.raises(InputError, match="holds a sweep; resume it, or start afresh"):
        sweep.run(planned(), folder)
    assert files(folder) == ["000000.chunk"]
    assert base.same(sweep.run(planned(), folder, fresh=True), whole())


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


def test_other_points_or_lanes_are_another_sweep(tmp_path):
    with pytest.raises(Stop):
        sweep.run(planned(), tmp_path / "out", report=stop)
    other = sweep.plan(base.TRIAL, base.GRID, seeds=2, lanes=1)
    with pytest.raises(InputError, match=r"parts.0.lanes was 2, is 1"):
        sweep.run(other, tmp_path / "out", resume=True)


@pytest.mark.parametrize("name", ["lanes", "chunk_size"])
@pytest.mark.parametrize("number", [0, -1, 2**16 + 1, 2.0, True, "2", [2]])
def test_a_layout_that_cannot_be_is_refused(tmp_path, name, number):
    layout = {"lanes": 2, "chunk_size": 2**16}
    Store(tmp_path, MANIFEST | {"parts": {"0": layout}}).close()
    assert layouts_in(tmp_path, 1) == [Layout(**layout)]
    Store(tmp_path, MANIFEST | {"parts": {"0": layout | {name: number}}}, fresh=True).close()
    with pytest.raises(InputError, match="no manifest of a sweep; start afresh"):
        layouts_in(tmp_path, 1)


def test_of_long_values_the_place_is_shown_where_they_differ():
    rates = [[number / 100] for number in range(40)]
    (line,) = differences({"points": rates}, {"points": [*rates[:-1], [7.0]]})
    assert "[0.39]]" in line.partition(", is ")[0]
    assert "[7.0]]" in line.partition(", is ")[2]
    assert len(line) < 160


def test_a_manifest_that_is_none_is_refused(tmp_path):
    Store(tmp_path, MANIFEST).close()
    (tmp_path / "manifest.json").write_text("[1")
    with pytest.raises(InputError, match="no manifest of a sweep; start afresh"):
        Store(tmp_path, MANIFEST, resume=True)
    Store(tmp_path, MANIFEST, fresh=True).close()


@pytest.mark.parametrize("options", [{}, {"resume": True}, {"share": True}])
def test_chunks_whose_manifest_is_lost_are_not_removed(tmp_path, options):
    with Store(tmp_path, MANIFEST) as store:
        store.finish(0, {"cell": np.arange(2)})
    (tmp_path / "manifest.json").unlink()
    with pytest.raises(InputError, match=r"manifest.json is lost; put it back, or .* with fresh"):
        Store(tmp_path, MANIFEST, **options)
    assert files(tmp_path) == ["000000.chunk"]
    Store(tmp_path, MANIFEST, fresh=True).close()
    assert files(tmp_path) == []


def test_a_manifest_that_is_no_file_is_refused(tmp_path):
    Store(tmp_path, MANIFEST).close()
    (tmp_path / "manifest.json").unlink()
    os.mkfifo(tmp_path / "manifest.json")
    with pytest.raises(InputError, match=r"no plain file|no manifest of a sweep"):
        Store(tmp_path, MANIFEST, resume=True)


def test_a_folder_in_the_place_of_a_chunk_is_refused_before_anything_is_trained(tmp_path):
    (tmp_path / "chunks" / "000000.chunk").mkdir(parents=True)
    with pytest.raises(InputError, match=r"000000.chunk: not a file of a sweep"):
        Store(tmp_path, MANIFEST, fresh=True)


SECOND = """
import time
from jaxnets.check import InputError
from jaxnets.sweep.store import Store
begun = time.monotonic()
try:
    Store({folder!r}, {manifest!r}, resume=True)
except InputError as refusal:
    print(time.monotonic() - begun < 1, refusal)
"""


def test_the_second_process_is_refused_at_once_with_the_first_ones_number(tmp_path):
    with Store(tmp_path, MANIFEST):
        code = SECOND.format(folder=str(tmp_path), manifest=MANIFEST)
        command = [sys.executable, "-c", code]
        second = subprocess.run(command, capture_output=True, text=True, env=environment())
        assert second.stdout == f"True {tmp_path}: process {os.getpid()} works on it\n"
    Store(tmp_path, MANIFEST, resume=True).close()


def test_one_that_shares_and_one_that_does_not_exclude_each_other(tmp_path, monkeypatch):
    monkeypatch.setattr("jaxnets.sweep.lock.WAIT_SECONDS", 0.1)
    for mine, others in ((True, False), (False, True)):
        with (
            Store(tmp_path, MANIFEST, share=mine, fresh=True),
            pytest.raises(InputError, match="works on it"),
        ):
            Store(tmp_path, MANIFEST, share=others, resume=True)
    first = Store(tmp_path, MANIFEST, share=True, fresh=True)
    monkeypatch.setattr("jaxnets.sweep.lock._SHARED", set())  # as another process has it
    with first, Store(tmp_path, MANIFEST, share=True):
        monkeypatch.setattr("jaxnets.sweep.lock._SHARED", set())
        with pytest.raises(InputError, match="seeds was"):
            Store(tmp_path, MANIFEST | {"seeds": [7]}, share=True)


def test_threads_of_a_process_do_not_share_a_folder(tmp_path):
    """Locks do not tell them apart: both would train every chunk, and remove what the other writes."""
    with Store(tmp_path, MANIFEST, share=True) as store, ThreadPoolExecutor(1) as pool:
        second = pool.submit(Store, tmp_path / ".", MANIFEST, share=True)
        with pytest.raises(InputError, match="another thread of this process works on it"):
            second.result()
        assert store.claim(0)
    for _ in range(2):
        Store(tmp_path, MANIFEST, share=True, resume=True).close()


@pytest.mark.parametrize("take", ["flock", "lockf"])
def test_a_file_system_without_locks_is_no_process_that_works_there(tmp_path, monkeypatch, take):
    def refuse(*arguments):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(f"jaxnets.sweep.lock.fcntl.{take}", refuse)
    with (
        pytest.raises(InputError, match="Function not implemented: locks are needed"),
        Store(tmp_path, MANIFEST, share=True) as store,
    ):
        store.claim(0)


def test_files_of_others_are_neither_removed_nor_written_through_links(tmp_path):
    mine = tmp_path / "mine" / "chunks" / "thesis.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("precious")
    with pytest.raises(InputError, match=r"thesis.txt: not a file of a sweep"):
        sweep.run(planned(), tmp_path / "mine", fresh=True)
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "chunks").symlink_to(mine.parent)
    with pytest.raises(InputError, match="a link"):
        sweep.run(planned(), tmp_path / "linked")
    (tmp_path / "locked").mkdir()
    (tmp_path / "locked" / "lock").symlink_to(mine)
    with pytest.raises(InputError, match="symbolic links"):
        sweep.run(planned(), tmp_path / "locked")
    assert mine.read_text() == "precious"


def test_another_learner_in_the_same_file_is_another_sweep(tmp_path):
    def make(factor):
        return lambda hparams: base.learner(
            base.Hparams(factor * hparams.rate), base.complete(base.Settings(), base.DATA)
        )

    options = {"num_steps": 10, "batch_size": 16, "lanes": 1}
    sweep.run(sweep.plan(make(1.0), sweep.Grid(rate=[0.1]), base.DATA, **options), tmp_path / "out")
    other = sweep.plan(make(2.0), sweep.Grid(rate=[0.1]), base.DATA, **options)
    with pytest.raises(InputError, match=r"parts.0.program was"):
        sweep.run(other, tmp_path / "out", resume=True)


def test_a_folder_that_cannot_be_used_is_one_line(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match=r"Not a directory|File exists"):
        Store(tmp_path / "file", MANIFEST)


def test_a_full_disk_keeps_what_is_finished(tmp_path, monkeypatch):
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
            sweep.run(planned(), folder)
    finished = files(folder)
    assert finished
    assert all(name.endswith(".chunk") for name in finished)
    assert base.same(sweep.run(planned(), folder, resume=True), whole())
