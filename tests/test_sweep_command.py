"""``python -m experiments NAME --grid ...``: plans, runs, resumes; tables, pictures, refusals."""

import csv
import dataclasses
import io
import json
import os
import shlex
import signal
import subprocess
import sys
import time

import jax
import numpy as np
import pytest
import small_sweep
from rich.console import Console

from experiments import __main__ as command
from experiments import _progress, _sweep
from experiments._contract import Common
from jaxnets.check import InputError
from jaxnets.sweep import Grid

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
    for picture in ("curve.png", "curves.png"):
        assert (done / picture).stat().st_size > 5000
    assert (done / "report.html").read_text("utf8").count("data:image/png") == 2


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


def pictures(folder):
    return {path.name for path in folder.glob("*.png")}


def test_two_names_give_a_heat_map_and_histories_by_each(tmp_path):
    for name in ("curves_momentum.png", "of_mine.png"):
        (tmp_path / name).write_bytes(b"")
    words = [*WORDS, "--grid", "learning_rate=1,3", "batch_size=10,20", "--out", str(tmp_path)]
    assert command.main(words) == 0
    made = {"heatmap.png", "curves_learning_rate.png", "curves_batch_size.png"}
    assert pictures(tmp_path) == made | {"of_mine.png"}  # the pictures of another grid are gone


def test_points_that_fill_no_plane_are_lines_over_all_names(tmp_path):
    grid = ["--grid", "learning_rate=log:0.1:10", "batch_size=10,20", "--space=random:8"]
    words = [*grid, "--metric=test_accuracy", "--direction=minimize", "--out", str(tmp_path)]
    assert command.main([*WORDS, *words]) == 0
    assert pictures(tmp_path) == {"parallel.png", "curves.png"}


def test_the_metric_and_its_direction_are_chosen(done, capsys):
    words = [*WORDS, *GRID, "--out", str(done), "--resume", "--metric=test_accuracy"]
    means = np.reshape([float(row["test_accuracy"]) for row in read(done / "table.csv")], (3, 2)).mean(axis=1)
    for direction, best in (("auto", means.max()), ("minimize", means.min())):
        assert command.main([*words, "--direction", direction]) == 0
        out = capsys.readouterr()
        assert f"best test accuracy {best:.4g}" in out.out
        assert "6 of 6 cells, best test accuracy" in out.err
        assert [float(row["mean"]) for row in read(done / "points.csv")] == pytest.approx(means)


def test_own_final_numbers_are_known_before_the_training_where_shapes_tell():
    plan = small_sweep.planned()
    told = dataclasses.replace(plan, trial=plan.trial._replace(evaluate=lambda *_: {"own": 1.0}))
    assert _sweep.metric_of(told, "own", has_history=False) == "own"
    with pytest.raises(InputError, match="unknown metric 'nope': allowed: loss"):
        _sweep.metric_of(told, "nope", has_history=False)


def test_own_final_numbers_that_are_measured_alone_cost_no_table(tmp_path):
    """Their names are known after the training, which is not lost then."""

    def evaluate(learner, state, dataset):
        return {"own": float(jax.tree.leaves(state)[0].sum())}

    trial, grid = small_sweep.base.TRIAL._replace(evaluate=evaluate), Grid(learning_rate=[0.1, 0.3])
    with pytest.raises(
        InputError, match="unknown metric 'nope': allowed: loss, valid_accuracy, test_accuracy, own"
    ):
        _sweep._sweep_row(trial, grid, Common(metric="nope", lanes=2), tmp_path)
    assert len(read(tmp_path / "table.csv")) == 2
    assert (tmp_path / "report.html").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--grid", "learnig_rate=1,2"], "did you mean 'learning_rate'?"),
        (["--grid", "learning_rate=log:1:2"], "a range without a number of values"),
        (["--grid", "learning_rate=-1,1"], "learning_rate = -1.0, allowed is (0, inf)"),
        (["--grid", "learning_rate=1,2", "--space", "cube"], "unknown space 'cube'"),
        (["--grid", "learning_rate=1,2", "--resume", "--fresh"], "--resume and --fresh, allowed is one"),
        (["--grid", "learning_rate=1,2", "--lanes", "0"], "lanes = 0"),
        (["--grid", "learning_rate=1,2", "--metric", "test_acuracy"], "did you mean 'test_accuracy'?"),
        (["--grid", "learning_rate=1,2", "--metric", "test_accuracy", "--halving"], "allowed: loss"),
        (["--grid", "learning_rate=1,2", "--direction", "up"], "minimize"),
        (["--plan"], "--plan, allowed with --grid"),
        (["--grid"], "--grid without a word, allowed are name=a,b,c"),
        (["--grid", "learning_rate=1,2", "--diagnose"], "--grid and --diagnose, allowed is one of them"),
        (
            ["--grid", "learning_rate=1,2", "--share", "--fresh"],
            "--share and --fresh, allowed is one of them",
        ),
        (
            ["--grid", "learning_rate=1,2", "--learning-rate", "3"],
            "--learning-rate and --grid learning_rate=",
        ),
        (["--grid", "learning_rate=1,2", "--space", "zip:3"], "space zip:3, allowed is zip"),
        (["--grid", "learning_rate=1,2", "--share", "--halving"], "--share, allowed where no run stops"),
        (["--grid", "learning_rate=1,2", "--hyperband", "--halving"], "allowed is one of them"),
        (["--direction", "minimize"], "--direction, allowed with --grid"),
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


