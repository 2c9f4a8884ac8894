"""The perceptron's experiment: margins and bounds by brute force, and mistakes counted over the run."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import perceptron
from jaxnets.types import Batch


@pytest.mark.parametrize("margin", [0.02, 0.3])
def test_separable_rows_keep_their_margin_and_the_bound_is_novikoffs(margin):
    rows, bound = perceptron.separable(jax.random.key(5), num_examples=200, margin=margin)
    x, signs = np.c_[rows.inputs, np.ones(200)].astype(np.float64), 2 * np.asarray(rows.targets) - 1
    separators = np.random.default_rng(0).normal(size=(100_000, 3))
    margins = (signs[:, None] * (x @ separators.T)).min(0) / np.linalg.norm(separators, axis=1)
    # No plane that was tried beats the best possible; the known one separates with what was promised.
    assert float(bound) <= (x**2).sum(1).max() / (margin / np.sqrt(1.25)) ** 2 * (1 + 1e-4)
    assert margins.max() > 0
    assert len(np.unique(signs)) == 2


def test_mistakes_are_means_times_the_rows_of_their_time():
    history = {"step": np.array([40, 80, 120]), "mistakes": np.array([0.25, 0.1, np.nan])}
    run = SimpleNamespace(history=history, status=SimpleNamespace(step=np.int32(70)))
    np.testing.assert_allclose(perceptron._made(run), [10, 3, 0])


def test_shares_are_of_the_sets_that_keep_the_bound_and_are_separated(monkeypatch):
    """A number at random for each set: 100 times that many mistakes, of which half are allowed."""

    def attempt(key):
        chance = jax.random.uniform(key)
        return 100 * chance, jnp.float32(50), chance < 0.9

    monkeypatch.setattr(perceptron, "_try", attempt)
    found = perceptron.checks([], None)
    keys = jax.random.split(jax.random.key(1), perceptron.NUM_SETS)
    chances = np.float64(jax.vmap(jax.random.uniform)(keys))
    assert found == pytest.approx({
        "share_within_bound": np.mean(chances <= 0.5), "share_separated": np.mean(chances < 0.9),
        "largest_share_of_bound": 2 * chances.max(), "most_mistakes": 100 * chances.max(),
    })  # fmt: skip
    assert 0.3 < found["share_within_bound"] < 0.7 < found["share_separated"] < 1


def test_a_set_is_learned_in_a_thousand_passes_and_judged_by_its_own_bound(monkeypatch):
    """Two rows that a line separates; and one row twice with either label: two mistakes a pass, for ever."""

    def ends(rows, bound):
        monkeypatch.setattr(perceptron, "separable", lambda key, **sizes: perceptron.Problem(rows, bound))
        return perceptron._try(jax.random.key(0))

    points = jnp.array([[[1.0, 0.0], [-1.0, 0.0]], [[1.0, 0.0], [1.0, 0.0]]])
    rows, limits = Batch(points, jnp.array([[1, 0], [1, 0]])), jnp.array([5.0, 7.0])
    mistakes, bounds, separated = jax.jit(jax.vmap(ends))(rows, limits)
    assert mistakes.tolist() == [2, 2000]
    assert separated.tolist() == [True, False]
    np.testing.assert_array_equal(bounds, limits)
