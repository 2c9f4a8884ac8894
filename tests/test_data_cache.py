"""The cache of decoded arrays: the same arrays again, or none."""

import os

import numpy as np
import pytest

from jaxnets.data import cache

ARRAYS = {
    "pixels": np.arange(12, dtype=np.uint8).reshape(3, 2, 2),
    "values": np.array([0.5, np.nan], np.float32),
    "texts": np.array(["", "naïve café", "a\tb"], np.dtypes.StringDType()),
    "none": np.array([], np.dtypes.StringDType()),
}


def same(left, right):
    return left.keys() == right.keys() and all(
        left[name].dtype == right[name].dtype
        and left[name].tolist().__repr__() == right[name].tolist().__repr__()
        for name in left
    )


def test_what_is_written_is_read(tmp_path):
    cache.write(tmp_path / "a.npz", ARRAYS)
    assert same(cache.read(tmp_path / "a.npz"), ARRAYS)
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]
    assert (tmp_path / "a.npz").stat().st_mode & 0o777 == 0o600


def test_built_once(tmp_path):
    calls = []
    for _ in range(3):
        arrays = cache.cached("key", [tmp_path], lambda: calls.append(1) or ARRAYS)
        assert same(arrays, ARRAYS)
    assert len(calls) == 1
    cache.cached("other", [tmp_path], lambda: calls.append(1) or ARRAYS)
    assert len(calls) == 2


def test_no_pickle_is_read(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.array([{}]), sha256=np.array("0"))
    assert cache.read(tmp_path / "a.npz") is None


def test_any_flipped_bit_leaves_the_same_arrays_or_none(tmp_path):
    cache.write(tmp_path / "a.npz", ARRAYS)
    whole = (tmp_path / "a.npz").read_bytes()
    found = []
    for position in range(0, len(whole), 7):
        flipped = bytearray(whole)
        flipped[position] ^= 1 << position % 8
        (tmp_path / "a.npz").write_bytes(flipped)
        found.append(cache.read(tmp_path / "a.npz"))
    assert all(arrays is None or same(arrays, ARRAYS) for arrays in found)
    assert sum(arrays is None for arrays in found) > len(found) / 2


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "swap"])
def test_a_damaged_file_is_built_again(tmp_path, damage):
    cache.cached("key", [tmp_path], lambda: ARRAYS)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    at = whole.index(ARRAYS["pixels"].tobytes())
    if damage == "swap":  # whole as a zip file, but another content: only the hash tells
        stored = dict(np.load(path))
        np.savez(path, **{**stored, "pixels": stored["pixels"][::-1]})
    else:
        path.write_bytes(
            {"cut": whole[:-9], "flip": whole[:at] + b"\xff" + whole[at + 1 :], "empty": b""}[damage]
        )
    assert cache.read(path) is None
    assert same(cache.cached("key", [tmp_path], lambda: ARRAYS), ARRAYS)
    assert same(cache.read(path), ARRAYS)


def test_a_read_only_folder_is_left_alone(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir(mode=0o555)
    for _ in range(2):
        assert same(cache.cached("key", [first, second], lambda: ARRAYS), ARRAYS)
    assert not list(first.iterdir())
    assert len(list(second.iterdir())) == 1


def test_a_full_disk_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert same(cache.cached("key", [tmp_path / "a"], lambda: ARRAYS), ARRAYS)
    assert not list((tmp_path / "a").iterdir())
