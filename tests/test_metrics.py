"""Metrics against scikit-learn's, and what a NaN counts."""

from inspect import unwrap

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn import metrics as sk

from jaxnets import metrics
from jaxnets.check import InputError

RANDOM = np.random.default_rng(0)
SCORES = RANDOM.normal(size=(50, 4)).astype(np.float32)
LABELS = RANDOM.integers(0, 4, 50)
OUTPUTS, TARGETS = RANDOM.normal(size=(2, 50, 3)).astype(np.float32)
COARSE = RANDOM.integers(0, 8, 50).astype(np.float32)  # many ties
CLASSES = RANDOM.integers(0, 2, 50)


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("accuracy", (SCORES, LABELS), sk.accuracy_score(LABELS, SCORES.argmax(axis=1))),
        ("error_rate", (SCORES, LABELS), 1 - sk.accuracy_score(LABELS, SCORES.argmax(axis=1))),
        ("confusion_matrix", (SCORES, LABELS), sk.confusion_matrix(LABELS, SCORES.argmax(axis=1))),
        ("cross_entropy", (SCORES, LABELS), sk.log_loss(LABELS, jax.nn.softmax(SCORES))),
        ("mean_squared_error", (OUTPUTS, TARGETS), sk.mean_squared_error(TARGETS, OUTPUTS)),
        (
            "root_mean_squared_error",
            (OUTPUTS[:, 0], TARGETS[:, 0]),
            sk.root_mean_squared_error(TARGETS[:, 0], OUTPUTS[:, 0]),
        ),
        ("mean_absolute_error", (OUTPUTS, TARGETS), sk.mean_absolute_error(TARGETS, OUTPUTS)),
        ("r2", (OUTPUTS, TARGETS), sk.r2_score(TARGETS, OUTPUTS)),
        ("r2", (OUTPUTS[:, 0], TARGETS[:, 0]), sk.r2_score(TARGETS[:, 0], OUTPUTS[:, 0])),
        ("auroc", (COARSE, CLASSES), sk.roc_auc_score(CLASSES, COARSE)),
    ],
)
def test_equals_scikit_learn_alone_and_in_a_batch(name, arguments, expected):
    metric = getattr(metrics, name)
    np.testing.assert_allclose(metric(*arguments), expected, rtol=1e-5)
    twice = jax.jit(jax.vmap(metric))(*(np.stack([a, a[::-1]]) for a in arguments))
    np.testing.assert_allclose(twice, np.stack([expected, expected]), rtol=1e-5)


def test_nan_is_never_correct():
    scores = jnp.full((3, 4), jnp.nan)
    assert metrics.accuracy(scores, jnp.zeros(3, int)) == 0
    assert metrics.error_rate(scores, jnp.zeros(3, int)) == 1
    assert metrics.confusion_matrix(scores, jnp.zeros(3, int)).sum() == 0
    partly = jnp.array([[jnp.nan, 1.0, 9.0]])
    assert not metrics.correct(partly, jnp.array([0])) | metrics.correct(partly, jnp.array([2]))


def test_auroc_ranks_nan_on_the_wrong_side():
    labels = jnp.array([0, 0, 1, 1])
    assert metrics.auroc(jnp.array([0.1, 0.2, 0.8, jnp.nan]), labels) == 0.5
    assert metrics.auroc(jnp.array([0.1, jnp.nan, 0.8, 0.9]), labels) == 0.5


def test_auroc_of_one_class_is_undefined():
    assert jnp.isnan(metrics.auroc(jnp.array([0.1, 0.2]), jnp.array([1, 1])))


@pytest.mark.parametrize("outputs", [[2.0, 2.0, 2.0], [2.0, 2.0, 3.0]])
def test_r2_of_constant_targets(outputs):
    targets = np.full(3, 2.0)
    assert metrics.r2(jnp.array(outputs), targets) == sk.r2_score(targets, outputs)


@pytest.mark.parametrize(
    ("metric", "outputs", "targets"),
    [
        (metrics.correct, SCORES, LABELS[:1]),
        (metrics.correct, SCORES, LABELS[:, None]),
        (metrics.confusion_matrix, SCORES, LABELS[:1]),
        (metrics.mean_absolute_error, COARSE[:, None], COARSE),
        (metrics.r2, COARSE[:, None], COARSE),
        (metrics.auroc, COARSE[:, None], CLASSES),
    ],
)
def test_shapes_are_not_broadcast(metric, outputs, targets):
    with pytest.raises(InputError, match="allowed"):  # unwrapped: the tests' own shape check is stricter
        unwrap(metric)(outputs, targets)


@pytest.mark.parametrize("label", [-1, 4])
def test_a_label_that_is_no_class_is_in_no_count(label):
    assert metrics.confusion_matrix(SCORES[:2], np.array([label, 1])).sum() == 1


def test_mean_absolute_error_of_bytes_does_not_wrap():
    assert metrics.mean_absolute_error(np.array([1], np.uint8), np.array([2], np.uint8)) == 1
