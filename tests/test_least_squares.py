"""Least squares by descent: NumPy's solution, NumPy's descent, and the rate above which it breaks."""

import jax
import numpy as np
import pytest

from jaxnets import models, status, step_sizes, train
from jaxnets.check import InputError
from jaxnets.models.least_squares import curvatures

KEY = jax.random.key(0)
RULES = {
    "backtracking": step_sizes.backtracking(step_sizes.constant(1.0)),
    "exact": step_sizes.exact,
    "long": step_sizes.safeguarded(step_sizes.barzilai_borwein_long),
    "short": step_sizes.safeguarded(step_sizes.barzilai_borwein_short),
}


def regression():
    draw = np.random.default_rng(0)
    inputs = draw.normal(size=(50, 4)) * [1.0, 2.0, 3.0, 5.0]
    return inputs, inputs @ draw.normal(size=4) + draw.normal(size=50)


@pytest.mark.parametrize("name", RULES)
def test_every_rule_reaches_numpys_solution(name):
    rows = regression()
    with jax.enable_x64(True):
        model = models.least_squares(step_size=RULES[name], tolerance=1e-6)
        run = train.run(KEY, model, rows, num_steps=600)
        np.testing.assert_allclose(run.state.coefficients, np.linalg.lstsq(*rows)[0], atol=2e-6)
        np.testing.assert_allclose(model.predict(run.state, rows[0]), rows[0] @ run.state.coefficients)
    assert run.status.code == status.CONVERGED
    assert run.state.steps == run.status.step


def test_constant_rate_is_the_textbooks_descent_and_breaks_above_its_limit():
    inputs, targets = regression()
    limit = 2 / np.linalg.eigvalsh(inputs.T @ inputs / len(inputs))[-1]
    np.testing.assert_allclose(2 / curvatures(inputs)[-1], limit, rtol=1e-5)
    runs = {}
    for share in (0.9, 1.1):
        model = models.least_squares(step_size=step_sizes.constant(share * limit))
        runs[share] = train.run(KEY, model, (inputs, targets), num_steps=100, evaluate_every=1)
    start = train.run(KEY, model, (inputs, targets), num_steps=0).state.coefficients
    found = np.asarray(start, np.float64)
    for _ in range(100):
        found = found - 0.9 * limit * inputs.T @ (inputs @ found - targets) / len(inputs)
    np.testing.assert_allclose(runs[0.9].state.coefficients, found, rtol=1e-4, atol=1e-5)
    assert runs[0.9].status.code == status.OK
    assert runs[1.1].status.code == status.DIVERGED


def test_refuses_a_negative_tolerance():
    with pytest.raises(InputError, match="tolerance = -1"):
        models.least_squares(step_size=step_sizes.exact, tolerance=-1.0)
