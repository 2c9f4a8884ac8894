"""LeNet: equal to the same network of flax's layers, of the size that is told, and it learns."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnets import data, losses, train
from jaxnets.check import InputError
from jaxnets.learner import gradient
from jaxnets.models.lenet import LeNet


class Reference(nn.Module):
    """The network without dropout, of flax's layers."""

    @nn.compact
    def __call__(self, x):
        for features in (32, 64):
            x = nn.max_pool(nn.relu(nn.Conv(features, (5, 5))(x)), (2, 2), (2, 2))
        a = nn.relu(nn.Dense(1024)(x.reshape(len(x), -1)))
        return nn.Dense(10)(a)


@pytest.fixture(scope="module")
def digits():
    return data.load("mnist5k", num_examples=400, test_fraction=0.04)


@pytest.fixture(scope="module")
def params():
    return jax.jit(LeNet().init)(jax.random.key(0), jnp.zeros((1, 28, 28, 1)))["params"]


def test_parameters(params):
    shapes = {name: layer["kernel"].shape for name, layer in params.items()}
    assert shapes == {
        "Conv_0": (5, 5, 1, 32),
        "Conv_1": (5, 5, 32, 64),
        "Dense_0": (7 * 7 * 64, 1024),
        "Dense_1": (1024, 10),
    }
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == 3_274_634


def test_outputs_and_gradients_are_those_of_flaxs_layers(digits, params):
    inputs, labels = (part[:20] for part in digits.test)

    def result(model, **mode):
        def loss(params):
            return losses.softmax_cross_entropy(model.apply({"params": params}, inputs, **mode), labels)

        return jax.jit(jax.value_and_grad(loss))(params)

    expected = result(Reference())
    undropped = result(LeNet(dropout_rate=0.0), train=True, rngs={"dropout": jax.random.key(1)})
    for found in (result(LeNet()), undropped):
        jax.tree.map(lambda f, e: np.testing.assert_allclose(f, e, atol=1e-5), found, expected)


def test_dropout_is_active_in_training_alone():
    """Weights that show the 1024 units as the outputs, each 1 before dropout."""
    model, images = LeNet(num_classes=1024), jnp.zeros((4, 4, 4, 1))
    shapes = jax.eval_shape(model.init, jax.random.key(0), images)["params"]
    params = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape), shapes)
    params["Dense_0"]["bias"], params["Dense_1"]["kernel"] = jnp.ones(1024), jnp.eye(1024)
    np.testing.assert_array_equal(model.apply({"params": params}, images), 1)
    first, second = (
        np.asarray(
            model.apply({"params": params}, images, train=True, rngs={"dropout": jax.random.key(seed)})
        )
        for seed in (1, 2)
    )
    assert abs((first == 0).mean() - 0.4) <= 0.04  # five standard deviations
    np.testing.assert_allclose(first[first != 0], 1 / 0.6, rtol=1e-5)
    assert 0.4 < (first != second).mean() < 0.56  # 2 x 0.4 x 0.6 of independent draws


def test_learns_with_a_traced_dropout_rate(digits):
    """40 steps on 400 digits tell 200 others apart; chance is 0.1."""

    @jax.jit
    def fit(key, rows, rate):
        learner = gradient(LeNet(dropout_rate=rate), losses.softmax_cross_entropy, optax.adam(1e-3))
        return train.run(key, learner, rows, num_steps=40, batch_size=40).state.params

    found = {"params": fit(jax.random.key(0), digits.train, 0.4)}
    accuracy = (jax.jit(LeNet().apply)(found, digits.test.inputs).argmax(1) == digits.test.targets).mean()
    assert accuracy >= 0.8


@pytest.mark.parametrize("shape", [(8, 20), (16, 15)])
def test_images_that_pooling_would_leave_nothing_of_are_refused(shape):
    model = LeNet(features=(4, 4, 4, 4), widths=(8,))
    jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 16, 16, 1)))
    size = "x".join(map(str, shape))
    with pytest.raises(InputError, match=f"^LeNet: images of {size} pixels, allowed are 16x16") as found:
        jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, *shape, 1)))
    assert "\n" not in str(found.value)
