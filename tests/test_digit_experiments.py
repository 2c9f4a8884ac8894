"""The digits' experiments: what each is about, on few rows."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from experiments import (
    _contract,
    _run,
    coursera_digits,
    deep_sigmoid_digits,
    deep_vs_wide,
    digits_mlp,
    loss_functions,
    one_vs_all,
    perceptron,
    relu_digits,
    small_digits,
)
from jaxnets import data, losses, models, train
from jaxnets.check import InputError
from jaxnets.learner import Learner, gradient
from jaxnets.types import Batch

DIGITS = data.load("digits")
FEW = Batch(DIGITS.train.inputs[:60], DIGITS.train.targets[:60])


def fitted_scores(learner, rows):
    """Of the inputs, after five steps."""
    state = jax.jit(lambda key, rows: train.run(key, learner, rows, num_steps=5, batch_size=20).state)(
        jax.random.key(0), rows
    )
    return np.asarray(jax.jit(learner.predict)(state, rows.inputs))


def binary_learner():
    loss = lambda outputs, targets: losses.sigmoid_cross_entropy(outputs[:, 0], targets)  # noqa: E731
    learner = gradient(models.MLP(widths=(), num_outputs=1), loss, optax.sgd(0.5))
    return learner._replace(predict=lambda state, inputs: learner.predict(state, inputs)[:, 0])


def test_one_vs_all_is_a_lone_binary_learner_for_each_class():
    binary = binary_learner()
    together = one_vs_all.one_vs_all(binary, num_classes=10)
    threes = FEW._replace(targets=(FEW.targets == 3).astype(np.float32))
    scores = fitted_scores(together, FEW)
    np.testing.assert_allclose(scores[:, 3], fitted_scores(binary, threes), atol=1e-5)
    assert scores.shape == (60, 10)
    assert np.abs(scores[:, 3] - scores[:, 4]).max() > 0.1


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def test_coursera_cost_is_the_courses():
    """``1/n sum sum_k -[t log h + (1 - t) log(1 - h)] + lambda / 2n sum w^2`` in NumPy."""
    settings = coursera_digits.Settings("descent", num_examples=60, num_classes=10)
    learner = coursera_digits.learner(coursera_digits.Hparams(l2=3.0, learning_rate=1.0), settings)
    state = jax.jit(learner.init)(jax.random.key(0), FEW)
    _, step_metrics = jax.jit(learner.step)(jax.random.key(1), state, FEW)
    first, second = (jax.tree.map(np.float64, state.params[name]) for name in ("Dense_0", "Dense_1"))
    hidden = sigmoid(FEW.inputs.reshape(60, -1) @ first["kernel"] + first["bias"])
    h = sigmoid(hidden @ second["kernel"] + second["bias"])
    t = np.eye(10)[FEW.targets]
    cost = -(t * np.log(h) + (1 - t) * np.log(1 - h)).sum() / 60
    cost += 3 / (2 * 60) * ((first["kernel"] ** 2).sum() + (second["kernel"] ** 2).sum())
    assert float(step_metrics["loss"]) == pytest.approx(cost, rel=1e-5)


def test_coursera_starts_in_the_courses_range_biases_too():
    settings = coursera_digits.Settings("descent", num_classes=10)
    learner = coursera_digits.learner(coursera_digits.Hparams(), settings)
    state = jax.jit(learner.init)(jax.random.key(0), FEW)
    for leaf in jax.tree.leaves(state.params):
        assert 0.08 < np.abs(leaf).max() <= 0.12


def test_coursera_images_are_the_same_digits_made_smaller():
    small = coursera_digits.data(coursera_digits.Settings(num_examples=50))
    whole = data.load("mnist5k", test_fraction=0.0, num_examples=50)
    assert small.train.inputs.shape == (50, 20, 20, 1)
    means = [part.train.inputs.mean((1, 2, 3)) for part in (small, whole)]
    np.testing.assert_allclose(*means, rtol=0.05)
    assert small.test is None


@pytest.mark.parametrize(("name", "variance"), [("xavier", 2 / 192), ("he", 2 / 128), ("small", 2e-4 / 192)])
def test_initialisation_has_its_variance(name, variance):
    kernel = deep_sigmoid_digits.INITIALISATIONS[name](jax.random.key(0), (128, 64))
    assert kernel.var() == pytest.approx(variance, rel=0.06)  # four standard deviations of 8,192 draws


def test_softmax_over_the_batch_cannot_tell_a_digit_alone():
    dataset = DIGITS.replace(test=FEW)
    found = []
    for axis in (1, 0):
        settings = relu_digits.Settings(axis, widths=(16, 8), num_steps=30, num_classes=10)
        learner = relu_digits.learner(relu_digits.Hparams(learning_rate=0.03), settings)
        fit = jax.jit(lambda key, rows: train.run(key, learner, rows, num_steps=30).state)
        state = fit(jax.random.key(0), FEW)
        np.testing.assert_allclose(learner.predict(state, FEW.inputs).sum(axis), 1, atol=1e-5)
        found.append(relu_digits.evaluate(learner, state, dataset))
    right, wrong = found
    assert float(right["test_accuracy"]) == float(right["test_accuracy_alone"]) > 0.8
    assert float(wrong["test_accuracy"]) > 0.5
    # Each class has probability 1, and the first among equals is 0.
    assert float(wrong["test_accuracy_alone"]) == pytest.approx((FEW.targets == 0).mean())


def test_losses_by_numpy():
    outputs, labels = np.random.default_rng(0).normal(size=(6, 3)), np.array([0, 2, 1, 1, 0, 2])
    softmax = np.exp(outputs) / np.exp(outputs).sum(1, keepdims=True)
    expected = {
        "cross_entropy": -np.log(softmax[np.arange(6), labels]).mean(),
        "squared_error": ((outputs - np.eye(3)[labels]) ** 2).mean(),
        "brier": ((softmax - np.eye(3)[labels]) ** 2).mean(),
    }
    for name, value in expected.items():
        assert float(loss_functions.LOSSES[name](outputs, labels)) == pytest.approx(value, rel=1e-5)


def test_shifted_batches_are_the_nine_neighbours():
    """Through a learner that says which batch it saw; 60 draws miss a neighbour in 0.8 % of keys."""
    seen = digits_mlp.Learner(None, lambda key, state, batch: (batch.inputs, {}), None)
    step = jax.vmap(digits_mlp.shifting(seen, 1).step, in_axes=(0, None, None))
    moved, _ = step(jax.random.split(jax.random.key(0), 60), None, FEW)
    neighbours = [np.roll(FEW.inputs, (i, j), (1, 2)) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    which = [[np.array_equal(one, neighbour) for neighbour in neighbours] for one in np.asarray(moved)]
    assert np.sum(which, axis=1).tolist() == [1] * 60
    assert np.any(which, axis=0).all()


def test_a_lane_is_the_lone_run_at_its_rate():
    rates = jnp.array([0.01, 0.1])
    learner_at = lambda rate: gradient(  # noqa: E731
        models.MLP((8,), 10), losses.softmax_cross_entropy, optax.sgd(rate)
    )
    lanes = deep_vs_wide.over_rates(learner_at, rates)
    scores = fitted_scores(lanes, FEW)
    np.testing.assert_allclose(scores[:, 1], fitted_scores(learner_at(0.1), FEW), atol=1e-5)
    assert np.abs(scores[:, 0] - scores[:, 1]).max() > 0.01


@jax.jit
def run_of_lanes(rates):
    """60 digits, 20 steps; the scores of the lanes and what is measured of them."""
    learner_at = lambda rate: gradient(  # noqa: E731
        models.MLP((8,), 10), losses.softmax_cross_entropy, optax.adam(rate)
    )
    lanes = deep_vs_wide.over_rates(learner_at, rates)
    run = train.run(jax.random.key(0), lanes, FEW, num_steps=20, batch_size=20, evaluate_every=5)
    scores = lanes.predict(run.state, FEW.inputs)
    return run, scores, deep_vs_wide.metrics(scores, FEW.targets)


def test_a_lane_that_diverges_is_marked_and_alone():
    """Rates that overflow, or are no number to begin with, beside two that learn."""
    sound, scores, found = run_of_lanes(jnp.array([0.01, 0.02, 0.03, 0.04]))
    lost, scores_beside_lost, found_beside_lost = run_of_lanes(jnp.array([0.01, 1e30, 0.03, np.inf]))
    assert [int(run.status.code) for run in (sound, lost)] == [train.status.OK] * 2
    np.testing.assert_array_equal(scores_beside_lost[:, [0, 2]], scores[:, [0, 2]])
    for before, after in zip(jax.tree.leaves(sound.state), jax.tree.leaves(lost.state), strict=True):
        np.testing.assert_array_equal(before[jnp.array([0, 2])], after[jnp.array([0, 2])])
    assert np.isnan(scores_beside_lost[:, [1, 3]]).all()
    names = [f"accuracy_{lane}" for lane in range(4)]
    assert [bool(np.isnan(found_beside_lost[name])) for name in names] == [False, True, False, True]
    assert [float(found_beside_lost[name]) for name in names[::2]] == [
        float(found[name]) for name in names[::2]
    ]
    assert np.isfinite(lost.history["loss"]).all()
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(lost.state.state))


def test_lanes_diverge_together_when_all_do():
    run, _, _ = run_of_lanes(jnp.array([1e30, np.inf, np.inf, np.inf]))
    assert run.status.code == train.status.DIVERGED
    assert run.status.step < 5


def test_the_best_lane_is_chosen_among_those_that_stand():
    """Lanes with the labels' scores, none and others; the first is not the best of the validation rows."""
    labels = np.array([0, 1, 2, 1])
    right, wrong = (np.eye(3, dtype=np.float32)[rows] for rows in (labels, (labels + 1) % 3))
    scores = jnp.stack([wrong, np.full((4, 3), np.nan, np.float32), right], axis=1)
    learner = Learner(None, None, lambda state, inputs: scores[inputs])
    rows, test = Batch(np.arange(4), labels), Batch(np.arange(4), np.array([0, 1, 2, 2]))
    found = deep_vs_wide.evaluate(learner, None, data.Dataset(rows, valid=rows, test=test))
    assert {name: float(value) for name, value in found.items()} == {
        "test_accuracy": 0.75, "valid_accuracy": 1,
    }  # fmt: skip
    history = {
        f"valid_accuracy_{lane}": np.array([0.5, last]) for lane, last in enumerate([0.2, np.nan, 0.9])
    }
    np.testing.assert_array_equal(deep_vs_wide._of_best_lane(history), [0.5, 0.9])


