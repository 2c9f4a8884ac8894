"""Every experiment keeps the contract: docstring, values, rows, goals and pictures."""

import re
import typing

import numpy as np
import pytest
import tyro
from pictures import assert_shown

from experiments import _contract
from experiments._run import Result, train_row
from jaxnets import check


@pytest.fixture(scope="module", params=_contract.names())
def experiment(request):
    return _contract.load(request.param)


def test_docstring_says_what_it_is_and_how_to_run_it(experiment):
    assert experiment.summary.endswith(".")
    assert experiment.section("Command").startswith(f"python -m experiments {experiment.name}")
    assert experiment.section("Source")
    expected = experiment.section("Expected")
    for part in (r"\d[.e]\S*\d", r"\d seed", r"\d CPU cores", r"\d{4}-\d\d-\d\d", "minute|second"):
        assert re.search(part, expected), part


def test_hparams_are_numbers_and_settings_are_static(experiment):
    assert all(isinstance(value, (int, float)) for value in experiment.Hparams())
    assert hash(experiment.Settings()) == hash(experiment.Settings())
    for hparams, settings in experiment.variants().values():
        assert isinstance(hparams, experiment.Hparams)
        assert isinstance(settings, experiment.Settings)
        check.fields(hparams)


def test_words_that_no_row_knows_are_refused(experiment):
    """Where the rows choose a word, another one is refused in one line, not taken for the last of them."""
    hints = typing.get_type_hints(experiment.Settings, include_extras=True)
    for name, hint in hints.items():
        is_fixed = getattr(hint, "__metadata__", ()) == tyro.conf.Fixed[str].__metadata__
        if not is_fixed or not isinstance(getattr(experiment.Settings(), name), str):
            continue
        with pytest.raises(check.InputError, match="no-such"):
            made(experiment, experiment.Settings()._replace(**{name: "no-such"}))


def made(experiment, settings):
    check.fields(settings)
    experiment.data(settings)
    experiment.learner(experiment.Hparams(), settings)


def train_two_steps(experiment, names):
    """Rows with the settings of SMALL, for two steps or the one of a closed form."""
    results = []
    for name in names:
        hparams, settings = experiment.variants()[name]
        settings = settings._replace(**experiment.small)
        if getattr(settings, "num_steps", 1) != 1:
            settings = settings._replace(num_steps=2)
        results.append(train_row(experiment, name, hparams, settings, seeds=1, report=lambda *news: None))
        assert isinstance(results[-1], Result), results[-1]
        assert np.isfinite(results[-1].runs[0].history["loss"]).all()
        assert results[-1].metrics
    return results


def drawn(experiment, results):
    return experiment.figures(results, experiment.data(results[0].settings))


def test_two_rows_train_for_two_steps_and_give_what_they_promise(experiment):
    rows = [*experiment.variants()][:1] + [goal.row for goal in experiment.goals if goal.row][:1]
    assert_shown(experiment.name, drawn(experiment, train_two_steps(experiment, dict.fromkeys(rows))))


@pytest.mark.parametrize(
    "name", ["least_squares_descent", "learning_rate_rules", "one_vs_all", "perceptron", "xor"]
)
def test_a_run_without_steps_has_pictures(name):
    """Of weights that are all 0, and of histories that are empty."""
    one = _contract.load(name)
    row, (hparams, settings) = next(iter(one.variants().items()))
    settings = settings._replace(**one.small, num_steps=0)
    result = train_row(one, row, hparams, settings, seeds=1, report=lambda *news: None)
    pictures = drawn(one, [result])
    assert pictures
    for figure in pictures.values():
        figure.canvas.draw()


@pytest.mark.release
def test_all_rows_train_for_two_steps_and_are_checked(experiment):
    results = train_two_steps(experiment, experiment.variants())
    checks = experiment.checks(results, experiment.data(results[0].settings))
    assert {goal.number for goal in experiment.goals if goal.row is None} <= set(checks)
    pictures = drawn(experiment, results)
    assert all(any(axes.has_data() for axes in figure.axes) for figure in pictures.values())


def test_goals_name_rows_and_settings_that_exist(experiment):
    rows = experiment.variants()
    for goal in experiment.goals:
        assert goal.at_least is not None or goal.at_most is not None
        assert goal.row is None or goal.row in rows
        rows[goal.row or next(iter(rows))][1]._replace(**goal.settings or {})
