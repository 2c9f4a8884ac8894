"""Healthy experiments are left alone, rows that show a fault are found, and what cannot be asked is said."""

import json
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from experiments import _contract
from experiments.__main__ import main
from experiments._diagnose import diagnose_row, unexpected
from jaxnets import data, losses, models
from jaxnets.data import Dataset
from jaxnets.diagnose import diagnose, problem_of
from jaxnets.diagnose.probe import Probe
from jaxnets.diagnose.proof import proved
from jaxnets.diagnose.rules import of_rows, rules, step
from jaxnets.diagnose.training import scaled
from jaxnets.learner import gradient
from jaxnets.types import Batch

KEY = jax.random.key(0)
X = np.random.default_rng(0).normal(size=(32, 3)).astype(np.float32)
LINE = Dataset(Batch(X, X @ np.ones((3, 1), np.float32)))


def learner(rate):
    return gradient(models.MLP((), 1), losses.squared_error, optax.sgd(rate))


def report_of(name, row, **settings):
    experiment = _contract.load(name)
    hparams, chosen = experiment.variants()[row]
    report = diagnose_row(experiment, hparams, chosen._replace(**settings))
    return unexpected(experiment, row, report), report


@pytest.mark.parametrize(("rate", "rule"), [(0.1, ""), (30.0, "step-too-large"), (1e-5, "step-too-small")])
def test_the_rate_of_a_learner_is_judged_and_mended(rate, rule):
    problem = problem_of(KEY, learner(rate), LINE, num_steps=60)
    probe = Probe(problem, KEY)
    found = [*step.step_too_large(probe), *step.step_too_small(probe)]
    assert [one.rule for one in found] == [rule] * bool(rule)
    assert all(one.proof.helps for one in proved(problem, found, KEY))


def test_a_step_of_another_length_is_the_learners_own_made_longer():
    problem = problem_of(KEY, learner(0.1), LINE)
    params = problem.init(KEY)
    ends = [one.step(params, one.begin(params), *LINE.train)[0] for one in (problem, scaled(problem, 0.5))]
    halfway = jax.tree.map(lambda old, new: (old + new) / 2, params, ends[0])
    for one, other in zip(*map(jax.tree.leaves, (ends[1], halfway)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


def test_the_steps_of_a_problem_are_those_of_the_run():
    """The memory of the optimizer goes along: Adam's second step depends on the first."""
    adam = gradient(models.MLP((4,), 1), losses.squared_error, optax.adam(0.1))
    problem = problem_of(KEY, adam, LINE)
    state = adam.init(KEY, LINE.train)
    for _ in range(3):
        state, _ = adam.step(KEY, state, LINE.train)
    trained = problem.trained(problem.init(KEY), jax.tree.map(jnp.asarray, LINE.train), 3)
    for one, other in zip(*map(jax.tree.leaves, (trained, state.params)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)


def test_another_way_to_step_takes_the_learners_place():
    problem = problem_of(KEY, learner(0.0), LINE).replace(optimizer=optax.sgd(0.1))
    params = problem.init(KEY)
    end = problem.trained(params, jax.tree.map(jnp.asarray, LINE.train), 50)
    assert problem.loss(end, *LINE.train) < 0.1 * problem.loss(params, *LINE.train)
    assert not problem_of(KEY, learner(0.1), LINE).replace(loss=lambda *given: 0.0).has_step


@pytest.mark.parametrize(
    "model",
    [
        models.ridge_classifier(num_classes=3, alpha=0.1),
        models.perceptron(num_classes=3),
        models.logistic_regression(num_classes=3, l2=1.0),
        models.kernel_svm(num_classes=3, kernel=lambda one, other: one @ other.T, C=1.0),
    ],
)
def test_of_what_follows_no_gradient_the_rows_alone_are_looked_at(model):
    iris = data.load("iris")
    report = diagnose(problem_of(KEY, model, iris), KEY)
    assert report.findings == ()
    assert set(report.skipped) == set(rules()) - of_rows()
    broken = iris.replace(train=iris.train._replace(targets=np.sort(iris.train.targets)))
    assert "labels-misaligned" in [one.rule for one in diagnose(problem_of(KEY, model, broken), KEY).findings]


def diagnosed(name, row, capsys, folder):
    """The status, what is printed, and the report in the file."""
    status = main([name, "--diagnose", "--rows", row, "--out", str(folder)])
    return status, capsys.readouterr().out, json.loads((folder / "diagnosis.json").read_text())[row]


def test_the_command_leaves_a_healthy_row_alone(capsys, tmp_path):
    status, said, report = diagnosed("least_squares_descent", "bb_long", capsys, tmp_path)
    assert (status, report["findings"], report["skipped"]) == (0, [], {})
    assert "nothing found" in said


def test_the_command_says_what_cannot_be_asked_and_what_is_meant(capsys, tmp_path):
    status, said, report = diagnosed("heart_disease", "logistic", capsys, tmp_path)
    assert [one["rule"] for one in report["findings"]] == ["leaking-split"]
    assert status == 0
    assert "leaking-split: meant so" in said
    assert re.search(r"not asked: \d+ of the rules, for it takes no 4 rows alone", said)


def test_a_small_row_has_no_finding():
    found, report = report_of("backprop_as_memory", "memoised", **_contract.load("backprop_as_memory").small)
    assert found == []
    assert report.skipped == {}


@pytest.mark.release
@pytest.mark.parametrize("name", _contract.names())
def test_no_row_of_any_experiment_has_a_finding_that_is_not_meant(name):
    experiment = _contract.load(name)
    for row in experiment.variants():
        found, report = report_of(name, row)
        assert found == [], f"{row}:\n{report}"
        meant = experiment.findings.get(row, ())
        assert set(meant) <= {one.rule for one in report.findings}, row
        assert not report.skipped or report.skipped.keys() == rules().keys() - of_rows(), report.skipped
