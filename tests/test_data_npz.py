"""The user's own arrays: splits by name, refusals in one line, and hostile archives that are not unpacked."""

import io
import zipfile

import numpy as np
import pytest

from jaxnets.check import InputError
from jaxnets.data import cache, load

ALL = {"test_fraction": 0.0}
SPLIT = {"x_train": np.eye(2), "y_train": np.arange(2), "x_test": np.eye(2), "y_test": np.arange(2)}


@pytest.mark.parametrize(
    "names",
    [("x_{}", "y_{}"), ("{}_inputs", "{}_targets")],
)
def test_npz_with_splits(tmp_path, names):
    x, y = names
    pixels = np.arange(24, dtype=np.uint8).reshape(6, 2, 2)
    arrays = {
        x.format("train"): pixels[:4], y.format("train"): np.array([[5], [3], [5], [3]]),
        x.format("test"): pixels[4:], y.format("test"): np.array([[3], [5]]),
    }  # fmt: skip
    np.savez(tmp_path / "a.npz", **arrays)
    dataset = load(str(tmp_path / "a.npz"))
    np.testing.assert_allclose(dataset.test.inputs, pixels[4:, :, :, None] / np.float32(255))
    assert dataset.train.targets.tolist() == [1, 0, 1, 0]
    assert dataset.test.targets.tolist() == [0, 1]
    assert dataset.class_names == ("3", "5")


def test_npz_of_values_and_of_text(tmp_path):
    np.savez(tmp_path / "a.npz", inputs=np.eye(3), targets=np.array([[0.5], [1], [2]]))
    np.savez(tmp_path / "b.npz", x=np.array(["good", "bad film"]), y=np.array(["pos", "neg"]))
    values, texts = load(str(tmp_path / "a.npz"), **ALL), load(str(tmp_path / "b.npz"), **ALL)
    assert values.train.targets.tolist() == [[0.5], [1], [2]]
    assert values.num_classes is None
    assert texts.train.inputs.tolist() == ["good", "bad film"]
    assert texts.train.targets.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.eye(2)}, "arrays 'x', allowed are one pair for each split"),
        ({"x": np.array([{}, {}]), "y": np.arange(2)}, "holds Python objects"),
        ({"x": np.eye(2), "y": np.arange(3.0)}, "2 inputs and 3 targets"),
        ({"x": np.array([[np.nan], [1]]), "y": np.arange(2)}, "NaN or infinite"),
        ({"x": np.zeros((0, 2)), "y": np.zeros(0)}, "no rows"),
        ({"x": np.zeros((2, 0)), "y": np.arange(2)}, "at least one column"),
        ({"x": np.full((2, 2), 1e300), "y": np.arange(2)}, "NaN or infinite"),
        ({"x": np.eye(2), "y": np.array([1e300, 1])}, "NaN or infinite"),
        ({"x": np.eye(2), "y": np.zeros(2, int)}, "one class .'0'.,"),
        (
            dict.fromkeys(("x", "x_test"), np.eye(2)) | dict.fromkeys(("y", "y_test"), np.arange(2)),
            "one pair",
        ),
        (
            dict.fromkeys(("x", "x_train"), np.eye(2)) | dict.fromkeys(("y", "y_train"), np.arange(2)),
            "one pair",
        ),
        (
            dict.fromkeys(("x", "inputs"), np.eye(2)) | dict.fromkeys(("y", "targets"), np.arange(2)),
            "one pair",
        ),
        ({**SPLIT, "x_test": np.eye(2, dtype=np.uint8)}, "rows of the dtypes"),
        ({**SPLIT, "y_test": np.array(["a", "b"])}, "rows of the dtypes"),
        ({**SPLIT, "x_test": np.eye(3)[:2]}, "rows of the shapes"),
        ({"x": np.array(3.0), "y": np.arange(2)}, "x is float64 of shape"),
        ({"x": np.eye(2), "y": np.zeros(2, "M8[D]")}, "y is datetime64"),
        (
            {"x_train": np.eye(2), "y_train": np.eye(2), "x_test": np.eye(3), "y_test": np.eye(3)},
            "allowed is one shape",
        ),
    ],
)
def test_npz_refusals(tmp_path, arrays, message):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(InputError, match=message):
        load(str(tmp_path / "a.npz"), **ALL)


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def header(text):
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


GOOD = {"x.npy": npy(np.eye(4)), "y.npy": npy(np.arange(4) % 2)}


@pytest.mark.parametrize(
    "member",
    [
        b"hello",
        header(b"{'descr': '<f8', 'fortran_order': False, 'shape': (100000000000,), }"),
        header(b"{'descr': '<f8', 'fortran_order': False, 'shape': (1%s,), }" % (b"0" * 30)),
        header(b"{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }") + bytes(8),
        header(b"{'descr': '<U0', 'fortran_order': False, 'shape': (100000000000,), }"),
        header(b"(" * 4000),
        header(b"(" * 9000),
        header(b"-" * 9000 + b"1"),
        header(b"{'descr': ('''"),
        GOOD["x.npy"] + b"more",
        GOOD["x.npy"][:-1],
    ],
)
def test_hostile_arrays_are_refused_unread(tmp_path, member):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in {**GOOD, "x.npy": member}.items():
            archive.writestr(name, content)
    with pytest.raises(InputError, match=r"not an .npz file, or damaged$"):
        load(str(path))
    assert cache.read(path) is None


def test_an_array_of_no_use_is_not_looked_at(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        for name, content in {"notes.npy": b"no array", **GOOD}.items():
            archive.writestr(name, content)
    assert load(tmp_path / "a.npz", **ALL).train.inputs.shape == (4, 4)


def test_arrays_beyond_the_limit_are_refused(tmp_path, monkeypatch):
    np.savez(tmp_path / "a.npz", x=np.eye(4), y=np.arange(4))
    monkeypatch.setattr("jaxnets.data.npz.MAX_BYTES", 300)
    with pytest.raises(InputError, match="arrays of 416 bytes, allowed are 300"):
        load(tmp_path / "a.npz")


@pytest.mark.parametrize("encrypted", [False, True])
def test_a_flipped_bit_is_noticed(tmp_path, encrypted):
    np.savez(tmp_path / "a.npz", x=np.full((4, 1), 7.0), y=np.arange(4))
    content = bytearray((tmp_path / "a.npz").read_bytes())
    at = content.index(b"PK\x01\x02") + 8 if encrypted else content.index(np.float64(7).tobytes())
    content[at] ^= 1
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(InputError, match="damaged"):
        load(tmp_path / "a.npz")
