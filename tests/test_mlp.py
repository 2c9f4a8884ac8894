"""Multi-layer perceptron: backpropagation by hand, the symmetry of hidden units, scikit-learn's accuracy."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.neural_network import MLPClassifier

from jaxnets import data, losses, train
from jaxnets.learner import gradient
from jaxnets.models.mlp import MLP


def dense(rows, width):
    generator = np.random.default_rng(rows * width)
    return {"kernel": generator.normal(size=(rows, width)), "bias": generator.normal(size=width)}


INPUTS = np.random.default_rng(0).normal(size=(6, 2, 2))
LABELS = np.array([0, 2, 1, 1, 0, 2])
PARAMS = {"Dense_0": dense(4, 5), "Dense_1": dense(5, 4), "Dense_2": dense(4, 3)}
NETWORK = MLP(widths=(5, 4), num_outputs=3, activation=jnp.tanh)


def softmax_slope(outputs):
    """``dL/do = (softmax(o) - onehot) / n`` of the cross-entropy."""
    odds = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    return (odds / odds.sum(axis=1, keepdims=True) - np.eye(3)[LABELS]) / len(outputs)


def squared_slope(outputs):
    """``dL/do = 2 (o - t) / (n k)`` of the mean squared error."""
    return 2 * (outputs - np.eye(3)[LABELS]) / outputs.size


def backpropagate(slope):
    """``dW_l = a_(l-1)^T d_l``, ``db_l = 1^T d_l``, ``d_(l-1) = (d_l W_l^T) (1 - a_(l-1)^2)``."""
    layers = list(PARAMS)
    activations = [INPUTS.reshape(6, 4)]
    for name in layers:
        z = activations[-1] @ PARAMS[name]["kernel"] + PARAMS[name]["bias"]
        activations.append(z if name == layers[-1] else np.tanh(z))
    delta, gradients = slope(activations.pop()), {}
    for name in reversed(layers):
        a = activations.pop()
        gradients[name] = {"kernel": a.T @ delta, "bias": delta.sum(axis=0)}
        delta = (delta @ PARAMS[name]["kernel"].T) * (1 - a**2)
    return gradients


@pytest.mark.parametrize(
    ("loss", "targets", "slope"),
    [
        (losses.softmax_cross_entropy, LABELS, softmax_slope),
        (losses.squared_error, np.eye(3)[LABELS], squared_slope),
    ],
)
def test_gradients_are_backpropagation_by_hand(loss, targets, slope):
    with jax.enable_x64(True):
        found = jax.jit(jax.grad(lambda params: loss(NETWORK.apply({"params": params}, INPUTS), targets)))(
            PARAMS
        )
    for name, layer in backpropagate(slope).items():
        for part, expected in layer.items():
            np.testing.assert_allclose(found[name][part], expected, rtol=1e-6, atol=1e-12)


def test_hidden_units_have_no_order():
    first, second, order = PARAMS["Dense_0"], PARAMS["Dense_1"], [3, 1, 4, 0, 2]
    shuffled = PARAMS | {
        "Dense_0": {"kernel": first["kernel"][:, order], "bias": first["bias"][order]},
        "Dense_1": {"kernel": second["kernel"][order], "bias": second["bias"]},
    }
    outputs = [NETWORK.apply({"params": params}, INPUTS) for params in (PARAMS, shuffled)]
    np.testing.assert_allclose(*outputs, atol=1e-5)


def test_every_layer_starts_from_kernel_init():
    network = MLP(widths=(5, 4), num_outputs=3, kernel_init=nn.initializers.constant(0.5))
    for layer in network.init(jax.random.key(0), INPUTS)["params"].values():
        np.testing.assert_array_equal(layer["kernel"], 0.5)


def test_every_bias_starts_from_bias_init():
    network = MLP(widths=(5, 4), num_outputs=3, bias_init=nn.initializers.constant(0.5))
    for layer in network.init(jax.random.key(0), INPUTS)["params"].values():
        np.testing.assert_array_equal(layer["bias"], 0.5)


def test_without_biases_an_odd_activation_gives_an_odd_function():
    """``f(-x) = -f(x)`` where every layer is odd; a bias breaks it."""
    network = MLP(widths=(5, 4), num_outputs=3, activation=jnp.tanh, use_bias=False)
    kernels = {name: {"kernel": layer["kernel"]} for name, layer in PARAMS.items()}
    mirrored = [network.apply({"params": kernels}, sign * INPUTS) for sign in (1, -1)]
    np.testing.assert_allclose(mirrored[0], -mirrored[1], atol=1e-6)
    biased = [NETWORK.apply({"params": PARAMS}, sign * INPUTS) for sign in (1, -1)]
    assert np.abs(biased[0] + biased[1]).max() > 0.1


def test_accuracy_is_scikit_learns():
    """On 450 test digits both make some 10 mistakes; 2 points are 9 of them."""
    digits = data.load("digits", test_fraction=0.25)
    peer = MLPClassifier((32,), batch_size=64, max_iter=15, learning_rate_init=5e-3, random_state=0, tol=0)
    peer.n_iter_no_change = peer.max_iter
    (inputs, labels), test = digits.train, digits.test
    with pytest.warns(UserWarning, match="Maximum iterations"):
        peer.fit(inputs.reshape(len(inputs), -1), labels)
    expected = peer.score(test.inputs.reshape(len(test.inputs), -1), test.targets)
    learner = gradient(MLP(widths=(32,), num_outputs=10), losses.softmax_cross_entropy, optax.adam(5e-3))
    fit = jax.jit(lambda key, rows: train.run(key, learner, rows, num_steps=315, batch_size=64).state)
    logits = learner.predict(fit(jax.random.key(0), digits.train), test.inputs)
    found = (logits.argmax(1) == test.targets).mean()
    assert expected > 0.95
    assert abs(found - expected) <= 0.02
