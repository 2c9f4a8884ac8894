"""Files of ratings: what is read, what is refused, and who rated most."""

import pytest

from jaxnets.check import InputError
from jaxnets.data import ratings


@pytest.mark.parametrize("header", ["", "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"])
def test_file_is_read_and_the_busiest_come_first(header, tmp_path):
    path = tmp_path / "some.inter"
    cells = [(7, 5, 3), (7, 9, 4), (7, 2, 1), (3, 5, 2), (3, 9, 5), (8, 5, 1)]
    path.write_text(header + "".join(f"{u}\t{i}\t{r}\t881250949\n" for u, i, r in cells))
    rows = ratings.read(path)
    assert rows.inputs.tolist() == [[u, i] for u, i, _ in cells]
    assert rows.targets.tolist() == [r for *_, r in cells]
    assert ratings.busiest(rows.inputs[:, 0], 2).tolist() == [0, 0, 0, 1, 1, -1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1\t2\tthree\t4\n", r"line 1: '1\\t2\\tthree\\t4', allowed are user, item, rating"),
        ("user\titem\trating\n1\t2\t3\n1\t2\n", "line 3"),
        ("1\t2\t3\nuser\titem\trating\n", "line 2"),
        ("user\titem\trating\n", "no ratings"),
        (f"{2**64}\t2\t3\n", "line 1"),
        (None, "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_one_line(text, message, tmp_path):
    path = tmp_path / "some.inter"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=message) as error:
        ratings.read(path)
    assert "some.inter" in str(error.value)
    assert "\n" not in str(error.value)


def test_large_numbers_of_users_stay_apart(tmp_path):
    path = tmp_path / "some.inter"
    path.write_text("".join(f"{3_000_000_000 + user}\t1\t4\n" for user in range(5)))
    rows = ratings.read(path)
    assert rows.inputs[:, 0].tolist() == [3_000_000_000 + user for user in range(5)]
    assert sorted(ratings.busiest(rows.inputs[:, 0], None)) == list(range(5))
