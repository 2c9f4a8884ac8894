"""Losses: values by hand, gradients in float64, extremes in float32."""

from functools import partial
from inspect import unwrap

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.test_util import check_grads
from sklearn import metrics as sk

from jaxnets import losses
from jaxnets.check import InputError

LABELS = np.array([0, 2, 1, 2])
SCORES = np.random.default_rng(0).normal(size=(4, 3))
SIGNS = np.array([1, 0, 0, 1])
THRESHOLDS = np.array([-1.0, 0.5, 2.0])

cumulative = partial(losses.cumulative_logits, thresholds=THRESHOLDS)
CASES = {
    "softmax": (losses.softmax_cross_entropy, SCORES, LABELS),
    "smoothed": (partial(losses.softmax_cross_entropy, label_smoothing=0.1), SCORES, LABELS),
    "sigmoid": (losses.sigmoid_cross_entropy, SCORES[:, 0], SIGNS),
    "squared": (losses.squared_error, SCORES, SCORES[::-1] + 0.3),
    "hinge": (losses.hinge_binary, SCORES[:, 0], SIGNS),
    "squared_hinge": (losses.squared_hinge_binary, SCORES[:, 0], SIGNS),
    "hinge_multiclass": (losses.hinge_multiclass, SCORES, LABELS),
    "perceptron": (losses.perceptron_binary, SCORES[:, 0], SIGNS),
    "perceptron_multiclass": (losses.perceptron_multiclass, SCORES, LABELS),
    "ordinal": (lambda f, y: losses.ordinal(cumulative(f), y), SCORES[:, 0], np.array([0, 3, 1, 2])),
    "compactness": (lambda x, _: losses.compactness(x), SCORES, None),
    "l1": (lambda x, _: losses.l1_penalty({"kernel": x}), SCORES, None),
    "l2": (lambda x, _: losses.l2_penalty({"kernel": x}), SCORES, None),
}


@pytest.mark.parametrize("case", CASES)
def test_gradient_equals_finite_differences(case):
    loss, outputs, targets = CASES[case]
    with jax.enable_x64(True):
        check_grads(lambda x: loss(x, targets), (jnp.asarray(outputs),), order=1, modes=["rev"], rtol=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_finite_at_extreme_outputs(case):
    loss, outputs, targets = CASES[case]
    function = jax.jit(jax.value_and_grad(lambda x: loss(x, targets)))
    for factor in (1, -1):
        value, gradient = function(jnp.float32(factor * 1e4) * jnp.sign(outputs).astype(jnp.float32))
        assert jnp.isfinite(value)
        assert jnp.isfinite(gradient).all()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (losses.softmax_cross_entropy(jnp.log(jnp.array([[1.0, 3.0]])), jnp.array([0])), np.log(4)),
        (
            losses.softmax_cross_entropy(
                jnp.log(jnp.array([[1.0, 3.0]])), jnp.array([0]), label_smoothing=0.5
            ),
            0.75 * np.log(4) + 0.25 * np.log(4 / 3),
        ),
        (losses.sigmoid_cross_entropy(jnp.zeros((2, 2)), jnp.full((2, 2), 0.3)), np.log(2)),
        (losses.squared_error(jnp.array([[1.0, 2.0], [3.0, 4.0]]), jnp.zeros((2, 2))), 7.5),
        (losses.hinge_binary(jnp.array([[2.0, -0.5]]), jnp.array([[1, 0]])), 0.25),
        (losses.squared_hinge_binary(jnp.array([-1.0, 2.0]), jnp.array([1, 1])), 2.0),
        (losses.hinge_multiclass(jnp.array([[0.0, 2.0, 1.0], [5.0, 0.0, 1.0]]), jnp.array([2, 0])), 1.0),
        (losses.perceptron_binary(jnp.array([-1.0, 2.0]), jnp.array([1, 1])), 0.5),
        (losses.perceptron_multiclass(jnp.array([[0.0, 2.0, 1.0], [5.0, 0.0, 1.0]]), jnp.array([2, 0])), 0.5),
        (losses.l1_penalty({"a": {"kernel": jnp.array([[-1.0, 2.0]]), "bias": jnp.ones(3)}}), 3.0),
        (losses.l2_penalty({"a": jnp.array([3.0, 4.0])}), 12.5),
        (losses.l2_penalty({"bias": jnp.ones(2)}, include=lambda path: True), 1.0),
        (losses.l2_penalty({"bias": jnp.ones(2)}), 0.0),
    ],
)
def test_value_by_hand(value, expected):
    np.testing.assert_allclose(value, expected, rtol=1e-6)


def test_values_of_other_libraries():
    labels = optax.smooth_labels(jax.nn.one_hot(LABELS, 3), 0.1)
    smoothed = losses.softmax_cross_entropy(jnp.asarray(SCORES), LABELS, label_smoothing=0.1)
    np.testing.assert_allclose(smoothed, optax.softmax_cross_entropy(SCORES, labels).mean(), rtol=1e-6)
    hinge = losses.hinge_multiclass(jnp.asarray(SCORES), LABELS)
    np.testing.assert_allclose(hinge, sk.hinge_loss(LABELS, SCORES), rtol=1e-6)
    binary = losses.hinge_binary(jnp.asarray(SCORES[:, 0]), SIGNS)
    np.testing.assert_allclose(binary, sk.hinge_loss(SIGNS, SCORES[:, 0]), rtol=1e-6)


