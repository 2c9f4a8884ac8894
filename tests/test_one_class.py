"""The two streams, balanced batches, and detectors that know their templates."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import one_class as experiment
from jaxnets import losses
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
