"""Lines in the plane: points on them, and angles against the arc cosine in float64."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets.plane import Line, degrees_between, line, line_between


def test_points_of_the_line_solve_its_equation_and_offset_is_the_distance():
    weights, bias = jnp.array([-1.5, 2.0]), jnp.array(0.75)
    normal, offset = line(weights, bias)
    foot = np.asarray(-bias * weights / (weights @ weights))
    points = foot + np.outer([-2.0, 0.0, 3.0], [2.0, 1.5])
    np.testing.assert_allclose(points @ np.asarray(normal) + float(offset), 0, atol=1e-6)
    assert abs(float(offset)) == pytest.approx(np.linalg.norm(foot))


def test_line_between_scores_is_where_they_are_equal():
    coefficients, intercept = jnp.array([[1.0, -2.0], [0.5, 3.0]]), jnp.array([0.25, -1.0])
    normal, offset = line_between(coefficients, intercept)
    at = -float(offset) * np.asarray(normal) + 1.7 * np.array([-normal[1], normal[0]])
    np.testing.assert_allclose(*(at @ coefficients + intercept), rtol=1e-5)
    beyond = at + np.asarray(normal)
    assert (beyond @ coefficients + intercept).argmax() == 1


@pytest.mark.parametrize("angle", [1e-4, 1.0, 90.0, 135.0, 180.0])
def test_angles_are_found_on_either_side(angle):
    turn = np.radians(20.0 + np.array([-angle, 0.0, angle]))
    right, middle, left = (Line(jnp.array([np.cos(t), np.sin(t)]), jnp.float32(0)) for t in turn)
    assert float(degrees_between(middle, left)) == pytest.approx(angle, rel=2e-2, abs=1e-5)
    assert float(degrees_between(middle, right)) == pytest.approx(angle, rel=2e-2, abs=1e-5)


def test_no_weights_make_no_line():
    found = line(jnp.zeros(2), jnp.array(3.0))
    assert np.isnan([*found.normal, found.offset]).all()
