"""The faults: each shows its symptom, each repair works, healthy problems learn; the score is right."""

import jax
import numpy as np
import pytest

from experiments import _contract
from experiments.faults import __main__ as command
from experiments.faults import _fault, _figures, _healthy, _score
from experiments.faults._fault import Fault, Figure
from jaxnets.diagnose import Finding, Proof, Report
from jaxnets.diagnose.rules import rules

KEY = jax.random.key(0)
TASKS = {"classification", "regression", "sequence"}
QUICK = (
    "norms_without_end",
    "column_sums_normalised",
    "rate_by_counts",
    "no_intercept",
    "exponential_counts",
)
QUICK_HEALTHY = ("plane_line", "start_linear_zeros", "resistance_no_intercept", "steps_nearly_unstable")


@pytest.fixture(autouse=True)
def small_memory():
    """Compiled programs of one problem are of no use to the next."""
    yield
    jax.clear_caches()


def shown(name):
    """The figures of the broken and of the repaired problem after their training."""
    fault = _fault.load(name)
    for make, figure in ((fault.broken, fault.symptom), (fault.repaired, fault.reaches)):
        problem = make()
        value = float(figure.measure(problem, _fault.train(problem, KEY)))
        assert figure.is_reached(value), (make.__name__, value, figure)


@pytest.mark.parametrize("name", QUICK)
def test_symptom_and_repair(name):
    shown(name)


@pytest.mark.release
@pytest.mark.parametrize("name", sorted({*_fault.names()} - {*QUICK}))
def test_symptom_and_repair_of_all(name):
    shown(name)


def test_the_first_gradient_norm_is_the_one_that_was_asked_about():
    problem = _fault.load("norms_without_end").broken()
    assert _figures.gradient_norm(problem, problem.init(KEY)) == pytest.approx(44114, abs=1)


def learns(name):
    """The loss of all training rows falls by a tenth or more of its size."""
    problem = _healthy.PROBLEMS[name]()
    before, after = (
        float(jax.jit(problem.loss)(params, *problem.data))
        for params in (problem.init(KEY), _fault.train(problem, KEY))
    )
    assert after <= before - 0.1 * abs(before), (before, after)


@pytest.mark.parametrize("name", QUICK_HEALTHY)
def test_healthy_problems_learn(name):
    learns(name)


@pytest.mark.release
@pytest.mark.parametrize("name", sorted({*_healthy.PROBLEMS} - {*QUICK_HEALTHY}))
def test_all_healthy_problems_learn(name):
    learns(name)


def test_faults_are_said_to_be_what_they_are():
    faults = {name: _fault.load(name) for name in _fault.names()}
    assert len(faults) >= 45
    assert {fault.task for fault in faults.values()} == TASKS
    assert set(rules()) <= {rule for fault in faults.values() for rule in fault.accepted}
    assert not any(fault.rule in fault.equivalents for fault in faults.values())


def test_healthy_problems_are_many_and_no_faults():
    assert len(_healthy.PROBLEMS) >= 100
    assert not {*_healthy.PROBLEMS} & {*_fault.names()}


def test_experiments_are_listed_without_faults():
    assert not {*_contract.names()} & {"faults", *_fault.names()}


def report(*findings, seconds=1.0):
    """A report of these rules, ``(rule, severity, helps or None)``."""
    made = [
        Finding(rule, severity, {}, "", "", proof=None if helps is None else Proof(1.0, 1.0 - helps / 2, 10))
        for rule, severity, helps in findings
    ]
    return Report(tuple(made), seconds, {})


FAULT = Fault(None, "a", None, Figure(None), Figure(None), "regression", ("b",))


def test_score_counts_places_proofs_and_alarms():
    judged = [
        _score.Judged("first", report(("a", "error", True), ("c", "error", None)), FAULT),
        _score.Judged("second", report(("c", "error", None), ("b", "warning", False), seconds=3.0), FAULT),
        _score.Judged("fourth", report(*[("c", "error", None)] * 3, ("a", "note", None)), FAULT),
        _score.Judged("missed", report(("c", "note", None)), FAULT),
        _score.Judged("well", report(("c", "note", None))),
        _score.Judged("accused", report(("c", "warning", None))),
    ]
    assert [one.place for one in judged[:4]] == [1, 2, 4, None]
    assert [one.is_proved for one in judged[:4]] == [True, False, None, None]
    assert dict(_score.summary(judged)) == {
        "faults detected": "3 of 4 (75.0%)",
        "cause first": "1 of 4 (25.0%)",
        "cause among the first three": "2 of 4 (50.0%)",
        "remedies proved, of those tried": "1 of 2 (50.0%)",
        "seconds a fault, median and most": "1.0, 3.0",
        "not detected": "missed",
        "healthy problems with a false alarm": "1 of 2 (50.0%)",
        "seconds a healthy problem, median and most": "1.0, 1.0",
        "false alarms": "c (accused)",
    }
    text = _score.markdown(judged, "machine")
    assert "| second | a | c | 2 | no | 3.0 |" in text
    assert "| accused | c | 1.0 |" in text


def test_command_scores_what_is_named_and_writes_nothing(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(command, "RESULTS", tmp_path / "RESULTS.md")
    monkeypatch.setattr(_score, "diagnose", lambda problem, key: report(("step-too-large", "error", None)))
    assert command.main(["norms_without_end", "plane_line", "--seeds", "2"]) == 0
    out = capsys.readouterr().out
    assert "2 of 2 (100.0%)" in out
    assert out.count("step-too-large (plane_line)") == 1
    assert not (tmp_path / "RESULTS.md").exists()


def test_command_writes_the_results_of_all(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(command, "RESULTS", tmp_path / "RESULTS.md")
    monkeypatch.setattr(command._fault, "names", lambda: ["norms_without_end"])
    monkeypatch.setattr(_healthy, "PROBLEMS", {"plane_line": _healthy.PROBLEMS["plane_line"]})
    monkeypatch.setattr(_score, "diagnose", lambda problem, key: report(("diverged", "error", None)))
    assert command.main([]) == 0
    capsys.readouterr()
    text = (tmp_path / "RESULTS.md").read_text(encoding="utf8")
    assert "| norms_without_end | step-too-large | diverged | 1 |  | 1.0 |" in text
    assert "| cause first | 1 of 1 (100.0%) |" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("norms_without_ends", "unknown fault 'norms_without_ends': did you mean 'norms_without_end'"),
        ("--seeds 0", "--seeds = 0, allowed are 1, 2, 3, ..."),
        ("--seed 1", "--seed"),
    ],
)
def test_refused_in_one_line(words, message, capsys):
    assert command.main(words.split()) == 2
    (error,) = capsys.readouterr().err.splitlines()
    assert error.startswith("error: ")
    assert message in error


@pytest.mark.parametrize(("value", "reached"), [(1.0, True), (2.0, True), (2.1, False), (np.nan, False)])
def test_a_figure_keeps_its_bounds(value, reached):
    assert Figure(None, at_least=1.0, at_most=2.0).is_reached(value) == reached
