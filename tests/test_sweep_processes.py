"""Sweeps by several processes, and by one that is killed: the bits of one that is left alone."""

import dataclasses
import multiprocessing
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import jax
import line_sweep
import numpy as np
import pytest
import test_sweep as base
from small_sweep import environment, files, planned, stop, times, whole

from jaxnets import sweep
from jaxnets.check import InputError
from jaxnets.sweep import engine, workers
from jaxnets.sweep.lanes import Layout

SHARED = """
import sys
import test_sweep_processes as store
plan = store.shared_plan()
print("begins", flush=True)
result = store.sweep.run(plan, sys.argv[1], share=True, resume=True)
print(result.history["loss"].tobytes().hex())
"""


def shared_plan():
    grid = sweep.Grid(learning_rate=sweep.log(0.001, 1, 40), num_steps=[40])
    return sweep.plan(base.TRIAL, grid, lanes=2, chunk_size=2)


def started(folder, count):
    """Processes that share a folder."""
    options = {"stdout": subprocess.PIPE, "text": True, "env": environment()}
    command = [sys.executable, "-c", SHARED, str(folder)]
    return [subprocess.Popen(command, **options) for _ in range(count)]


@pytest.mark.release
@pytest.mark.parametrize("count", [1, 2, 4])
def test_the_number_of_processes_changes_no_bit(tmp_path, count):
    answers = [process.communicate()[0].splitlines() for process in started(tmp_path / "out", count)]
    assert answers == count * [["begins", sweep.run(shared_plan()).history["loss"].tobytes().hex()]]
    assert files(tmp_path / "out") == [f"{number:06}.chunk" for number in range(20)]


@pytest.mark.release
def test_processes_share_a_folder_and_take_over_what_a_killed_one_began(tmp_path):
    """20 chunks; one of two processes is killed on its way, the other ends with the bits of one alone."""
    first, second = started(tmp_path / "out", 2)
    assert first.stdout.readline() == "begins\n"
    time.sleep(0.05)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    lines = second.communicate()[0].splitlines()
    assert lines == ["begins", sweep.run(shared_plan()).history["loss"].tobytes().hex()]
    assert files(tmp_path / "out") == [f"{number:06}.chunk" for number in range(20)]


def measured(lanes):
    """As a process has it that measured so many lanes."""
    return dataclasses.replace(line_sweep.planned(lanes=lanes, chunk_size=lanes), given=Layout())


def test_the_layout_is_that_of_the_process_that_came_first(tmp_path, monkeypatch):
    """It begins after the other, which measured other lanes, has found an empty folder."""
    first, second, begun, lay_out = measured(2), measured(1), [], engine.gone_on_with

    def laid_out(plan, out, *, resume):
        plan = lay_out(plan, out, resume=resume)
        if not begun:
            begun.append(engine.opened(first, out, {}, resume=False, fresh=False, share=True))
            monkeypatch.setattr("jaxnets.sweep.lock._SHARED", set())  # as another process has it
        return plan

    monkeypatch.setattr(engine, "gone_on_with", laid_out)
    found = sweep.run(second, tmp_path, share=True)
    begun[0].close()
    assert line_sweep.bits(found) == line_sweep.bits(sweep.run(first))
    assert files(tmp_path) == [f"{number:06}.chunk" for number in range(3)]


def test_lanes_that_were_given_are_not_those_of_another(tmp_path, monkeypatch):
    with engine.opened(measured(2), tmp_path, {}, resume=False, fresh=False, share=True):
        monkeypatch.setattr("jaxnets.sweep.lock._SHARED", set())
        with pytest.raises(InputError, match=r"another sweep: parts.0.lanes was 2, is 1"):
            sweep.run(line_sweep.five(), tmp_path, share=True)
    assert files(tmp_path) == []


MEASURED = """
import sys
import test_sweep_processes as own
plan = own.measured(int(sys.argv[2]))
print("begins", flush=True)
sys.stdin.readline()
print(own.line_sweep.bits(own.sweep.run(plan, sys.argv[1], share=True, resume=True)))
"""


@pytest.mark.release
def test_processes_that_measured_other_lanes_share_a_new_folder(tmp_path):
    options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": environment()}
    command = [sys.executable, "-c", MEASURED, str(tmp_path / "out")]
    processes = [subprocess.Popen([*command, lanes], **options) for lanes in "12"]
    assert [process.stdout.readline() for process in processes] == 2 * ["begins\n"]
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    first, second = [process.communicate(timeout=120)[0].strip() for process in processes]
    assert first == second
    assert first in [line_sweep.bits(sweep.run(measured(lanes))) for lanes in (1, 2)]


@pytest.fixture(scope="module")
def pool():
    context = multiprocessing.get_context("spawn")
    with pytest.MonkeyPatch.context() as patched, ProcessPoolExecutor(2, mp_context=context) as processes:
        for name, value in environment().items():
            patched.setenv(name, value)
        yield processes


