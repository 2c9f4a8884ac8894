"""The experiment's layer against flax's, its modes, the sweep over rates, and which of them are stable."""

import inspect
from types import SimpleNamespace

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import logsumexp

from experiments import batch_norm as experiment
from jaxnets import train
from jaxnets.check import InputError
from jaxnets.data import load


def test_equals_flax_in_both_modes_and_its_gradient():
    ours = experiment._numbers(experiment.BatchNorm(0.9), lambda train: {"train": train})
    flax = experiment._numbers(
        nn.BatchNorm(momentum=0.9, epsilon=experiment.EPSILON),
        lambda train: {"use_running_average": not train},
    )
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5), ours, flax)


@pytest.mark.parametrize("mode", [False, True])
def test_averages_start_at_0_and_1_and_evaluation_becomes_training(mode):
    """Fed with one batch again and again, the averages are its moments, so both modes agree."""
    layer = experiment.BatchNorm(0.5)
    x = 4 + 2 * jax.random.normal(jax.random.key(0), (30, 3))
    variables = layer.init(jax.random.key(1), x, train=mode)
    assert jax.tree.map(lambda leaf: leaf.tolist(), variables["batch_stats"]) == {
        "mean": [0.0] * 3, "var": [1.0] * 3,
    }  # fmt: skip
    for _ in range(25):
        y, moved = layer.apply(variables, x, train=True, mutable=["batch_stats"])
        variables |= moved
    np.testing.assert_allclose(variables["batch_stats"]["var"], x.var(0), rtol=1e-5)
    np.testing.assert_allclose(layer.apply(variables, x, train=False), y, atol=1e-5)


def test_sweep_is_of_whole_runs_at_these_rates_and_without_the_test_rows(monkeypatch):
    """The loss over all training rows in evaluation mode, against lone runs; absurd rates diverge."""
    dataset = load("digits", valid_fraction=0.1).replace(test=None)
    monkeypatch.setattr(experiment, "data", lambda settings: dataset)
    lengths = {"num_steps": 40, "batch_size": 50, "num_rates": 3, "num_seeds": 2}
    hparams = experiment.Hparams(lowest_rate=1e-2, highest_rate=1e4)
    settings = experiment.Settings(False, "digits", widths=(20,), num_classes=10, **lengths)
    found = inspect.unwrap(experiment.sweep)(hparams, settings)
    assert np.isinf(found["loss"][:, 2]).all()
    np.testing.assert_array_equal(found["valid_accuracy"][:, 2], 0)

    key = jax.random.split(jax.random.key(0), 2)[1]
    one = experiment.learner(experiment.Hparams(learning_rate=1e-2), settings)
    run = jax.jit(lambda rows: [
        train.run(key, one, rows, num_steps=num_steps, batch_size=50).state for num_steps in (0, 40)
    ])  # fmt: skip
    untrained, ended = run(dataset.train)
    left = _cross_entropy(one, ended, dataset.train) / _cross_entropy(one, untrained, dataset.train)
    np.testing.assert_allclose(found["loss"][1, 0], left, rtol=1e-4)
    guesses = np.argmax(one.predict(ended, dataset.valid.inputs), axis=1)
    share = np.mean(guesses == dataset.valid.targets)
    np.testing.assert_allclose(found["valid_accuracy"][1, 0], share, atol=0.01)


def _cross_entropy(learner, state, rows):
    scores = np.asarray(learner.predict(state, rows.inputs), np.float64)
    chosen = np.take_along_axis(scores, np.asarray(rows.targets)[:, None], axis=1)[:, 0]
    return np.mean(logsumexp(scores, axis=1) - chosen)


def test_stable_rates_are_what_the_definitions_say(monkeypatch):
    """Half of the first loss, below it, or nine of ten validation rows: five rates, a decade apart."""
    with_it = {"loss": [[0.6, 0.5, 0.1, 0.51, 0.99]], "valid_accuracy": [[0.0, 0.0, 0.9, 0.89, 0.0]]}
    without = {"loss": [[1.0, 0.3, np.inf, 1.0, np.inf]], "valid_accuracy": [[0.9, 0.89, 0.0, 0.0, 0.0]]}
    tables = {True: with_it, False: without}
    monkeypatch.setattr(
        experiment, "sweep", lambda _, settings: jax.tree.map(
            np.array, tables[settings.is_normalised], is_leaf=lambda leaf: isinstance(leaf, list)
        )
    )  # fmt: skip
    hparams = experiment.Hparams(lowest_rate=1e-3, highest_rate=10.0)
    rows = [
        SimpleNamespace(name=str(is_normalised), hparams=hparams, settings=settings)
        for is_normalised in (True, False)
        for settings in [experiment.Settings(is_normalised, num_rates=5)]
    ]
    expected = {
        "ratio_of_stable_rates": 10, "ratio_below_start": 1000, "ratio_by_validation_accuracy": 100,
        "largest_stable_rate_True": 0.1, "range_of_stable_rates_True": 10,
        "largest_stable_rate_False": 0.01, "range_of_stable_rates_False": 1, "ratio_of_ranges": 10,
    }  # fmt: skip
    assert experiment.stable_rates(*rows) == pytest.approx(expected)
    without["valid_accuracy"] = [[0.0] * 5]
    assert np.isnan(experiment.stable_rates(*rows)["ratio_by_validation_accuracy"])


@pytest.mark.parametrize("wrong", ["outputs", "gradient"])
def test_checks_tell_the_one_number_of_the_layer_that_is_not_flaxs(monkeypatch, wrong):
    """Numbers up to 4: 1e-6 of them away everywhere, but in one place of one kind 0.1 of them."""
    near = {"outputs": 4 * np.eye(3), "gradient": ({"scale": np.array([-4.0, 1.0])}, np.ones(2))}

    def numbers(layer, mode):
        if isinstance(layer, nn.BatchNorm):
            return near
        found = jax.tree.map(lambda leaf: leaf * (1 - 1e-6), near)
        leaf = found["outputs"] if wrong == "outputs" else found["gradient"][0]["scale"]
        leaf[..., 0] -= 0.4
        return found

    monkeypatch.setattr(experiment, "_numbers", numbers)
    monkeypatch.setattr(experiment, "stable_rates", lambda with_it, without: {"ratio": with_it / without})
    right = {"outputs": 1e-6, "gradient": 1e-6} | {wrong: 0.1}
    expected = {f"error_of_{name}": value for name, value in right.items()}
    assert experiment.checks([6.0, 2.0], None) == pytest.approx(
        expected | {"largest_error": 0.1, "ratio": 3}, rel=1e-3
    )


def test_a_sweep_from_high_to_low_is_refused():
    with pytest.raises(InputError, match="lowest rate 5: it must lie below the highest"):
        experiment.rates(experiment.Hparams(lowest_rate=5.0, highest_rate=0.1), experiment.Settings())


def test_bias_stands_where_batch_norm_does_not():
    x = jnp.ones((2, 3))
    for is_normalised in (True, False):
        network = experiment.Network((4,), 2, is_normalised, 0.9)
        layers = network.init(jax.random.key(0), x, train=False)["params"]
        assert ("bias" in layers["Dense_0"]) != is_normalised
        assert "bias" in layers["Dense_1"]
