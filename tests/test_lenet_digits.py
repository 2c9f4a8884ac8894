"""The digits' recipe: a network behind distortions learns, and sees images as they are when it predicts."""

import flax.linen as nn
import jax
import numpy as np
import optax

from experiments.lenet_digits import Distorted
from jaxnets import layers, losses, train
from jaxnets.learner import gradient

LABELS = np.arange(40) % 2
IMAGES = np.random.default_rng(0).uniform(0, 0.2, (40, 8, 8, 1)).astype(np.float32)
IMAGES[LABELS == 1, 3:5] += 0.8  # a bar that lies
IMAGES[LABELS == 0, :, 3:5] += 0.8  # one that stands


class Linear(nn.Module):
    """Stands for LeNet, which takes longer to compile."""

    @nn.compact
    def __call__(self, x, _train):
        return nn.Dense(2)(layers.flatten(x))


def test_a_network_learns_from_distorted_images():
    learner = gradient(
        Distorted(Linear(), layers.RandomAffine(shift=1.0)), losses.softmax_cross_entropy, optax.adam(0.05)
    )
    fit = jax.jit(lambda key: train.run(key, learner, (IMAGES, LABELS), num_steps=40, evaluate_every=10))
    run = fit(jax.random.key(0))
    assert run.history["loss"][-1] < 0.2 * run.history["loss"][0]
    scores = learner.predict(run.state, IMAGES)
    np.testing.assert_array_equal(scores.argmax(1), LABELS)
    layer = run.state.params["network"]["Dense_0"]
    np.testing.assert_allclose(
        scores, IMAGES.reshape(40, -1) @ layer["kernel"] + layer["bias"][None], atol=1e-4
    )
