"""The line of a logistic regression: labels follow it, and a stronger L1 penalty turns it to an axis."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import separating_line
from experiments._run import Result
from jaxnets import train
from jaxnets.learner import Learner
from jaxnets.plane import degrees_between, line, line_between


def test_labels_are_drawn_with_the_probability_of_the_line():
    truth = line(jnp.array([2.0, -1.0]), jnp.array(0.3))
    inputs, labels = separating_line.draw(jax.random.key(3), truth, num_examples=20_000)
    log_odds = np.asarray(inputs @ truth.normal + truth.offset) * separating_line.STEEPNESS
    near = np.abs(log_odds - 1.0) < 0.3
    share = labels[near].mean()
    assert share == pytest.approx(1 / (1 + np.exp(-1)), abs=3 * 0.5 / np.sqrt(near.sum()))


def test_the_difference_from_scikit_learn_is_seen(monkeypatch):
    """And the angles of each penalty are its own."""
    settings, penalties = separating_line.Settings(num_examples=100), separating_line.Hparams()

    def angle(key, penalties, *, settings):
        return settings.num_examples * (penalties.l2 + 2 * penalties.l1)

    monkeypatch.setattr(separating_line, "_angle", angle)
    dataset, model = separating_line.data(settings), separating_line.learner(penalties, settings)
    run = train.run(jax.random.key(0), model, dataset.train, num_steps=500)
    result = Result("l2", penalties, settings, 100, model, [run], {}, np.zeros(1), 0.0)
    found = separating_line.checks([result], dataset)
    assert [found[f"mean_degrees_by_{name}"] for name in ("l2", "l1", "both")] == [100, 200, 300]
    assert found["difference_from_scikit_learn"] < 1e-3
    state = SimpleNamespace(coefficients=run.state.coefficients, intercept=run.state.intercept + 1)
    wrong = run._replace(state=state)
    found = separating_line.checks([result, result._replace(runs=[wrong])], dataset)
    assert found["difference_from_scikit_learn"] > 5e-3


def turned(truth, degrees):
    """Coefficients and intercept of a line that is turned and a quarter farther from the origin."""
    angle = np.radians(degrees)
    turn = jnp.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    normal = turn @ jnp.asarray(truth.normal)
    coefficients = 6 * jnp.stack([-normal, normal], axis=1)
    return SimpleNamespace(
        coefficients=coefficients, intercept=6 * (truth.offset + 0.25) * jnp.array([-1.0, 1.0])
    )


@pytest.mark.parametrize("degrees", [0, 3, -40])
def test_the_angle_is_that_to_the_line_that_made_the_labels(degrees, monkeypatch):
    """Of one row, and of each of the lines drawn; a learner knows the line."""
    settings = separating_line.Settings(num_examples=10)
    dataset, model = separating_line.data(settings), Learner(None, None, lambda state, inputs: inputs)
    found = separating_line.evaluate(model, turned(separating_line.TRUTH, degrees), dataset)
    assert float(found["degrees"]) == pytest.approx(abs(degrees), abs=1e-4)
    assert float(found["offset_error"]) == pytest.approx(0.25, rel=1e-5)
    assert found["weights_left"] == 2
    monkeypatch.setattr(separating_line, "draw", lambda key, truth, num_examples: truth)
    monkeypatch.setattr(
        train, "run", lambda key, model, truth, num_steps: SimpleNamespace(state=turned(truth, degrees))
    )
    angle = separating_line._angle(jax.random.key(2), separating_line.Hparams(), settings=settings)
    assert float(angle) == pytest.approx(abs(degrees), abs=1e-4)


def test_l1_turns_the_line_to_an_axis_and_l2_does_not():
    settings = separating_line.Settings(num_examples=500)
    rows = separating_line.data(settings).train

    def fit(penalties):
        model = separating_line.learner(penalties, settings)
        state = train.run(jax.random.key(0), model, rows, num_steps=200).state
        return line_between(state.coefficients, state.intercept)

    penalties = separating_line.Hparams(
        l2=jnp.array([1.0, 0.0]), l1=jnp.array([0.0, 1.0]), strength=jnp.array([1.0, 60.0])
    )
    lines = jax.jit(jax.vmap(fit))(penalties)
    by_l2, by_l1 = (jax.tree.map(lambda leaf, i=i: leaf[i], lines) for i in range(2))
    assert float(degrees_between(by_l2, separating_line.TRUTH)) < 6
    np.testing.assert_allclose(np.abs(by_l1.normal), [0, 1], atol=1e-6)


@pytest.mark.parametrize("row", separating_line.variants())
def test_the_peer_has_converged(row):
    """No weight and no intercept that it might have had instead is better: the gradient says so."""
    (l2, l1, _), settings = separating_line.variants()[row][0], separating_line.Settings(num_examples=300)
    rows = separating_line.data(settings).train
    *weights, intercept = separating_line._by_scikit_learn(separating_line.Hparams(l2, l1), rows)
    weights, x = np.array(weights), rows.inputs.astype(np.float64)
    excess = 1 / (1 + np.exp(-(x @ weights + intercept))) - rows.targets
    slopes = excess @ x + l2 * weights
    assert abs(excess.sum()) < 1e-4
    assert np.abs(slopes + l1 * np.sign(weights))[weights != 0].max(initial=0) < 1e-4
    assert np.abs(slopes)[weights == 0].max(initial=0) <= l1
