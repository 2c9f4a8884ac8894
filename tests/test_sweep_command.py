"""``python -m experiments NAME --grid ...``: plans, runs, resumes; tables, pictures, refusals."""

import csv

import pytest

from experiments import __main__ as command
from experiments import _sweep

WORDS = ["nielsen_digits", "--dataset=iris", "--rows=matrices", "--num-steps=40", "--seeds=2", "--lanes=2"]
GRID = ["--grid", "learning_rate=log:0.1:1000:3"]


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    out = tmp_path_factory.mktemp("sweep") / "out"
    assert command.main([*WORDS, *GRID, "--out", str(out)]) == 0
    return out


def read(path):
    return [*csv.DictReader(path.read_text().splitlines())]


def test_tables_and_pictures_are_written(done):
    cells, points = read(done / "table.csv"), read(done / "points.csv")
    assert [(float(row["learning_rate"]), row["seed"]) for row in cells[:2]] == [(0.1, "0"), (0.1, "1")]
    assert len(cells) == 6
    assert len(points) == 3
    mean = sum(float(row["loss"]) for row in cells[:2]) / 2
    assert float(points[0]["mean"]) == pytest.approx(mean)
    assert (done / "curve.png").stat().st_size > 5000


def test_a_finished_sweep_is_resumed_and_not_overwritten(done, capsys):
    table = (done / "table.csv").read_bytes()
    assert command.main([*WORDS, *GRID, "--out", str(done)]) == 2
    assert capsys.readouterr().err.endswith("holds a sweep; resume it, or start afresh\n")
    assert command.main([*WORDS, *GRID, "--out", str(done), "--resume"]) == 0
    out = capsys.readouterr()
    assert "best loss" in out.out
    assert "6 of 6 cells, best loss" in out.err
    assert (done / "table.csv").read_bytes() == table


def test_a_plan_writes_nothing(tmp_path, capsys):
    assert command.main([*WORDS, *GRID, "--out", str(tmp_path / "out"), "--plan"]) == 0
    assert "6 cells = 3 points x 2 seeds, 1 static combination, 1 compilation" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


def test_two_names_give_a_heat_map(tmp_path):
    words = [*WORDS, "--grid", "learning_rate=1,3", "batch_size=10,20", "--out", str(tmp_path)]
    assert command.main(words) == 0
    assert (tmp_path / "heatmap.png").stat().st_size > 5000


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--grid", "learnig_rate=1,2"], "did you mean 'learning_rate'?"),
        (["--grid", "learning_rate=log:1:2"], "a range without a number of values"),
        (["--grid", "learning_rate=-1,1"], "learning_rate = -1.0, allowed is (0, inf)"),
        (["--grid", "learning_rate=1,2", "--space", "cube"], "unknown space 'cube'"),
        (["--grid", "learning_rate=1,2", "--resume", "--fresh"], "--resume and --fresh, allowed is one"),
        (["--grid", "learning_rate=1,2", "--lanes", "0"], "lanes = 0"),
        (["--plan"], "--plan, allowed with --grid"),
        (["--grid", "learning_rate=1,2", "--share", "--halving"], "--share, allowed with --lanes"),
    ],
)
def test_what_is_no_sweep_is_refused_in_a_line(words, message, capsys, tmp_path):
    assert command.main([*WORDS, *words, "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_halving_says_who_went_on(tmp_path, capsys):
    words = [*WORDS, "--grid", "learning_rate=log:0.1:30:6", "--halving", "--out", str(tmp_path)]
    assert command.main(words) == 0
    assert "4 points left out" in capsys.readouterr().out
    statuses = [row["status"] for row in read(tmp_path / "table.csv")]
    assert sorted(set(statuses)) == ["ok", "stopped"]


def test_points_are_compared_by_the_validation_rows_or_the_loss():
    assert _sweep.main_metric(["loss", "valid_accuracy", "test_accuracy"]) == "valid_accuracy"
    assert _sweep.main_metric(["loss", "test_accuracy"]) == "loss"
    assert _sweep.main_metric(["auroc"]) == "auroc"
