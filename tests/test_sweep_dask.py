"""Dask's workers take their part of a sweep; those that are killed, and a scheduler that is, lose nothing."""

import signal
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager

import pytest
import test_sweep as base
from distributed import Client
from small_sweep import environment, files

from jaxnets import sweep
from jaxnets.sweep import engine

CHUNKS = [f"{number:06}.chunk" for number in range(10)]


@pytest.fixture(scope="module")
def planned():
    """Ten chunks of some tenths of a second; the learner is sent itself, its file is not known to workers."""

    def learner(hparams, settings):
        return base.learner(hparams, settings)

    grid = sweep.Grid(learning_rate=sweep.log(0.001, 1, 20), num_steps=[2000])
    return sweep.plan(base.TRIAL._replace(learner=learner), grid, lanes=2, chunk_size=2)


@pytest.fixture(scope="module")
def whole(planned):
    return sweep.run(planned)


@contextmanager
def cluster(folder):
    """A scheduler and two workers on loopback, on ports that are free: a client, and their processes."""
    address = ["--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", str(folder / "scheduler.json")]
    one_thread = ["--no-nanny", "--nthreads", "1", "--local-directory", str(folder)]
    with ExitStack() as stack:
        log = stack.enter_context((folder / "log").open("ab"))
        processes = []
        for words in (["scheduler", "--port", "0"], *2 * [["worker", *one_thread]]):
            command = [sys.executable, "-m", "dask", *words, *address]
            processes.append(stack.enter_context(subprocess.Popen(command, env=environment(), stderr=log)))
            stack.callback(processes[-1].kill)
        while not (folder / "scheduler.json").exists():
            time.sleep(0.05)
        client = stack.enter_context(Client(scheduler_file=str(folder / "scheduler.json")))
        client.wait_for_workers(2, timeout=60)
        yield client, processes


def holders():
    """Processes that hold a chunk: their locks, by the system's own list."""
    with open("/proc/locks") as lines:
        return {int(words[4]) for words in map(str.split, lines) if words[1] == "POSIX"}


def killer(victims, done_when_killed):
    """Kills processes after the first chunk: of several, all, or the first that is at work."""

    def report(done, arrays):
        able = [process for process in victims if process.pid in holders()]
        for process in able[:1] if not done_when_killed else ():
            process.send_signal(signal.SIGKILL)
            done_when_killed.append(done)

    return report


def test_a_worker_that_is_killed_at_work_loses_nothing(planned, whole, tmp_path):
    killed = []
    with cluster(tmp_path) as (client, processes):
        result = sweep.run(
            planned, tmp_path / "out", workers=client.get_executor(), report=killer(processes[1:], killed)
        )
    assert len(killed) == 1
    assert killed[0] < planned.num_cells
    assert base.same(result, whole)
    assert result.damaged == []
    assert files(tmp_path / "out") == CHUNKS


@pytest.mark.release
@pytest.mark.parametrize("victims", [slice(1, 3), slice(0, 1)], ids=["all_workers", "scheduler"])
def test_what_is_left_when_nobody_answers_is_done_here(planned, whole, tmp_path, monkeypatch, victims):
    monkeypatch.setattr(engine, "PATIENCE_SECONDS", 15.0)
    killed = []

    def report(done, arrays):
        for process in processes[victims] if not killed else ():
            process.kill()
        killed.append(done)

    with cluster(tmp_path) as (client, processes):
        result = sweep.run(planned, tmp_path / "out", workers=client.get_executor(), report=report)
    assert killed[0] < planned.num_cells
    assert base.same(result, whole)
    assert files(tmp_path / "out") == CHUNKS
