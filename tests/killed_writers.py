"""Processes that are killed while they write to a sweep's folder, forked by one that never computes.

    python tests/killed_writers.py NUM_SAVES NUM_LOCKS

Prints what was found as JSON: tests read it. Only the store is imported and used, so that a fork is safe and
takes a hundredth of a second.
"""

import json
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from jaxnets.check import InputError
from jaxnets.sweep import records
from jaxnets.sweep.store import Store

MANIFEST = {"sweep": "abc", "format": 1}
NUM_NUMBERS, BLOCK = 200_000, 2**18
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
"""Where syncing takes no time; a process that ends by itself leaves there what it would on a disk."""


def arrays_of(number, length=NUM_NUMBERS):
    """What the save of this number keeps."""
    return {"values": np.full(length, number, np.int32)}


def safely(path, number):
    """As the library writes."""
    records.write(path, {}, arrays_of(number))


def in_place(path, number):
    """The control: the same bytes over those that stand there, block by block."""

    def replace(path, content):
        with open(path, "wb", buffering=0) as file:
            for start in range(0, len(content), BLOCK):
                file.write(content[start : start + BLOCK])
                os.fsync(file.fileno())

    before, records.replace = records.replace, replace
    try:
        records.write(path, {}, arrays_of(number))
    finally:
        records.replace = before


def forked(work):
    """The number of a process that does the work and ends."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    return child


def killed_while_saving(save, num_kills):
    """How many kills hit a save, and how many left no whole file with a save's numbers."""
    generator, inside, lost = random.Random(0), 0, 0
    for _ in range(num_kills):
        with tempfile.TemporaryDirectory() as folder:
            path, (ear, mouth) = Path(folder) / "a", os.pipe()
            save(path, 0)

            def loop(path=path, mouth=mouth):
                for number in range(1, 10**6):
                    os.write(mouth, b"(")
                    save(path, number)
                    os.write(mouth, b")")

            child = forked(loop)
            os.read(ear, 1)
            time.sleep(generator.uniform(0, 0.01))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            os.close(mouth)
            heard = b"(" + os.read(ear, 10**6)
            os.close(ear)
            inside += heard.endswith(b"(")
            lost += not is_one_of(path, (heard.count(b")"), heard.count(b"(")))
    return inside, lost


def is_one_of(path, numbers):
    """Whether the file is the whole of one of these saves."""
    try:
        found = records.read(path, {})["values"]
    except (InputError, OSError):
        return False
    return any(np.array_equal(found, arrays_of(number)["values"]) for number in numbers)


CALLS = [(os, "open"), (os, "fsync"), (os, "replace"), (Path, "unlink"), (Path, "mkdir")]


def crash_at(point):
    """Ends this process, as by a loss of power, before or after its call number so and so of the system."""
    seen = [0]

    def watched(call):
        def replaced(*args, **options):
            for when in ("before", "after"):
                if seen[0] == point:
                    os._exit(9)
                seen[0] += 1
                if when == "before":
                    found = call(*args, **options)
            return found

        return replaced

    for owner, name in CALLS:
        setattr(owner, name, watched(getattr(owner, name)))


def sweep_in(folder):
    """What a sweep writes: a manifest, a chunk's way twice, two chunks."""
    with Store(folder, MANIFEST, resume=True) as store:
        for chunk in (0, 1):
            if store.finished(chunk) is None:
                store.keep(chunk, arrays_of(chunk, 5))
                store.keep(chunk, arrays_of(chunk + 10, 5))
                store.finish(chunk, arrays_of(chunk + 20, 5))


FILES = ["000000.chunk", "000001.chunk", "lock", "manifest.json"]


def is_sound(folder):
    """Whether a sweep's chunks are those that it writes."""
    with Store(folder, MANIFEST, resume=True) as store:
        found = [store.finished(chunk) for chunk in (0, 1)]
    wanted = [arrays_of(chunk + 20, 5)["values"] for chunk in (0, 1)]
    return all(one is not None and np.array_equal(one["values"], other) for one, other in zip(found, wanted))


def crashed_at_every_point():
    """How many points there were, and those after which a second start did not make all good."""
    wrong = []
    for point in range(1000):
        with tempfile.TemporaryDirectory(dir=MEMORY) as folder:

            def crash(point=point, folder=folder):
                crash_at(point)
                sweep_in(folder)

            _, code = os.waitpid(forked(crash), 0)
            sweep_in(folder)
            left = sorted(path.name for path in Path(folder).rglob("*") if path.is_file())
            if left != FILES or not is_sound(folder):
                wrong.append([point, left])
        if code == 0:
            return point, wrong
    raise AssertionError("a thousand calls")


def locked_out(num):
    """Of so many second processes: the longest time until one was refused, and what they said."""
    longest, lines = 0.0, set()
    for _ in range(num):
        with tempfile.TemporaryDirectory() as folder, Store(folder, MANIFEST):
            ear, mouth = os.pipe()

            def second(folder=folder, mouth=mouth):
                try:
                    Store(folder, MANIFEST, resume=True)
                    os.write(mouth, b"let in")
                except InputError as refusal:
                    os.write(mouth, str(refusal).removeprefix(folder).encode())

            begun = time.perf_counter()
            os.waitpid(forked(second), 0)
            longest = max(longest, time.perf_counter() - begun)
            lines.add(os.read(ear, 1000).decode())
    return longest, [*lines], os.getpid()


if __name__ == "__main__":
    num_saves, num_locks = map(int, sys.argv[1:])
    print(
        json.dumps(
            {
                "safely": killed_while_saving(safely, num_saves),
                "in place": killed_while_saving(in_place, num_saves),
                "points": crashed_at_every_point(),
                "locks": locked_out(num_locks),
            }
        )
    )