def test_a_pool_of_processes_gives_the_same_bits(tmp_path, monkeypatch, pool):
    expected = whole()
    monkeypatch.setattr(engine, "_chunk", stop)  # here, not in the workers
    assert base.same(sweep.run(planned(), tmp_path / "out", workers=pool), expected)
    assert files(tmp_path / "out") == ["000000.chunk", "000001.chunk", "000002.chunk"]


def test_workers_compute_in_64_bits_where_their_sender_does(tmp_path, monkeypatch, pool):
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    try:
        plan = line_sweep.planned()
        expected = sweep.run(plan)
        assert expected.history["loss"].dtype == np.float64
        monkeypatch.setattr(engine, "_chunk", stop)  # here, not in the workers
        found = sweep.run(plan, tmp_path / "out", workers=pool)
    finally:
        jax.config.update("jax_enable_x64", before)
    assert line_sweep.bits(found) == line_sweep.bits(expected)


def test_what_killed_workers_leave_is_done_here(tmp_path, monkeypatch):
    jobs = []

    def submit(work, *job):
        jobs.extend(job)
        future = Future()
        future.set_exception(BrokenProcessPool("a worker was killed"))
        return future

    with ThreadPoolExecutor(1) as pool:
        monkeypatch.setattr(pool, "submit", submit)
        assert base.same(sweep.run(planned(), tmp_path / "out", workers=pool), whole())
    assert jobs[0] != jobs[1]  # Dask does once what is the same


def test_what_workers_that_never_answer_leave_is_done_here(tmp_path, monkeypatch):
    """A cluster without workers calls its work pending; one that lost its scheduler calls it cancelled."""
    monkeypatch.setattr(engine, "PATIENCE_SECONDS", 0.3)
    lost, pending = Future(), Future()
    lost.cancel()
    for future in (lost, pending):
        with ThreadPoolExecutor(1) as pool:
            monkeypatch.setattr(pool, "submit", lambda work, *job, future=future: future)
            assert base.same(sweep.run(planned(), tmp_path / str(id(future)), workers=pool), whole())


def test_threads_leave_the_work_to_their_process(tmp_path):
    """Locks would not tell them apart, and one takes all devices."""
    with ThreadPoolExecutor(2) as pool:
        assert base.same(sweep.run(planned(), tmp_path / "out", workers=pool), whole())
        assert [pool.submit(workers.work, job_of(tmp_path / "out", workers.HERE)).result()] == [0]
        assert [pool.submit(workers.work, job_of(tmp_path / "out", "another")).result()] == [10]


def job_of(folder, sender):
    plan = planned()
    return workers.Job(
        plan.trial,
        plan.grid,
        plan.seeds,
        str(folder),
        None,
        False,
        workers.file_of(plan.trial.learner),
        sender,
        0,
    )


def test_workers_that_do_not_see_the_folder_say_so(tmp_path):
    with pytest.raises(InputError, match="not there; workers and their sender share one folder"):
        workers.work(job_of(tmp_path / "elsewhere", "another"))
    assert not (tmp_path / "elsewhere").exists()


def test_workers_need_a_folder_and_a_learner_that_can_be_sent(tmp_path, pool):
    with pytest.raises(InputError, match="out is missing"):
        sweep.run(planned(), workers=pool)
    local = dataclasses.replace(planned(), trial=planned().trial._replace(data=lambda settings: base.DATA))
    with pytest.raises(InputError, match=r"workers: \w+Error: .*lambda"):
        sweep.run(local, tmp_path / "out", workers=pool)


KILLED = """
import sys
import line_sweep
from jaxnets.sweep import engine
engine.KEEP_SECONDS = -1.0
plan = line_sweep.two_hundred()
print("begins", flush=True)
print(line_sweep.bits(line_sweep.sweep.run(plan, sys.argv[1], resume=True)))
"""


def run_until_killed(folder, seconds):
    """The sweep's own process, ended by SIGKILL so long after it began to train; None: to its end."""
    command = [sys.executable, "-c", KILLED, str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment())
    assert process.stdout.readline() == "begins\n"
    if seconds is not None:
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
    return process.communicate()[0].strip()


@pytest.mark.parametrize("kills", [1, pytest.param(60, marks=pytest.mark.release)])
def test_kill_9_at_any_moment_loses_nothing(tmp_path, kills):
    """200 cells of 40 steps in 20 chunks; each start goes on for a random time until it is killed."""
    generator, folder = random.Random(1), tmp_path / "killed"
    expected = line_sweep.bits(sweep.run(line_sweep.two_hundred()))
    for _ in range(kills):
        before = times(folder)
        run_until_killed(folder, generator.uniform(0.0, 0.4))
        assert before.items() <= times(folder).items()
    assert run_until_killed(folder, None) == expected
    left = [path.name for path in folder.rglob("*") if path.is_file()]
    assert sorted(left) == sorted([f"{number:06}.chunk" for number in range(20)] + ["lock", "manifest.json"])
