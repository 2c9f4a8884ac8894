"""Whole runs differentiated: slopes of the validation loss in rate and L2, and where they lead."""

import jax
import numpy as np
import pytest

from experiments import _contract, hypergradient
from experiments._run import train_row
from jaxnets import check, losses
from jaxnets.sweep import trial

SMALL = {"width": 4, "num_fit": 40}
POINTS = np.log([[0.002, 0.1], [0.05, 0.01], [0.3, 0.001]])
"""Rate and L2."""


@pytest.fixture(scope="module")
def dataset():
    return hypergradient.data(hypergradient.Settings())


@pytest.fixture(scope="module")
def tuned():
    experiment = _contract.load("hypergradient")
    hparams, settings = experiment.variants()["tuned"]
    settings = settings._replace(num_steps=8, **SMALL)
    return train_row(experiment, "tuned", hparams, settings, seeds=2, report=lambda *news: None)


def test_slopes_in_rate_and_l2_through_100_steps_are_finite_differences(dataset):
    """Central differences are wrong by the square of the width: with 1e-4, by 5e-6."""
    settings = trial.complete(hypergradient.Settings(**SMALL), dataset)
    assert settings.steps_per_run == 100
    assert hypergradient.gradient_error(POINTS, jax.random.key(3), dataset.train, settings) < 1e-4


def test_the_search_goes_against_the_slope_and_the_loss_falls(tuned):
    for run in tuned.runs:
        tried = run.history["validation_loss"]
        assert (np.diff(tried)[:3] < 0).all()
        assert tried.min() < 0.8 * tried[0]
        np.testing.assert_array_equal(run.history["loss"], np.minimum.accumulate(tried))
    rates, penalties = (np.array(tuned.histories(name)) for name in ("rate", "l2"))
    assert (rates[:, 3] > 3 * rates[:, 0]).all()
    assert (penalties[:, 3] < penalties[:, 0] / 3).all()


def test_what_is_kept_is_the_best_network(tuned, dataset):
    _, valid = hypergradient.parts_of(dataset.train, tuned.settings)
    for number, run in enumerate(tuned.runs):
        loss = losses.softmax_cross_entropy(tuned.learner.predict(run.state, valid.inputs), valid.targets)
        np.testing.assert_allclose(loss, run.history["validation_loss"].min(), rtol=1e-5)
        np.testing.assert_allclose(loss, tuned.metrics["validation_loss"][number], rtol=1e-5)


def test_the_grid_has_the_corners_and_as_many_points_as_runs():
    for num_points in (1, 2, 7, 30):
        points = hypergradient.grid_of(num_points)
        assert num_points <= len(points) < num_points + np.sqrt(num_points) + 1
        np.testing.assert_allclose(points[0], hypergradient.LOW, rtol=1e-6)
    np.testing.assert_allclose(points[-1], hypergradient.HIGH, rtol=1e-6, atol=1e-6)
    assert len(points) == len({tuple(point) for point in points.tolist()}) == 30


def test_some_rows_must_be_left_to_validate(dataset):
    settings = hypergradient.Settings(num_fit=len(dataset.train.targets))
    with pytest.raises(check.InputError, match=r"num_fit = 1438, allowed are 1 to 1437"):
        hypergradient.parts_of(dataset.train, settings)
