"""Least squares by descent: the rows have the question's solution, and the numbers are NumPy's."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import least_squares_descent as experiment
from experiments.least_squares_descent import Hparams
from jaxnets import status
from jaxnets.models.least_squares import LeastSquaresState
from jaxnets.step_sizes import Point


def test_rows_have_the_question_s_coefficients_as_their_solution():
    inputs, targets = experiment.data(experiment.Settings()).train
    np.testing.assert_allclose(np.linalg.lstsq(inputs, targets)[0], experiment.SOLUTION, rtol=1e-12)
    np.testing.assert_allclose(experiment.SOLUTION, [4.344435, 4.387702, 0.450958])
    assert np.std(targets - inputs @ experiment.SOLUTION) == pytest.approx(1, abs=0.1)


def test_rows_keep_their_names_promise_whatever_the_rate():
    """The smaller constant is smaller than the constant; rules that need no rate do not read it."""
    point = Point(jnp.ones(3), jnp.float32(1.0), jnp.ones(3))
    sizes = {
        name: [float(rule(Hparams(rate))(lambda b: b @ b / 2, point, point)) for rate in (0.05, 0.2)]
        for name, rule in experiment.RULES.items()
    }
    assert sizes.pop("constant") == pytest.approx([0.05, 0.2])
    assert sizes.pop("constant_smaller") == pytest.approx([0.03, 0.12])
    assert [*experiment.variants()] == [*experiment.RULES]
    assert all(first == second for first, second in sizes.values())


def test_error_is_the_largest_and_the_rate_is_two_over_the_largest_curvature():
    dataset = experiment.data(experiment.Settings(num_examples=100))
    state = LeastSquaresState(experiment.SOLUTION + np.array([0.0, -0.3, 0.1]), None, np.array(7))
    found = experiment.evaluate(None, state, dataset)
    inputs = dataset.train.inputs
    assert float(found["error"]) == pytest.approx(0.3)
    assert float(found["steps"]) == 7
    largest = np.linalg.svd(inputs, compute_uv=False)[0] ** 2 / len(inputs)
    assert float(found["largest_stable_rate"]) == pytest.approx(2 / largest, rel=1e-5)


def row(rule, *statuses):
    return SimpleNamespace(
        name=rule, settings=experiment.Settings(rule), statuses=[*statuses], runs=[None] * len(statuses)
    )


def five_runs(errors, *codes):
    """From five starts, in 0, 10 ... 40 steps; the first ends as ``codes`` say."""
    coefficients = experiment.SOLUTION - np.array(errors)[:, None] * np.array([0, 1, 0.5])
    ended = SimpleNamespace(code=np.array([*codes, *[status.CONVERGED] * 4]), step=np.arange(0, 50, 10))
    return SimpleNamespace(status=ended, state=SimpleNamespace(coefficients=coefficients))


def test_checks_tell_the_rate_that_diverges_the_largest_stable_one_and_the_worst_start(monkeypatch):
    runs = {
        "bb_long": five_runs([1e-9, 1e-9, 1e-7, 1e-9, 1e-9], status.CONVERGED),
        "bb_short": five_runs([0, 0, 0, 0, 2e-3], status.OK),
    }
    for name in runs:
        monkeypatch.setitem(experiment.RULES, name, lambda hparams, name=name: name)
    monkeypatch.setattr(experiment, "_five_starts", lambda rule, rows: runs[rule])
    dataset = experiment.data(experiment.Settings())
    for endings, diverges in ((["diverged at step 7"] * 2, 1), (["diverged at step 7", "ok"], 0)):
        found = experiment.checks([row("bb_long", "converged"), row("constant", *endings)], dataset)
        assert found["constant_diverges"] == diverges
        assert found["largest_stable_rate"] == pytest.approx(0.03177, rel=1e-3)
        assert (found["long_steps"], found["short_steps"]) == (40, np.inf)
        assert (found["long_error"], found["short_error"]) == pytest.approx((1e-7, 2e-3), rel=1e-3)


def test_barzilai_and_borwein_converge_from_five_starts():
    with jax.enable_x64(True):
        rule = experiment.RULES["bb_long"](Hparams())
        run = experiment._five_starts(rule, experiment.data(experiment.Settings()).train)
    assert (run.status.code == status.CONVERGED).all()
    np.testing.assert_allclose(run.state.coefficients, experiment.SOLUTION[None].repeat(5, 0), atol=1e-6)


def test_the_legend_says_how_the_steps_ended():
    assert experiment._with_ending(row("a", "converged", "converged")) == "a (converged)"
    assert experiment._with_ending(row("a", "diverged at step 7", "diverged at step 8")) == "a (diverged)"
    assert experiment._with_ending(row("a", "ok", "converged", "ok")) == "a (1 of 3 converged)"
    assert experiment._with_ending(row("a", "ok", "ok")) == "a"