def test_accuracies_are_of_the_rows_they_are_named_for():
    """A learner that says 0: right on 3 of 4 training rows, on 1 of 4 test rows."""
    fit, test = (Batch(np.zeros((4, 1)), np.array(labels)) for labels in ([0, 0, 0, 1], [1, 2, 0, 1]))
    model = Learner(None, None, lambda state, inputs: jnp.tile(jnp.array([[1.0, 0.0, 0.0]]), (4, 1)))
    state = SimpleNamespace(mistakes=7, rows_seen=40)
    expected = {"train_accuracy": 0.75, "test_accuracy": 0.25}
    by_contract = _contract.load("classifiers").evaluate(model, None, data.Dataset(fit, test=test))
    assert float(by_contract["test_accuracy"]) == 0.25
    for experiment in (small_digits, perceptron):
        found = experiment.evaluate(model, state, data.Dataset(fit, test=test))
        assert {name: float(found[name]) for name in expected} == expected
    assert coursera_digits.evaluate(model, state, data.Dataset(fit)) == {"train_accuracy": 0.75}


def counting(length):
    """A learner that has converged after as many steps."""
    step = lambda key, state, batch: (state + 1, {"loss": 1.0, "converged": state + 1 >= length(batch)})  # noqa: E731
    return Learner(lambda key, data: jnp.int32(0), step, lambda state, inputs: inputs)


