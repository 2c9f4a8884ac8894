"""Folds at once: scikit-learn's out-of-fold probabilities; rows held out leave no trace in their model."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import PredefinedSplit, cross_val_predict

from jaxnets import losses, train
from jaxnets.check import InputError
from jaxnets.learner import Learner, gradient
from jaxnets.models.cross_validation import Folded, Weighted, cross_validated, weighted

NUM_FOLDS, NUM_STEPS = 4, 400
GENERATOR = np.random.default_rng(0)
LABELS = (np.arange(40) % 2).astype(np.int32)
INPUTS = (GENERATOR.normal(size=(40, 2)) + LABELS[:, None]).astype(np.float32)
FOLD = GENERATOR.permutation(np.arange(40) % NUM_FOLDS).astype(np.int32)


def centre(inputs, weight):
    return weight @ inputs / weight.sum()


LEARNER = cross_validated(
    gradient(
        nn.Dense(1),
        weighted(lambda logits, labels: losses.sigmoid_cross_entropy(logits[:, 0], labels)),
        optax.adam(0.05),
        penalty=lambda params: 0.1 * losses.l2_penalty(params),
    ),
    num_folds=NUM_FOLDS,
    fit=centre,
    prepare=lambda mean, inputs: inputs - mean[None],
)


@pytest.fixture(scope="module")
def fit():
    run = jax.jit(lambda rows: train.run(jax.random.key(0), LEARNER, rows, num_steps=NUM_STEPS))
    return lambda inputs, labels: run((Folded(inputs, FOLD), labels)).state


def test_probabilities_are_scikit_learns(fit):
    """All folds have 30 rows to train on, so that C = 1 / (30 l2)."""
    found = jax.nn.sigmoid(LEARNER.predict(fit(INPUTS, LABELS), Folded(INPUTS, FOLD))[:, 0])
    peer = LogisticRegression(C=1 / 3, tol=1e-8)
    expected = cross_val_predict(peer, INPUTS, LABELS, cv=PredefinedSplit(FOLD), method="predict_proba")
    np.testing.assert_allclose(found, expected[:, 1], atol=1e-4)


def test_rows_held_out_leave_no_trace(fit):
    held = FOLD == 2
    inputs, labels = (
        np.where(held[:, None], 100.0, INPUTS).astype(np.float32),
        np.where(held, 1 - LABELS, LABELS),
    )
    states = fit(INPUTS, LABELS), fit(inputs, labels)
    for one, other in zip(*map(jax.tree.leaves, states), strict=True):
        np.testing.assert_array_equal(one[2], other[2])
    kernels = [state.models.params["kernel"] for state in states]
    assert abs(np.delete(kernels[0] - kernels[1], 2, axis=0)).max() > 0.01


def test_predictions_are_of_the_row_asked_for(fit):
    state = fit(INPUTS, LABELS)
    whole = LEARNER.predict(state, Folded(INPUTS, FOLD))
    part = LEARNER.predict(state, Folded(INPUTS[7:9], FOLD[7:9]))
    np.testing.assert_allclose(part, whole[7:9], rtol=1e-6)


def test_weighted_loss_is_the_loss_of_the_rows_that_count():
    weight = jnp.asarray(FOLD != 0, float)
    outputs = jnp.asarray(INPUTS)
    found = weighted(losses.softmax_cross_entropy)(outputs, Weighted(jnp.asarray(LABELS), weight))
    expected = losses.softmax_cross_entropy(outputs[FOLD != 0], LABELS[FOLD != 0])
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    nothing = weighted(losses.softmax_cross_entropy)(outputs, Weighted(jnp.asarray(LABELS), 0 * weight))
    assert float(nothing) == 0


def test_one_fold_is_refused():
    with pytest.raises(InputError, match="num_folds = 1"):
        cross_validated(LEARNER, num_folds=1)


def test_the_whole_has_converged_when_the_slowest_fold_has():
    """Each fold takes as many steps as it has rows to train on: one and three."""

    def step(key, state, batch):
        return state + 1, {"loss": 1.0, "converged": state + 1 >= batch.targets.weight.sum()}

    counting = Learner(lambda key, data: jnp.int32(0), step, lambda state, inputs: inputs)
    folds = cross_validated(counting, num_folds=2)
    rows = Folded(np.zeros((4, 1)), np.array([0, 0, 0, 1])), np.zeros(4)
    run = train.run(jax.random.key(0), folds, rows, num_steps=6)
    assert run.status.code == train.status.CONVERGED
    assert run.status.step == 3
