"""The two problems: the gradient by hand, and what each is made to show."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import learning_rate_rules as experiment
from experiments._run import Result
from jaxnets import train


def test_gradient_by_hand_is_that_of_the_loss():
    random = np.random.default_rng(0)
    w, ids = random.normal(size=(4, 3)), np.array([2, 0, 2])
    targets = {"values": random.normal(size=(3, 3)), "weights": random.uniform(size=(3, 3))}

    def loss(w):
        terms = targets["weights"] * (w[ids] - targets["values"]) ** 2
        return 0.5 * terms.sum()

    with jax.enable_x64(True):
        value, gradient = experiment._value_and_grad(jnp.asarray(w), ids, targets)
        expected, slope = jax.value_and_grad(loss)(jnp.asarray(w))
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    np.testing.assert_allclose(gradient, slope, rtol=1e-12)


def test_problems_hold_rare_rows_and_uneven_curvature():
    sparse = experiment.data(experiment.Settings(problem="sparse")).train
    times = np.bincount(sparse.inputs, minlength=1000)
    assert times[0] > 1000
    assert (times == 0).any()
    np.testing.assert_allclose(sparse.targets["weights"].mean(), 0.5, atol=0.01)
    scaled = experiment.data(experiment.Settings(problem="scaled"))
    np.testing.assert_array_equal(scaled.train.targets["values"], scaled.test.targets["values"])
    np.testing.assert_allclose(np.ptp(np.log10(scaled.train.targets["weights"])), 4, rtol=1e-6)


def after_three_steps(name):
    """A row whose one seed has seen the first three examples, its second seed the same."""
    hparams, settings = experiment.variants()[name]
    settings = settings._replace(num_steps=3)
    learner, rows = experiment.learner(hparams, settings), experiment.data(settings).train
    state, step = learner.init(jax.random.key(0), rows), jax.jit(learner.step)
    for i in range(3):
        state, _ = step(None, state, jax.tree.map(lambda leaf, i=i: leaf[i : i + 1], rows))
    run = train.Run(state, {"step": np.arange(1, 4), "valid_error": np.ones(3)}, None, 3)
    return Result(name, hparams, settings, 1, learner, [run, run], {}, np.zeros(2), 0.0)


def test_checks_see_what_moves_though_absent_and_what_is_infinite(monkeypatch):
    monkeypatch.setattr(experiment, "_from_running_mean", lambda batch_size: batch_size)
    monkeypatch.setattr(experiment, "_from_optax", lambda row: len(row.name))
    adam, lazy = after_three_steps("sparse_adam"), after_three_steps("sparse_adam_only_seen")
    found = experiment.checks([lazy, adam], None)
    assert found.pop("absent_moved_by_adam") > 1e-4
    assert found == {
        "from_optax": 11, "from_running_mean": 10, "absent_moved_by_others": 0, "not_finite": 0,
    }  # fmt: skip
    run = adam.runs[0]
    broken = run._replace(state=run.state._replace(params=run.state.params.at[3, :2].set(jnp.inf)))
    hasty = lazy._replace(learner=adam.learner, runs=[run, broken])
    found = experiment.checks([adam, hasty], None)
    assert found["not_finite"] == 2
    assert found["absent_moved_by_others"] > 1e-4


def test_the_running_mean_is_that_of_the_examples_and_not_of_the_batches(monkeypatch):
    rule = experiment.optimizers.inverse_count(1.0)
    with jax.enable_x64(True):
        assert experiment._from_running_mean(10) < 1e-12

        def blind(grads, state, params=None, **present):
            return rule.update(grads, state, params)

        monkeypatch.setitem(experiment.RULES, "inverse_count", lambda rate: rule._replace(update=blind))
        assert experiment._from_running_mean(10) > 0.1


def test_the_distance_from_optax_is_that_of_the_first_seeds_table():
    """Of three steps of the scaled problem; then one number is 0.1 away."""
    row = after_three_steps("scaled_adagrad")
    fit = jax.jit(lambda rows: train.run(jax.random.key(0), row.learner, rows, num_steps=3))
    run = fit(experiment.data(row.settings).train)
    assert experiment._from_optax(row._replace(runs=[run])) < 1e-6
    moved = run._replace(state=run.state._replace(params=run.state.params.at[0, 4].add(0.1)))
    assert experiment._from_optax(row._replace(runs=[moved, run])) == pytest.approx(0.1, rel=1e-5)


def test_rows_of_different_lengths_have_a_picture_each():
    row = after_three_steps("scaled_sgd")
    run = row.runs[0]._replace(history={"step": np.array([1, 4]), "valid_error": np.ones(2)})
    pictures = experiment.figures([row, row._replace(name="sparse_sgd", runs=[run])], None)
    assert [*pictures] == ["scaled_3_steps", "scaled_4_steps"]
