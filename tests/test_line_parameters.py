"""Least squares is NumPy's, integers come out as integers, and the order of the points does not count."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import line_parameters as experiment
from experiments._run import Result
from jaxnets import train
from jaxnets.data.synthetic import lines
from jaxnets.learner import Learner

ROWS = lines(jax.random.key(1), num_examples=20, noise=0.05)


def test_least_squares_is_that_of_numpy_and_its_slope_knows_that_the_intercept_is_an_integer():
    found = experiment.least_squares(ROWS.inputs)
    points = np.asarray(ROWS.inputs, np.float64)
    fits = np.array([np.polyfit(*some.T, 1) for some in points])
    intercepts = np.round(fits[:, 1])
    np.testing.assert_array_equal(found["intercept"], intercepts)
    slopes = [
        np.linalg.lstsq(some[:, :1], some[:, 1] - intercept)[0].item()
        for some, intercept in zip(points, intercepts, strict=True)
    ]
    np.testing.assert_allclose(found["slope"], slopes, rtol=1e-4, atol=1e-5)
    truth = np.asarray(ROWS.targets["slope"])
    assert np.abs(found["slope"] - truth).mean() < np.abs(fits[:, 0] - truth).mean()


def test_measures_are_zero_and_one_for_the_truth():
    perfect = experiment.metrics(ROWS.targets, ROWS.targets)
    assert {name: float(value) for name, value in perfect.items()} == {
        "integer_exact": 1, "integer_error": 0, "slope_error": 0,
    }  # fmt: skip
    shifted = {"slope": ROWS.targets["slope"] + 0.5, "intercept": ROWS.targets["intercept"] + 1}
    wrong = experiment.metrics(shifted, ROWS.targets)
    np.testing.assert_allclose(
        [wrong["integer_exact"], wrong["integer_error"], wrong["slope_error"]], [0, 1, 0.5], rtol=1e-6
    )


@pytest.mark.parametrize("name", experiment.HEADS)
def test_heads_return_integers_whatever_the_order_of_the_points(name):
    settings = experiment.Settings(head=name, num_steps=1)
    learner = experiment.learner(experiment.Hparams(), settings)
    state = jax.jit(learner.init)(jax.random.key(0), ROWS)
    found, turned = (learner.predict(state, points) for points in (ROWS.inputs, ROWS.inputs[:, ::-1]))
    assert jnp.issubdtype(found["intercept"].dtype, jnp.integer)
    assert found["intercept"].min() >= -2
    assert found["intercept"].max() <= 2
    np.testing.assert_allclose(found["slope"], turned["slope"], atol=1e-5)


@pytest.mark.parametrize(
    ("name", "outputs"),
    [
        ("softmax", 9 * np.eye(5)),
        ("ordinal", 4.0 * np.arange(-2, 3)[:, None]),
        ("rounding", np.array([[-3.0], [1.2], [2.4], [2.6], [7.0]])),
    ],
)
def test_heads_decode_what_their_losses_ask_for(name, outputs):
    head, classes = experiment.HEADS[name], np.arange(5)
    np.testing.assert_array_equal(head.decode(jnp.float32(outputs)), classes)
    wrong = head.loss(jnp.float32(outputs), jnp.asarray(classes[::-1].copy()))
    assert head.loss(jnp.float32(outputs), jnp.asarray(classes)) < wrong


def test_the_loss_falls():
    settings = experiment.Settings(num_steps=60)
    learner = experiment.learner(experiment.Hparams(), settings)
    history = train.run(jax.random.key(0), learner, ROWS, num_steps=60, evaluate_every=20).history
    assert history["loss"][-1] < 0.7 * history["loss"][0]


def test_integers_of_the_picture_are_shares_of_the_noisiest_rows(monkeypatch):
    """A row that always answers 1, beside a row of less noise, which is left out."""
    monkeypatch.setattr(experiment, "NUM_TEST", 20)
    experiment._draw.cache_clear()
    always = Learner(
        None, None, lambda state, points: {"slope": points[:, 0, 0], "intercept": jnp.ones(len(points), int)}
    )
    loud, quiet = (experiment.Settings(noise=noise, num_examples=20) for noise in (2.0, 0.1))
    run = train.Run((), {}, None, 0)
    rows = [
        Result(name, experiment.Hparams(), settings, 10, always, [run], {}, np.zeros(1), 0.0)
        for name, settings in (("quiet", quiet), ("loud_one", loud))
    ]
    axes = experiment.figures(rows, experiment.data(quiet))["integers"].axes[0]
    (line,) = axes.lines
    assert line.get_label() == "loud one"
    assert line.get_xydata().tolist() == [[-2, 0], [-1, 0], [0, 0], [1, 1], [2, 0]]
    assert axes.get_title(loc="left") == "noise of 2"
    experiment._draw.cache_clear()
