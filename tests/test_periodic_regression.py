"""Periodic regression: what is beyond the points, and which network cannot but repeat itself."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np

from experiments.periodic_regression import Hparams, Network, Settings, data, evaluate, learner, variants
from jaxnets import train
from jaxnets.learner import Learner


def test_beyond_the_interval_the_targets_are_the_same():
    """A perfect function has no error on either side; one that is 0 beyond has the error of 0 there."""
    dataset = data(Settings(num_humps=2, num_examples=50))
    stop = 2 * np.pi
    functions = {
        "perfect": lambda x: jnp.abs(jnp.sin(x)),
        "half": lambda x: jnp.where(x < stop, jnp.abs(jnp.sin(x)), 0),
    }
    errors = {
        name: evaluate(Learner(None, None, lambda state, x, f=f: f(x)), None, dataset)
        for name, f in functions.items()
    }
    assert max(errors["perfect"].values()) < 1e-10
    np.testing.assert_allclose(
        errors["half"]["beyond_squared_error"], np.mean(dataset.test.targets**2), rtol=1e-5
    )


def test_fourier_features_repeat_and_the_original_stays_between_0_and_1():
    x = jnp.linspace(0, 6, 40)[:, None]
    for settings in (Settings("fourier", num_frequencies=5), Settings("sigmoid", "sigmoid", widths=(10,))):
        outputs, params = Network(settings, 3.0).init_with_output(jax.random.key(0), x)
        if settings.units == "fourier":
            later = Network(settings, 3.0).apply(params, x + 2 * jnp.pi)
            np.testing.assert_allclose(later, outputs, atol=1e-4)
        else:
            assert 0 < outputs.min() < outputs.max() < 1


def test_fourier_features_hold_the_series_of_the_absolute_sine():
    """``2 / pi - 4 / pi sum cos(2 m x) / (4 m^2 - 1)``, put into the network by hand."""
    settings = Settings("fourier")
    model, dataset = learner(Hparams(), settings), data(settings)
    state = model.init(jax.random.key(0), dataset.train)
    m = np.arange(1, 17)
    cosines = np.zeros(32)
    cosines[2 * m - 1] = -4 / np.pi / (4 * m**2 - 1)
    params = {"Dense_0": {"kernel": jnp.r_[np.zeros(32), cosines][:, None], "bias": jnp.array([2 / np.pi])}}
    error = evaluate(model, state._replace(params=params), dataset)["test_squared_error"]
    tail = (8 / np.pi**2) * (1 / (4 * np.arange(17, 10_000) ** 2 - 1) ** 2).sum()
    np.testing.assert_allclose(error, tail, rtol=0.3)


def test_few_points_are_moved_by_the_whole_interval_and_the_loss_falls():
    settings = Settings(num_humps=3, widths=(5,), num_examples=4, num_steps=60)
    rows = data(settings)
    np.testing.assert_allclose(rows.valid.inputs - rows.test.inputs, 3 * np.pi, rtol=1e-5)
    np.testing.assert_array_equal(rows.valid.targets, rows.test.targets)
    run = train.run(
        jax.random.key(0), learner(Hparams(), settings), rows.train, num_steps=60, evaluate_every=20
    )
    assert run.history["loss"][-1] < 0.7 * run.history["loss"][0]


def test_each_interval_has_all_units_and_the_original():
    rows = [settings for _, settings in variants().values()]
    found = {(row.units, row.output, row.num_humps) for row in rows}
    assert len(rows) == 15
    linear = itertools.product(("tanh", "sigmoid", "relu", "fourier"), ("linear",), (1, 2, 4))
    assert found == {*linear} | {("sigmoid", "sigmoid", humps) for humps in (1, 2, 4)}
