"""Kills, crashes and signals: what was finished is kept, and gone on with.

A few of each in the suite, many before a release. What writes wrongly on purpose is noticed.
"""

import json
import os
import signal
import subprocess
import sys

import pytest
from line_sweep import five, whole
from test_sweep import same

from jaxnets import sweep

MANY = pytest.mark.release


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
def test_an_interrupt_leaves_a_folder_that_is_gone_on_with(tmp_path, chunk):
    """A signal while it runs, after a chunk; a process in the background may ignore it by default."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def interrupt(done, arrays):
        if done == chunk:
            os.kill(os.getpid(), signal.SIGINT)

    try:
        with pytest.raises(KeyboardInterrupt):
            sweep.run(five(), tmp_path, report=interrupt)
    finally:
        signal.signal(signal.SIGINT, before)
    assert len([*(tmp_path / "chunks").glob("*.chunk")]) >= chunk
    assert same(sweep.run(five(), tmp_path, resume=True), whole())


SIGNALLED = """
import os, sys
sys.path.insert(0, {tests!r})
import line_sweep as line
kill = lambda done, arrays: os.kill(os.getpid(), {number}) if done == {chunk} else None
line.sweep.run(line.planned(), {folder!r}, report=kill)
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
def test_a_signal_to_the_process_leaves_a_folder_that_is_gone_on_with(tmp_path, number, chunk):
    words = {"number": int(number), "chunk": max(chunk, 1), "folder": str(tmp_path / "out")}
    code = SIGNALLED.format(tests=os.path.dirname(__file__), **words)
    environment = os.environ | {"PYTHONPATH": os.getcwd()}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode in (-int(number), 130, 143)
    assert len([*(tmp_path / "out" / "chunks").glob("*.chunk")]) >= max(chunk, 1)
    assert same(sweep.run(five(), tmp_path / "out", resume=True), whole())