def test_small_losses_keep_their_digits():
    value = losses.sigmoid_cross_entropy(jnp.array([30.0, -30.0]), jnp.array([1, 0]))
    np.testing.assert_allclose(value, np.exp(-30), rtol=1e-5)


@pytest.mark.parametrize("logits", [[9.0, 0.0, -1e4], [1.0, 2.0, -np.inf]])
def test_confident_and_masked_scores_keep_their_digits(logits):
    labels, logits = jnp.array([0]), jnp.array([logits])
    expected = optax.softmax_cross_entropy_with_integer_labels(logits, labels)[0]
    loss = partial(losses.softmax_cross_entropy, logits, labels)
    np.testing.assert_allclose(loss(), expected, rtol=2e-2)  # at 9, float32 has steps of 1e-6
    np.testing.assert_allclose(jax.jit(lambda s: loss(label_smoothing=s))(0.0), expected, rtol=2e-2)
    traced = jax.grad(lambda x, s: losses.softmax_cross_entropy(x, labels, label_smoothing=s), argnums=(0, 1))
    of_logits, of_smoothing = traced(logits, 0.0)
    np.testing.assert_allclose(of_logits.sum(), 0, atol=1e-6)
    assert jnp.isfinite(of_smoothing)


def test_ordinal_probabilities_are_differences_of_cumulative_ones():
    logits = cumulative(SCORES[:, 0])
    at_most = np.concatenate([np.zeros((4, 1)), 1 / (1 + np.exp(logits)), np.ones((4, 1))], axis=1)
    probabilities = jnp.exp(losses.ordinal_log_probabilities(logits))
    np.testing.assert_allclose(probabilities, np.diff(at_most), rtol=1e-5)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)


def test_ordinal_decode_is_the_median():
    logits = cumulative(jnp.array([-3.0, 0.0, 1.0, 9.0]))
    assert losses.ordinal_decode(logits).tolist() == [0, 1, 2, 3]
    below = np.cumsum(np.exp(losses.ordinal_log_probabilities(logits)), axis=1)
    assert (below >= 0.5).argmax(axis=1).tolist() == [0, 1, 2, 3]


def test_ordinal_gradient_restores_the_order():
    logits = jnp.array([[-1.0, 1.0]])
    gradient = jax.grad(losses.ordinal)(logits, jnp.array([1]))
    assert gradient[0, 0] < 0 < gradient[0, 1]


def test_compactness_equals_the_leave_one_out_loop():
    x = np.random.default_rng(1).normal(3.0, 2.0, (17, 5))
    rows = [x[i] - np.delete(x, i, axis=0).mean(axis=0) for i in range(17)]
    loop = sum(row @ row for row in rows) / (17 * 5)
    np.testing.assert_allclose(losses.compactness(x.astype(np.float32)), loop, rtol=1e-6)


@pytest.mark.parametrize(
    "call",
    [
        lambda: losses.squared_error(jnp.zeros((3, 1)), jnp.zeros(3)),
        lambda: losses.sigmoid_cross_entropy(jnp.zeros((3, 1)), jnp.zeros(3)),
        lambda: losses.hinge_binary(jnp.zeros((3, 1)), jnp.zeros(3)),
        lambda: losses.compactness(jnp.zeros((1, 2))),
        lambda: losses.softmax_cross_entropy(jnp.zeros((1, 2)), jnp.array([0]), label_smoothing=1.0),
    ],
)
def test_refused(call):
    with pytest.raises(InputError):
        call()


def test_label_smoothing_can_be_swept():
    values = jax.vmap(lambda s: losses.softmax_cross_entropy(jnp.asarray(SCORES), LABELS, label_smoothing=s))(
        jnp.array([0.0, 0.1])
    )
    expected = [
        losses.softmax_cross_entropy(jnp.asarray(SCORES), LABELS, label_smoothing=s) for s in (0.0, 0.1)
    ]
    np.testing.assert_allclose(values, expected, rtol=1e-6)


@pytest.mark.parametrize(
    "loss",
    [losses.softmax_cross_entropy, losses.hinge_multiclass, losses.perceptron_multiclass, losses.ordinal],
)
@pytest.mark.parametrize(("rows", "labels"), [(1, [0, 1, 2]), (4, [1]), (3, [[0], [1], [2]])])
def test_labels_are_not_broadcast(loss, rows, labels):
    with pytest.raises(InputError, match="labels"):  # unwrapped: the tests' own shape check is stricter
        unwrap(loss)(jnp.zeros((rows, 3)), jnp.array(labels))


@pytest.mark.parametrize("label", [-1, 7, np.nan])
@pytest.mark.parametrize("case", ["sigmoid", "hinge", "squared_hinge", "perceptron"])
def test_a_binary_label_outside_0_and_1_gives_nan(case, label):
    loss = CASES[case][0]
    assert jnp.isfinite(loss(jnp.array([5.0, -5.0]), jnp.array([1.0, 0.0])))
    assert jnp.isnan(loss(jnp.array([5.0, -5.0]), jnp.array([1.0, label])))


@pytest.mark.parametrize("label", [-1, 3])
@pytest.mark.parametrize(
    "loss", [losses.softmax_cross_entropy, losses.hinge_multiclass, losses.perceptron_multiclass]
)
def test_a_label_that_is_no_class_gives_nan(loss, label):
    assert jnp.isnan(loss(jnp.zeros((2, 3)), jnp.array([0, label])))
