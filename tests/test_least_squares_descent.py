"""Least squares by descent: the rows have the question's solution, and the numbers are NumPy's."""

import jax.numpy as jnp
import numpy as np
import pytest

from experiments import least_squares_descent as experiment
from experiments.least_squares_descent import Hparams
from jaxnets.models.least_squares import LeastSquaresState
from jaxnets.step_sizes import Point


def test_rows_have_the_question_s_coefficients_as_their_solution():
    inputs, targets = experiment.data(experiment.Settings()).train
    np.testing.assert_allclose(np.linalg.lstsq(inputs, targets)[0], experiment.SOLUTION, rtol=1e-12)
    np.testing.assert_allclose(experiment.SOLUTION, [4.344435, 4.387702, 0.450958])
    assert np.std(targets - inputs @ experiment.SOLUTION) == pytest.approx(1, abs=0.1)


def test_rows_keep_their_names_promise_whatever_the_rate():
    """The smaller constant is smaller than the constant; rules that need no rate do not read it."""
    point = Point(jnp.ones(3), jnp.float32(1.0), jnp.ones(3))
    sizes = {
        name: [float(rule(Hparams(rate))(lambda b: b @ b / 2, point, point)) for rate in (0.05, 0.2)]
        for name, rule in experiment.RULES.items()
    }
    assert sizes.pop("constant") == pytest.approx([0.05, 0.2])
    assert sizes.pop("constant_smaller") == pytest.approx([0.03, 0.12])
    assert [*experiment.variants()] == [*experiment.RULES]
    assert all(first == second for first, second in sizes.values())


def test_error_is_the_largest_and_the_rate_is_two_over_the_largest_curvature():
    dataset = experiment.data(experiment.Settings(num_examples=100))
    state = LeastSquaresState(experiment.SOLUTION + np.array([0.0, -0.3, 0.1]), None, np.array(7))
    found = experiment.evaluate(None, state, dataset)
    inputs = dataset.train.inputs
    assert float(found["error"]) == pytest.approx(0.3)
    assert float(found["steps"]) == 7
    largest = np.linalg.svd(inputs, compute_uv=False)[0] ** 2 / len(inputs)
    assert float(found["largest_stable_rate"]) == pytest.approx(2 / largest, rel=1e-5)