def test_who_shares_a_folder_has_its_lanes_and_may_begin_a_new_one(done, tmp_path, capsys):
    words = [*WORDS[:-1], *GRID, "--share", "--plan", "--out"]
    assert command.main([*words, str(done)]) == 0
    assert "6 cells 2 lanes, " in capsys.readouterr().out
    words = [*WORDS[:-1], "--grid", "learning_rate=log:0.1:30:6", "--share", "--out", str(tmp_path)]
    assert command.main([*words, "--lanes=3"]) == 0
    assert command.main([*words, "--resume"]) == 0  # all is there
    (part,) = json.loads((tmp_path / "manifest.json").read_text())["parts"].values()
    assert part["lanes"] == 3


def test_a_bucket_is_no_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert command.main([*WORDS, *GRID, "--out", "gs://bucket/x"]) == 2
    error = capsys.readouterr().err
    assert error == "error: --out = 'gs:/bucket/x', allowed is a local or mounted folder\n"
    assert not [*tmp_path.iterdir()]


def test_hyperband_has_brackets(tmp_path):
    words = [*WORDS, "--grid", "learning_rate=log:0.1:30:6", "--hyperband", "--out", str(tmp_path)]
    assert command.main(words) == 0
    halving = json.loads((tmp_path / "manifest.json").read_text())["halving"]
    assert len(halving["brackets"]) == 2


def test_points_are_compared_by_the_validation_rows_or_the_loss():
    assert _sweep.main_metric(["loss", "valid_accuracy", "test_accuracy"]) == "valid_accuracy"
    assert _sweep.main_metric(["loss", "test_accuracy"]) == "loss"
    assert _sweep.main_metric(["auroc"]) == "auroc"


def chunk(*losses, final, codes):
    history = np.array(losses, np.float32)
    return {
        "status": np.array(codes, np.int8),
        "history/loss": history,
        "final/test_accuracy": np.array(final),
    }


@pytest.mark.parametrize(
    ("metric", "lowest", "best"),
    [("loss", True, 0.5), ("loss", False, 0.75), ("test_accuracy", False, 0.9), ("norm", True, None)],
)
def test_the_best_so_far_is_of_all_chunks_and_never_of_one_that_diverged(metric, lowest, best):
    news = _progress.News(10, metric, lowest=lowest)
    assert str(news) == "0 of 10 cells"
    news.hear(2, [chunk([1, 0.5], [1, 9], final=[0.9, 1.0], codes=[0, 1])])  # the second one diverged
    ended = [chunk([0.75, np.nan], final=[0.8], codes=[2]), chunk([0.1], final=[np.nan], codes=[3])]
    news.hear(4, ended)  # one has converged, one was stopped
    said = f", best {metric.replace('_', ' ')} {best}" if best else ""
    assert str(news).startswith(f"4 of 10 cells{said}, ")
    assert str(news).endswith(" s left")


@pytest.mark.parametrize("is_watched", [True, False])
def test_the_progress_line_says_how_far_the_sweep_is(is_watched, capsys):
    written = io.StringIO()
    console = Console(file=written, force_terminal=is_watched, width=80)
    with _progress.progress(1000, "loss", lowest=True, console=console) as report:
        for done in range(1, 1001):
            report(done, chunk([1.0], final=[0.0], codes=[0]))
    lines = (written.getvalue() if is_watched else capsys.readouterr().err).strip().split("\n")
    assert any("1000 of 1000 cells, best loss 1" in line for line in lines)
    assert len(lines) < 20


@pytest.mark.release  # trains some ten seconds, in a process of its own
@pytest.mark.skipif(sys.platform == "win32", reason="there are no POSIX signals")
def test_ctrl_c_says_how_to_go_on_and_that_goes_on(tmp_path):
    words = [*WORDS[:3], "--num-steps=10000", "--seeds=12", "--lanes=1"]
    words += ["--grid", "learning_rate=log:0.1:10:8", "--out", str(tmp_path / "a b"), "--fresh"]
    process = subprocess.Popen(
        [sys.executable, "-m", "experiments", *words], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
        text=True, env=os.environ | {"PYTHONPATH": os.getcwd()},
    )  # fmt: skip
    chunks, deadline = tmp_path / "a b" / "chunks", time.monotonic() + 120
    while not [*chunks.glob("*.chunk")] and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in error
    *_, said = error.strip().split("\n")
    stopped, _, line = said.partition(": python -m experiments ")
    assert stopped == "stopped; go on with"
    finished = {path: path.stat().st_mtime_ns for path in chunks.glob("*.chunk")}
    assert 0 < len(finished) < 12
    assert shlex.split(line) == [*words[:-1], "--resume"]
    assert command.main(shlex.split(line)) == 0
    assert len(read(tmp_path / "a b" / "table.csv")) == 96
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
