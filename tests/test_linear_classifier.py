"""One line from both classifiers: the same losses, and the line of a result from its scores alone."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.linear_classifier import Hparams, Settings, data, learner, line_of
from jaxnets import train
from jaxnets.learner import Learner


def fit(settings, rows):
    model = learner(Hparams(l2=0.1), settings)
    return jax.jit(lambda key: train.run(key, model, rows, num_steps=300, evaluate_every=100))(
        jax.random.key(0)
    )


@pytest.mark.parametrize("use_bias", [True, False])
def test_softmax_of_two_outputs_is_the_sigmoid_of_their_difference(use_bias):
    rows = data(Settings(num_examples=40)).train
    one, two = (
        fit(Settings(model, use_bias), rows).state.params["Dense_0"] for model in ("sigmoid", "softmax")
    )
    assert ("bias" in one) == use_bias
    for name, values in one.items():
        np.testing.assert_allclose(two[name][..., 1] - two[name][..., 0], values[..., 0], atol=1e-4)
    np.testing.assert_allclose(two["kernel"].sum(1), 0, atol=1e-4)  # of least norm: one is minus the other


def test_line_is_read_from_the_scores():
    weights = jnp.array([[3.0, 0.0], [0.0, 4.0]])
    model = Learner(None, None, lambda state, x: x @ weights + jnp.array([[1.0, 2.0]]))
    found = line_of(SimpleNamespace(learner=model, runs=[SimpleNamespace(state=None)]))
    np.testing.assert_allclose(found.normal, [-0.6, 0.8], rtol=1e-5)
    assert float(found.offset) == pytest.approx(0.2)
