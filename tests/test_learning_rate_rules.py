"""The two problems: the gradient by hand, and what each is made to show."""

import jax
import jax.numpy as jnp
import numpy as np

from experiments import learning_rate_rules as experiment


def test_gradient_by_hand_is_that_of_the_loss():
    random = np.random.default_rng(0)
    w, ids = random.normal(size=(4, 3)), np.array([2, 0, 2])
    targets = {"values": random.normal(size=(3, 3)), "weights": random.uniform(size=(3, 3))}

    def loss(w):
        terms = targets["weights"] * (w[ids] - targets["values"]) ** 2
        return 0.5 * terms.sum(axis=1).mean()

    with jax.enable_x64(True):
        value, gradient = experiment._value_and_grad(jnp.asarray(w), ids, targets)
        expected, slope = jax.value_and_grad(loss)(jnp.asarray(w))
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    np.testing.assert_allclose(gradient, slope, rtol=1e-12)


def test_problems_hold_rare_rows_and_uneven_curvature():
    sparse = experiment.data(experiment.Settings(problem="sparse")).train
    times = np.bincount(sparse.inputs, minlength=1000)
    assert times[0] > 1000
    assert (times == 0).any()
    np.testing.assert_allclose(sparse.targets["weights"].mean(), 0.5, atol=0.01)
    scaled = experiment.data(experiment.Settings(problem="scaled"))
    np.testing.assert_array_equal(scaled.train.targets["values"], scaled.test.targets["values"])
    np.testing.assert_allclose(np.ptp(np.log10(scaled.train.targets["weights"])), 4, rtol=1e-6)
