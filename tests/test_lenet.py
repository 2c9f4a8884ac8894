"""LeNet: equal to the same network of flax's layers, of the size that is told, and it learns."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnets import data, losses, train
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


def test_learns_with_a_traced_dropout_rate(digits):
    """40 steps on 400 digits tell 200 others apart; chance is 0.1."""

    @jax.jit
    def fit(key, rows, rate):
        learner = gradient(LeNet(dropout_rate=rate), losses.softmax_cross_entropy, optax.adam(1e-3))
        return train.run(key, learner, rows, num_steps=40, batch_size=40).state.params

    found = {"params": fit(jax.random.key(0), digits.train, 0.4)}
    accuracy = (jax.jit(LeNet().apply)(found, digits.test.inputs).argmax(1) == digits.test.targets).mean()
    assert accuracy >= 0.8
