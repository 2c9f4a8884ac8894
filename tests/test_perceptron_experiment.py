"""The perceptron's experiment: margins and bounds by brute force, and mistakes counted over the run."""

from types import SimpleNamespace

import jax
import numpy as np
import pytest

from experiments import perceptron


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
