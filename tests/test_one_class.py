"""The two streams, balanced batches, and detectors that know their templates."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import one_class as experiment
from jaxnets import check, losses
from jaxnets.data import Dataset
from jaxnets.learner import Learner
from jaxnets.types import Batch


def test_batches_hold_each_digit_equally():
    rows = experiment.balanced(jax.random.key(0), 3, 4, num_rows=70, batch_size=20)
    np.testing.assert_array_equal(rows // 7, np.repeat(np.arange(10), 2)[None].repeat(4, axis=0))
    whole = experiment.balanced(jax.random.key(0), 0, 7, num_rows=70, batch_size=20)
    np.testing.assert_array_equal(rows, whole[3:])


@pytest.mark.parametrize("digit", [0, 8])
def test_streams_are_the_known_digit_and_the_four_after_it(digit):
    labels = np.repeat(np.arange(10), 3)
    known, reference = experiment.streams(Batch(labels[:, None], labels), digit).inputs
    np.testing.assert_array_equal(known[:, 0], [digit] * 3)
    after = experiment.streams(Batch(labels[:, None], labels), digit).targets
    np.testing.assert_array_equal(reference[:, 0], (digit + 1 + after) % 10)


def test_compactness_is_the_loop_over_the_means_of_the_others():
    features = np.random.default_rng(0).normal(size=(7, 3))
    others = [np.delete(features, i, axis=0).mean(axis=0) for i in range(7)]
    loop = sum(np.sum((features[i] - others[i]) ** 2) for i in range(7)) / features.size
    np.testing.assert_allclose(losses.compactness(jnp.asarray(features)), loop, rtol=1e-6)


def test_branches_share_their_weights():
    network = experiment.Network("mlp", 4)
    images = jnp.linspace(0, 1, 3 * 16).reshape(3, 4, 4, 1)
    (features, logits), variables = network.init_with_output(jax.random.key(0), (images, images))
    tops = variables["params"]["Dense_2"]
    np.testing.assert_allclose(
        logits, jax.nn.relu(features) @ tops["kernel"] + tops["bias"].reshape(1, 4), atol=1e-6
    )


@pytest.mark.parametrize("detector", experiment.DETECTORS.values(), ids=experiment.DETECTORS)
def test_detectors_tell_near_from_far(detector):
    random = np.random.default_rng(0)
    templates, near = random.normal(size=(2, 60, 3))
    features = np.concatenate([near, random.normal(size=(60, 3)) + 6])
    trial = experiment.Trial(templates, features, np.repeat([1, 0], 60), np.arange(120))
    assert trial.auroc(detector) > 0.95


def numbered(predict):
    """Ten digits, four training images and two test images each, whose one pixel is their number."""
    images = np.arange(40.0, dtype=np.float32).reshape(40, 1, 1, 1)
    fit, test = (Batch(images[: 10 * each], np.repeat(np.arange(10), each)) for each in (4, 2))
    return Learner(None, None, predict), Dataset(fit, test=test, name="numbers", num_classes=10)


def test_trials_hold_the_known_digit_and_the_five_never_seen_with_its_own_features():
    learner, dataset = numbered(
        lambda state, x: x.reshape(-1, 1, 1) + 100.0 * jnp.arange(10)[None, :, None]  # [n, k, 1]
    )
    found = experiment.trials(learner, (), dataset)
    for digit, trial in enumerate(found):
        labels = dataset.test.targets[trial.rows]
        assert sorted(set(labels)) == sorted({digit, *((digit + np.arange(5, 10)) % 10)})
        np.testing.assert_array_equal(trial.is_known, labels == digit)
        np.testing.assert_array_equal(trial.features[:, 0], trial.rows + 100 * digit)
        np.testing.assert_array_equal(trial.templates[:, 0], 4 * digit + np.arange(4) + 100 * digit)


def test_without_a_network_the_features_are_the_pixels_for_every_digit():
    hparams, settings = experiment.variants()["pixels"]
    _, dataset = numbered(None)
    learner = experiment.learner(hparams, settings)
    state, metrics = learner.step(jax.random.key(0), (), dataset.train)
    assert float(metrics["loss"]) == 0
    for digit, trial in enumerate(experiment.trials(learner, state, dataset)):
        np.testing.assert_array_equal(trial.features[:, 0], trial.rows)
        np.testing.assert_array_equal(trial.templates[:, 0], 4 * digit + np.arange(4))


def test_areas_are_means_over_the_digits_and_the_least_of_them(monkeypatch):
    """A detector that reads the label off the image, but for digit 3, of which its features say nothing."""
    learner, dataset = numbered(
        lambda state, x: jnp.where(jnp.arange(10)[None, :, None] == 3, 0.0, x.reshape(-1, 1, 1))
    )
    near = {"neighbours": lambda t, x: -np.abs(x[:, 0] // 2 - t[0, 0] // 4)}
    monkeypatch.setattr(experiment, "DETECTORS", near)
    found = experiment.evaluate(learner, (), dataset)
    assert found == {"auroc_neighbours": pytest.approx(0.95), "auroc_hardest_digit": 0.5}


@pytest.mark.parametrize("weights", [(2.0, 0.0), (0.0, 3.0)])
def test_the_loss_is_the_weighted_sum_of_both_aims(weights):
    settings = experiment.Settings(network="mlp", num_features=4, num_steps=1, batch_size=20)
    images = np.random.default_rng(0).uniform(size=(20, 3, 3, 1)).astype(np.float32)
    batch = Batch(images, np.repeat(np.arange(10), 2))
    learner = experiment.learner(experiment.Hparams(0.0, *weights), settings)
    state = learner.init(jax.random.key(0), batch)
    loss = learner.step(jax.random.key(0), state, batch)[1]["loss"]
    features = np.asarray(learner.predict(state, images))
    known = [features[2 * digit : 2 * digit + 2, digit] for digit in range(10)]
    compactness = np.mean([losses.compactness(jnp.asarray(own)) for own in known])
    if weights[0]:
        np.testing.assert_allclose(loss, 2 * compactness, rtol=1e-5)
    else:
        assert 0.7 < float(loss) / (3 * np.log(4)) < 1.5


@pytest.mark.parametrize(("changes", "found"), [({"network": "foo"}, "'foo'"), ({"batch_size": 25}, "= 25")])
def test_other_networks_and_sizes_are_refused(changes, found):
    with pytest.raises(check.InputError, match=found):
        experiment.learner(experiment.Hparams(), experiment.Settings(**changes))
