"""The user's own tables and texts, good and bad."""

from pathlib import Path

import numpy as np
import pytest

from jaxnets.check import InputError
from jaxnets.data import load

ALL = {"test_fraction": 0.0}


@pytest.fixture
def write(tmp_path):
    def write_file(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return write_file


@pytest.mark.parametrize(
    ("name", "text", "inputs", "targets", "class_names", "feature_names"),
    [
        ("a.csv", "x,y,z\n1,2,b\n3,4,a\n", [[1, 2], [3, 4]], [1, 0], ("a", "b"), ("x", "y")),
        ("a.csv", "1,2,b\n3,4,c\n", [[1, 2], [3, 4]], [0, 1], ("b", "c"), ("column 1", "column 2")),
        ("a.csv", "label,x\n7,1.5\n-1,2\n", [[1.5], [2]], [1, 0], ("-1", "7"), ("x",)),
        ("a.csv", "Target,x\n0.5,1\n2,2\n", [[1], [2]], [0.5, 2], (), ("x",)),
        ("a.csv", "x,price\n1,0.5\n2,2.0\n", [[1], [2]], [0.5, 2], (), ("x",)),
        ("a.tsv", "1\t0\n2\t1\n\n", [[1], [2]], [0, 1], ("0", "1"), ("column 1",)),
        ("a.CSV", "\ufeffx,label\r\n1,0\r\n2,1\r\n", [[1], [2]], [0, 1], ("0", "1"), ("x",)),
        ("a.csv", "x,label\nTrue,yes\nFalse,no\n", [[1], [0]], [1, 0], ("no", "yes"), ("x",)),
        ("a.csv", "0,1,label\n5,6,0\n7,8,1\n", [[5, 6], [7, 8]], [0, 1], ("0", "1"), ("0", "1")),
        ("a.csv", "0,1,2\n5,6,0\n7,8,1\n", [[5, 6], [7, 8]], [0, 1], ("0", "1"), ("0", "1")),
        ("a.csv", "5,6,class\n7,8,class\n9,9,b\n", [[5, 6], [7, 8], [9, 9]], [1, 1, 0], ("b", "class"),
         ("column 1", "column 2")),
        ("a.csv", ",x,label\n0,5,0\n1,6,1\n", [[5], [6]], [0, 1], ("0", "1"), ("x",)),
        ("a.csv", "Unnamed: 0,0,1,2\n0,5,6,0\n1,7,8,1\n", [[5, 6], [7, 8]], [0, 1], ("0", "1"), ("0", "1")),
        ("a.csv", f"x,label\n{10**30},0\n2,1\n", [[1e30], [2]], [0, 1], ("0", "1"), ("x",)),
        ("a.csv", f"x,label\n1,{10**30}\n2,1\n", [[1], [2]], [1, 0], ("1.0", "1e+30"), ("x",)),
    ],
)  # fmt: skip
def test_tables(write, name, text, inputs, targets, class_names, feature_names):
    dataset = load(write(name, text), **ALL)
    assert np.array_equal(dataset.train.inputs, np.array(inputs, np.float32))
    assert np.array_equal(dataset.train.targets, targets)
    assert dataset.train.targets.dtype == (np.int32 if class_names else np.float32)
    assert dataset.class_names == class_names
    assert dataset.num_classes == (len(class_names) or None)
    assert dataset.feature_names == feature_names


@pytest.mark.parametrize(
    "text",
    [
        "1\ta fine film\n0\tnot \"good\nat all\n".replace("\nat", " at"),
        "label\ttext\n1\ta fine film\n0\tnot \"good at all\n",
        "text\tlabel\na fine film\t1\nnot \"good at all\t0\n",
    ],
)  # fmt: skip
def test_texts(write, text):
    dataset = load(write("reviews.tsv", text), **ALL)
    assert dataset.train.inputs.tolist() == ["a fine film", 'not "good at all']
    assert dataset.train.targets.tolist() == [1, 0]
    assert dataset.train.inputs.dtype.kind == "T"


def test_a_header_above_words(write):
    rows = "review,sentiment\n" + "a fine film,pos\nnot a film,neg\n" * 3
    reviews = load(write("a.csv", rows), **ALL)
    assert (reviews.class_names, len(reviews.train.targets)) == (("neg", "pos"), 6)
    assert load(write("b.csv", rows.split("\n", 1)[1]), **ALL).train.inputs[0] == "a fine film"


def test_many_integers_are_values(write):
    rows = "".join(f"{i},{i}\n" for i in range(21))
    assert load(write("a.csv", rows), **ALL).num_classes is None
    assert load(write("b.csv", "x,label\n" + rows), **ALL).num_classes == 21
    assert load(write("c.csv", rows[: rows.index("20,")]), **ALL).num_classes == 20


def test_missing_cells_only_where_allowed(write):
    path, texts = write("a.csv", "x,y,label\n1,2,0\n,?,1\n"), write("b.tsv", "a b\t0\n\t1\nc d\t1\n")
    with pytest.raises(InputError, match=r"row 3, column 'x': missing value"):
        load(path, **ALL)
    numbers = load(path, allow_missing=True, **ALL).train.inputs
    assert np.isnan(numbers).tolist() == [[False, False], [True, True]]
    assert load(texts, allow_missing=True, **ALL).train.inputs.tolist() == ["a b", "", "c d"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "", "no rows"),
        ("a.csv", "\n\nx,label\n1,0\nb,1\n2,1\n", "'b', allowed are numbers"),
        ("a.csv", "x,label\n", "no rows"),
        ("a.csv", "height,width\n", "no rows"),
        ("a.csv", ",x,label\n1,5,0\n0,6,1\n", "column 1 has no name"),
        ("a.csv", "x,label,\n1,0,\n2,1,\n", "column 3 has no name"),
        ("a.csv", ",label\n0,0\n1,1\n", "1 column, allowed are two or more"),
        ("a.csv", "x,label\n1,a\n2,a\n", "one class ('a'), two or more"),
        ("a.csv", f"x,label\n{10**400},0\n2,1\n", "NaN or infinite"),
        (
            "a.npz",
            b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }"
            + b" " * 60
            + b"\n"
            + bytes(8),
            "not an .npz file",
        ),
        ("a.csv", "1\n2\n", "1 column, allowed are two or more"),
        ("a.csv", "x,y,label\n1,2,0\n1,2,3,4\n", "uneven rows"),
        ("a.csv", "x,y,label\n1,2,0\n1,2\n", "row 3, column 'label': no target"),
        ("a.csv", "x,y,label\n1,2,0\n3,four,1\n5,6,1\n", "row 3, column 'y': 'four', allowed are numbers"),
        ("a.csv", "x,label\n1,0\n2,1\n3,0\nfour,1\n", "row 5, column 'x': 'four', allowed are numbers"),
        ("a.csv", "x,x,label\n1,2,0\n", "two of one name"),
        ("a.csv", "x,label\ninf,0\n1,1\n", "1 of 2 values are NaN or infinite, the first in row 0"),
        ("a.csv", "x,label\n1e300,0\n1,1\n", "NaN or infinite"),
        ("a.csv", b"x,label\n\xff\xfe,0\n", "not text in UTF-8"),
        ("a.npz", b"PK not a zip file", "not an .npz file, or damaged"),
    ],
)
def test_refusals_are_one_line(write, name, content, message):
    path = write(name, content)
    with pytest.raises(InputError) as refusal:
        load(path, **ALL)
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_file_that_may_not_be_read(write, monkeypatch):
    path = write("a.csv", "1,2\n")

    def refuse(*args, **kwargs):
        raise PermissionError

    monkeypatch.setattr("builtins.open", refuse)
    monkeypatch.setattr("pandas.read_csv", refuse)
    with pytest.raises(InputError, match="no permission"):
        load(path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a\n\x1b[31m.csv", "x,label\nfour,1\n5,0\n6,0\n"),
        ("a\n\x1b[31m.csv", "x,label\n1,1\n5,1\n"),
        ("a\n\x1b[31m.csv", ""),
        ("a\n\x1b[31m.npz", b""),
        ("a.csv", '"x\n\x1b[31m",label\nfour,1\n5,0\n6,0\n'),
    ],
)
def test_hostile_names_stay_in_the_line(write, name, content):
    with pytest.raises(InputError) as refusal:
        load(write(name, content))
    assert str(refusal.value).isprintable()


@pytest.mark.parametrize(
    "name", ["x" * 5000 + ".csv", "x\0.csv", "~nobody-of-this-name/x.csv", Path("none.npz")]
)
def test_paths_of_no_file(name):
    with pytest.raises(InputError, match="no file '"):
        load(name)
