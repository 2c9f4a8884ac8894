"""Step sizes: against closed forms on a quadratic in float64, and the laws that name them."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import step_sizes
from jaxnets.check import InputError
from jaxnets.step_sizes import Point

HESSIAN = np.diag([1.0, 5.0, 40.0]) + 0.3
CURVATURES = np.linalg.eigvalsh(HESSIAN)
START = np.array([3.0, -2.0, 1.0])


@pytest.fixture(autouse=True)
def double_precision():
    with jax.enable_x64(True):
        yield


def quadratic(x):
    return x @ HESSIAN @ x / 2


def at(x):
    return Point(*map(jnp.asarray, (x, quadratic(x), HESSIAN @ x)))


def path(rule, steps):
    """Points and sizes of plain gradient descent, the gradient written by hand."""
    x, points, sizes = START, [], []
    for _ in range(steps):
        points.append(at(x))
        sizes.append(float(rule(quadratic, points[-1], points[max(0, len(points) - 2)])))
        x = x - sizes[-1] * points[-1].gradient
    return points, np.array(sizes)


LONG = step_sizes.safeguarded(step_sizes.barzilai_borwein_long)
SHORT = step_sizes.safeguarded(step_sizes.barzilai_borwein_short)


@pytest.mark.parametrize("rule", [LONG, SHORT])
def test_barzilai_borwein_stays_between_the_inverse_curvatures(rule):
    points, sizes = path(rule, 30)
    assert 1 / CURVATURES[-1] * (1 - 1e-9) <= sizes.min()
    assert sizes.max() <= 1 / CURVATURES[0] * (1 + 1e-9)
    assert sizes.max() > 5 * sizes.min()
    assert np.linalg.norm(points[-1].gradient) < 1e-6 * np.linalg.norm(points[0].gradient)


def test_barzilai_borwein_equals_its_quotients_and_short_is_the_shorter():
    points, _ = path(LONG, 8)
    for before, here in itertools.pairwise(points):
        s = here.params - before.params
        long = step_sizes.barzilai_borwein_long(quadratic, here, before)
        short = step_sizes.barzilai_borwein_short(quadratic, here, before)
        np.testing.assert_allclose(long, s @ s / (s @ HESSIAN @ s), rtol=1e-8)
        np.testing.assert_allclose(short, (s @ HESSIAN @ s) / (s @ HESSIAN @ HESSIAN @ s), rtol=1e-8)
        assert short <= long


def test_exact_step_ends_where_the_next_gradient_is_orthogonal():
    points, sizes = path(step_sizes.exact, 6)
    for before, here in itertools.pairwise(points):
        product = before.gradient @ here.gradient
        assert abs(product) <= 1e-12 * (before.gradient @ before.gradient)
    values = [point.value for point in points]
    assert all(np.diff(values) < 0)
    assert sizes[0] == pytest.approx(
        START @ HESSIAN @ HESSIAN @ START / (START @ HESSIAN @ HESSIAN @ HESSIAN @ START)
    )


def test_backtracking_is_the_first_power_that_falls_enough():
    here = at(START)
    found = float(step_sizes.backtracking(step_sizes.constant(1.0))(quadratic, here, here))
    tried = 0.5 ** np.arange(12)
    slope = here.gradient @ here.gradient
    enough = [quadratic(START - a * here.gradient) <= here.value - 1e-4 * a * slope for a in tried]
    assert found == tried[np.argmax(enough)]
    assert 0 < np.argmax(enough) < 11


def test_backtracking_gives_up_where_nothing_falls():
    uphill = at(START)._replace(gradient=-at(START).gradient)
    rule = step_sizes.backtracking(step_sizes.constant(1.0), most=7)
    assert float(rule(quadratic, uphill, uphill)) == 0.5**7


def test_safeguard_takes_over_without_curvature_and_at_both_ends():
    here = at(START)
    rule = step_sizes.safeguarded(step_sizes.barzilai_borwein_long, otherwise=step_sizes.constant(0.5))
    bent = Point(here.params / 2, here.value, here.gradient + START)  # the gradient fell along the move
    assert float(rule(quadratic, here, here)) == 0.5
    assert float(rule(quadratic, here, bent)) == 0.5
    assert float(LONG(quadratic, here, here)) == pytest.approx(float(step_sizes.exact(quadratic, here, here)))
    for rate, kept in ((1e-3, 0.01), (0.05, 0.05), (7.0, 0.1)):
        rule = step_sizes.safeguarded(step_sizes.constant(rate), low=0.01, high=0.1)
        assert float(rule(quadratic, here, here)) == kept


def test_rates_may_be_traced():
    here = at(START)
    rates = jnp.array([0.01, 1.0])
    found = jax.vmap(lambda rate: step_sizes.backtracking(step_sizes.constant(rate))(quadratic, here, here))(
        rates
    )
    assert found[0] == 0.01
    assert found[1] == 0.5 ** round(-np.log2(found[1])) < 2 / CURVATURES[0]


def test_refuses_what_is_no_size():
    with pytest.raises(InputError, match="rate = 0"):
        step_sizes.constant(0.0)
    with pytest.raises(InputError, match="factor = 1"):
        step_sizes.backtracking(step_sizes.exact, factor=1.0)
    with pytest.raises(InputError, match=r"high = 0.1, allowed is \[0.5, inf\]"):
        step_sizes.safeguarded(step_sizes.exact, low=0.5, high=0.1)
    with pytest.raises(InputError, match="low = -1"):
        step_sizes.safeguarded(step_sizes.exact, low=-1.0)
