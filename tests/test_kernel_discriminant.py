"""Kernel discriminant: with a linear kernel it is the linear one; with others it bends."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from sklearn.datasets import load_digits, load_iris, make_circles

from jaxnets import kernels, status, train
from jaxnets.check import InputError
from jaxnets.models.discriminant import linear_discriminant
from jaxnets.models.discriminant import transform as linear_transform
from jaxnets.models.kernel_discriminant import kernel_discriminant, transform
from jaxnets.types import Batch

KEY = jax.random.key(0)
IRIS = load_iris()


def fit(inputs, targets, kernel, **hparams):
    num_classes = int(max(targets)) + 1
    model = kernel_discriminant(num_classes=num_classes, kernel=kernel, **hparams)
    batch = Batch(inputs, targets)
    state, metrics = jax.jit(model.step)(KEY, model.init(KEY, batch), batch)
    return state, metrics, partial(model.predict, state)


@pytest.mark.parametrize("shrinkage", [0.001, 0.3])
def test_with_a_linear_kernel_it_is_the_linear_discriminant(shrinkage):
    """``(1 - s)(S_w + mu I)`` is ``S_w`` shrunk by ``s`` when ``mu = s / (1 - s) trace(S_w) / d``."""
    with jax.enable_x64(True):
        rows = Batch(jnp.asarray(IRIS.data), jnp.asarray(IRIS.target))
        flat = linear_discriminant(num_classes=3, shrinkage=shrinkage)
        linear, _ = flat.step(KEY, flat.init(KEY, rows), rows)
        means = np.stack([IRIS.data[IRIS.target == j].mean(axis=0) for j in range(3)])
        variance = np.square(IRIS.data - means[IRIS.target]).sum(axis=1).mean() / 4
        mu = shrinkage / (1 - shrinkage) * variance
        state, _, predict = fit(*rows, kernels.linear(), regularization=mu)
        ours = transform(state, rows.inputs, kernel=kernels.linear())
        theirs = np.sqrt(1 - shrinkage) * linear_transform(linear, rows.inputs)
        signs = np.sign(np.sum(ours * theirs, axis=0, keepdims=True))
        np.testing.assert_allclose(ours, signs * theirs, rtol=1e-8, atol=1e-8)
        np.testing.assert_allclose(state.criterion, (1 - shrinkage) * linear.criterion, rtol=1e-8)
        same = np.argmax(predict(rows.inputs), axis=1) == np.argmax(flat.predict(linear, rows.inputs), axis=1)
        assert np.mean(same) >= 0.99


def test_equals_the_dense_generalised_eigenproblem():
    """``M a = lambda (N + mu K) a`` over combinations of all centred rows, solved by SciPy."""
    with jax.enable_x64(True):
        x, labels = jnp.asarray(IRIS.data), IRIS.target
        kernel = kernels.polynomial(degree=2)
        state, metrics, _ = fit(x, labels, kernel, regularization=0.1)
        gram = np.asarray(kernels.centre(kernel(x, x), kernel(x, x)))
    means = np.stack([gram[:, labels == j].mean(axis=1) for j in range(3)], axis=1)
    deviations = gram - means[:, labels]
    between, within = means @ means.T / 3, deviations @ deviations.T / len(x) + 0.1 * gram
    basis = scipy.linalg.orth(gram)  # a quadratic kernel of four features spans 14 dimensions
    values = scipy.linalg.eigh(basis.T @ between @ basis, basis.T @ within @ basis, eigvals_only=True)
    np.testing.assert_allclose(state.criterion, values[::-1][:2], rtol=1e-5)
    np.testing.assert_allclose(metrics["loss"], -values[-2:].sum(), rtol=1e-5)


def test_separates_rings_that_no_line_separates():
    inputs, labels = make_circles(200, factor=0.4, noise=0.08, random_state=0)
    inputs = inputs.astype(np.float32)
    accuracy = {}
    for name, kernel in (("linear", kernels.linear()), ("rbf", kernels.rbf(gamma=2.0))):
        _, _, predict = fit(inputs[:100], labels[:100], kernel)
        accuracy[name] = np.mean(np.argmax(predict(inputs[100:]), axis=1) == labels[100:])
    assert accuracy["rbf"] >= 0.98
    assert accuracy["linear"] <= 0.7


def test_learns_digits_better_than_the_linear_one():
    digits = load_digits()
    images = (digits.images[:, :, :, None] / 16).astype(np.float32)
    train, test = slice(0, 600), slice(600, None)
    gamma = kernels.scale_gamma(images[train].reshape(600, -1))
    _, _, predict = fit(images[train], digits.target[train], kernels.rbf(gamma=gamma))
    accuracy = np.mean(np.argmax(predict(images[test]), axis=1) == digits.target[test])
    flat = linear_discriminant(num_classes=10)
    rows = Batch(images[train], digits.target[train])
    linear, _ = flat.step(KEY, flat.init(KEY, rows), rows)
    assert accuracy >= 0.95
    assert accuracy > np.mean(np.argmax(flat.predict(linear, images[test]), axis=1) == digits.target[test])


def test_a_class_without_rows_is_never_predicted():
    inputs, labels = IRIS.data.astype(np.float32), np.where(IRIS.target == 1, 3, IRIS.target)
    model = kernel_discriminant(num_classes=4, kernel=kernels.rbf(gamma=0.5))
    run = train.run(KEY, model, (inputs, labels), num_steps=1)
    assert run.status.code != status.DIVERGED
    predictions = np.argmax(model.predict(run.state, inputs), axis=1)
    assert set(predictions.tolist()) == {0, 2, 3}
    assert np.mean(predictions == labels) >= 0.95


def test_regularization_and_width_can_be_swept():
    inputs, labels = IRIS.data.astype(np.float32), IRIS.target

    def criterion(gamma, mu):
        return fit(inputs, labels, kernels.rbf(gamma=gamma), regularization=mu)[0].criterion

    swept = jax.jit(jax.vmap(criterion))(jnp.array([0.1, 0.1, 1.0]), jnp.array([1e-2, 1e-1, 1e-2]))
    np.testing.assert_allclose(swept[2], criterion(1.0, 1e-2), rtol=1e-3)
    assert (swept[0] > swept[1]).all()  # a stronger regulariser, less of the criterion


@pytest.mark.parametrize("wrong", [{"regularization": 0.0}, {"num_classes": 1}])
def test_refuses_values_out_of_range(wrong):
    with pytest.raises(InputError, match=f"{next(iter(wrong))} = .*, allowed"):
        kernel_discriminant(**{"num_classes": 2, "kernel": kernels.linear()} | wrong)


def test_refuses_labels_that_are_no_class():
    model = kernel_discriminant(num_classes=2, kernel=kernels.linear())
    with pytest.raises(InputError, match="label 2, allowed are 0 to 1"):
        model.init(KEY, Batch(IRIS.data, IRIS.target))