@pytest.mark.parametrize("name", ["one_vs_all", "over_rates"])
def test_learners_at_once_have_converged_when_the_slowest_has(name):
    """Of two machines or lanes that take one step and three."""
    together = {
        "one_vs_all": lambda: one_vs_all.one_vs_all(
            counting(lambda batch: 1 + batch.targets.sum()), num_classes=2
        ),
        "over_rates": lambda: deep_vs_wide.over_rates(
            lambda rate: counting(lambda batch: rate), jnp.array([1.0, 3.0])
        ),
    }[name]()
    batch, found = Batch(np.zeros((2, 1)), np.array([1, 1])), []
    state = together.init(jax.random.key(0), batch)
    for _ in range(3):
        state, metrics = together.step(jax.random.key(0), state, batch)
        found.append(bool(metrics["converged"]))
    assert found == [False, False, True]


def test_epochs_of_the_picture_are_the_epochs_of_the_rows():
    experiment = _contract.read(small_digits)
    results = [
        _run.train_row(
            experiment, f"{epochs}", small_digits.Hparams(0.01),
            small_digits.Settings("digits", epochs), seeds=1, report=lambda *news: None,
        )
        for epochs in (1, 2)
    ]  # fmt: skip
    dataset = experiment.data(results[0].settings)
    way, train_line, test_line = experiment.figures(results, dataset)["epochs"].axes[0].lines
    assert way.get_xdata()[-1] == pytest.approx(2)
    for line in (train_line, test_line):
        assert line.get_xdata().tolist() == [1, 2]
    expected = [result.metrics["test_accuracy"][0] for result in results]
    np.testing.assert_allclose(test_line.get_ydata(), expected)


def test_one_vs_all_checks_tell_weights_apart_and_draws_weights_of_images_only():
    learner = one_vs_all.learner(
        one_vs_all.Hparams(), one_vs_all.Settings("ten_columns", num_classes=3, num_steps=1)
    )
    rows = Batch(np.ones((6, 4), np.float32), np.arange(6) % 3)
    state = learner.init(jax.random.key(0), rows)
    moved = state._replace(params=jax.tree.map(lambda leaf: leaf.at[..., 1].add(0.25), state.params))
    results = [
        SimpleNamespace(name=name, learner=learner, runs=[SimpleNamespace(state=one)])
        for name, one in (("one_vs_all", state), ("ten_columns", moved))
    ]
    dataset = data.Dataset(rows, test=rows, num_classes=3)
    assert one_vs_all.checks(results, dataset) == {"largest_difference_of_weights": 0.25}
    assert list(one_vs_all.figures(results, dataset)) == ["confusion"]


def test_coursera_refuses_rows_that_are_no_images():
    with pytest.raises(InputError, match="allowed are images"):
        coursera_digits.data(coursera_digits.Settings(dataset="iris", num_examples=100))


@pytest.mark.parametrize("use_bias", [True, False])
def test_layers_have_biases_if_asked(use_bias):
    settings = deep_sigmoid_digits.Settings("xavier", use_bias, num_steps=1, num_classes=10)
    state = jax.jit(deep_sigmoid_digits.learner(deep_sigmoid_digits.Hparams(), settings).init)(
        jax.random.key(0), FEW
    )
    assert [("bias" in layer) for layer in state.params.values()] == [use_bias] * 3
