"""``--verify`` measures goals, over seeds, and keeps what it did not measure."""

import numpy as np
import pytest

from experiments import __main__ as command
from experiments import _contract, _verify, classifiers
from experiments._contract import Goal
from experiments._run import Result

OTHERS = """| `xor` | solved ≥ 1 (tanh_2_2_1) | 1 | reached | 1 | then |
| `xor` | a goal of old | 1 | reached | 1 | then |
| `classifiers` | old | 1 | reached | 1 | then |
"""


def test_verify_measures_goals_and_keeps_the_other_lines(monkeypatch, tmp_path, capsys):
    results = tmp_path / "RESULTS.md"
    results.write_text(_verify.HEADER + OTHERS, "utf8")
    monkeypatch.setattr(_contract, "RESULTS", results)
    goals = (
        Goal("test_accuracy", at_least=0.5, row="ridge", settings={"dataset": "iris"}, seeds=1),
        Goal(
            "test_accuracy", at_least=1.1, row="lda", settings={"dataset": "iris"}, seeds=1, note="too much"
        ),
        Goal("test_accuracy", at_least=0.5, row="ridge", settings={"dataset": "none.csv"}),
    )
    monkeypatch.setattr(classifiers, "GOALS", goals)
    assert command.main(["--verify", "classifiers", "--files", str(tmp_path)]) == 1
    lines = results.read_text("utf8").splitlines()
    assert sum(line.startswith("| `xor` |") for line in lines) == 1
    made = [line for line in lines if line.startswith("| `classifiers` |")]
    assert ["| reached |" in made[0], "| missed: too much |" in made[1], "no file none.csv" in made[2]] == [
        True
    ] * 3
    assert "test accuracy ≥ 1.1 (lda, dataset iris)" in made[1]
    assert "missed: too much" in " ".join(capsys.readouterr().out.split())


def test_a_goal_of_a_row_is_reached_by_the_mean_over_its_seeds():
    metrics = {"test_accuracy": np.array([0.2, 0.9, 0.4]), "other": np.ones(3)}
    seconds = np.array([4.0, 5.0, 9.0])
    row = Result("mlp", None, None, 1, None, [None] * 3, metrics, seconds, 0.0)
    verdicts = {}
    for goal in (
        Goal("test_accuracy", at_least=0.5, row="mlp"),
        Goal("test_accuracy", at_least=0.6, row="mlp"),
        Goal("test_accuracy", at_most=0.4, row="mlp"),
        Goal("fit_seconds", at_most=6.0, row="mlp"),
    ):
        outcome = _verify._outcome("classifiers", goal, {"mlp": row, "lda": None}, {}, 100.0)
        verdicts[goal[:3]] = outcome.verdict
        assert outcome.value == pytest.approx(6.0 if goal.number == "fit_seconds" else 0.5)
        assert (outcome.seeds, outcome.seconds) == (3, 6.0)
    assert list(verdicts.values()) == ["reached", "missed", "missed", "reached"]


def test_a_measurement_stays_where_a_goal_was_not_run():
    goal = _contract.load("xor").goals[0]
    measured = _verify.merged("", [_verify.Outcome("xor", goal, 0.5, 0.1, 20)])
    assert "| 0.5000 ± 0.1000, 20 seeds | missed" in measured
    assert _verify.merged(measured, [_verify.Outcome("xor", goal, remark="no file")]) == measured
    assert "| not run: no file |" in _verify.merged("", [_verify.Outcome("xor", goal, remark="no file")])
    assert "| 0.7000, 2 seeds |" in _verify.merged(measured, [_verify.Outcome("xor", goal, 0.7, None, 2)])


def test_verify_measures_checks_over_their_seeds_and_not_without_all_rows(monkeypatch, tmp_path):
    monkeypatch.setattr(_contract, "RESULTS", tmp_path / "RESULTS.md")
    variants = {name: classifiers.variants()[name] for name in ("ridge", "lda")}
    monkeypatch.setattr(classifiers, "variants", lambda: variants)
    monkeypatch.setattr(
        classifiers, "checks", lambda results, _: {"runs": len(results[0].runs)}, raising=False
    )
    monkeypatch.setattr(
        classifiers, "GOALS", (Goal("runs", at_least=2, settings={"dataset": "iris"}, seeds=2),)
    )
    assert command.main(["--verify", "classifiers"]) == 0
    _contract.RESULTS.unlink()
    variants["lenet"] = classifiers.Hparams(), classifiers.Settings("lenet")  # iris has no images
    assert command.main(["--verify", "classifiers"]) == 1
    assert "| not run: lenet: " in _contract.RESULTS.read_text(encoding="utf8")
