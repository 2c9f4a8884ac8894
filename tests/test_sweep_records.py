"""Records: whole or not there; every damage is found."""

import json
import os
import random
import socket

import numpy as np
import pytest

from jaxnets.check import InputError
from jaxnets.sweep import records

ARRAYS = {
    "cell": np.arange(3, dtype=np.int32), "history/loss": np.array([[1.5, np.nan]], np.float32),
    "flags": np.array([True, False]), "nothing": np.zeros((0, 2)), "one": np.array(7),
}  # fmt: skip


class Stop(Exception):
    pass


def stop(*_):
    raise Stop


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


@pytest.mark.parametrize("kind", [*sorted(records.NARROW), "complex64"])
def test_numbers_beyond_those_of_numpy_are_kept_bit_for_bit(tmp_path, kind):
    numbers = np.arange(6).reshape(2, 3).astype(kind)
    records.write(tmp_path / "a", {}, {"numbers": numbers})
    found = records.read(tmp_path / "a", {})["numbers"]
    assert (found.dtype, found.shape, found.tobytes()) == (kind, (2, 3), numbers.tobytes())


@pytest.mark.parametrize(
    "array", [np.array(["a"]), np.array([None]), np.zeros(2, "V3"), np.zeros(1, "M8[s]")]
)
def test_what_could_not_be_read_again_is_not_written(tmp_path, array):
    with pytest.raises(InputError, match=r"^numbers: .* arrays, allowed are truths and numbers$"):
        records.write(tmp_path / "a", {}, {"numbers": array})
    assert not [*tmp_path.iterdir()]


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

    for layout in (
        [["a", "<f8", [2**40]]],
        [["a", "|O", [1]]],
        [["a", "<f8", [-1]]],
        [["a", "<f8", [-1, 0]]],
        [["a", "<f8", [0, 10**30]]],
        [["a", "<f8", [0, 2**62, 4]]],
        [["a", "<f8", [0] + [1] * 70]],
        [["a", "V9", [1]]],
        [["a", "<V2", [1]]],
        [["a", ["bfloat16"], [1]]],
        [["a", "bfloat16", [2**40]]],
        {},
    ):
        header = json.dumps({"about": {}, "arrays": layout}).encode()
        first = f"{records.MAGIC} {hashlib.sha256(header).hexdigest()} {len(header)}\n".encode()
        (tmp_path / "a").write_bytes(first + header)
        if layout == {}:
            assert records.read(tmp_path / "a", {}) == {}
            continue
        with pytest.raises(InputError, match=r"arrays of|cannot be read"):
            records.read(tmp_path / "a", {})


@pytest.mark.parametrize("kind", ["link", "device", "pipe", "socket", "folder"])
def test_what_is_no_plain_file_is_neither_read_nor_waited_for(tmp_path, kind):
    path, other = tmp_path / "000000.chunk", tmp_path / "other"
    records.write(other, {}, ARRAYS)
    with socket.socket(socket.AF_UNIX) as plug:
        {
            "link": lambda: path.symlink_to(other),
            "device": lambda: path.symlink_to("/dev/zero"),
            "pipe": lambda: os.mkfifo(path),
            "socket": lambda: plug.bind(os.path.relpath(path)),
            "folder": path.mkdir,
        }[kind]()
        with pytest.raises(InputError, match=r"000000.chunk: damaged, no plain file"):
            records.read(path, {})
    with pytest.raises(FileNotFoundError):
        records.read(tmp_path / "nowhere", {})


def test_a_large_file_that_is_no_record_is_not_read(tmp_path):
    with (tmp_path / "a").open("wb") as file:
        file.truncate(2**40)  # a hole: it takes no room
    with pytest.raises(InputError, match="no whole record"):
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
