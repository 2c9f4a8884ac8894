"""The experiment's layer against flax's, its modes, and the sweep over rates as one program."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from experiments import batch_norm as experiment


def test_equals_flax_in_both_modes_and_its_gradient():
    ours = experiment._numbers(experiment.BatchNorm(0.9), lambda train: {"train": train})
    flax = experiment._numbers(
        nn.BatchNorm(momentum=0.9, epsilon=experiment.EPSILON),
        lambda train: {"use_running_average": not train},
    )
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5), ours, flax)


def test_averages_start_at_0_and_1_and_evaluation_becomes_training():
    """Fed with one batch again and again, the averages are its moments, so both modes agree."""
    layer = experiment.BatchNorm(0.5)
    x = 4 + 2 * jax.random.normal(jax.random.key(0), (30, 3))
    variables = layer.init(jax.random.key(1), x, train=False)
    assert jax.tree.map(lambda leaf: leaf.tolist(), variables["batch_stats"]) == {
        "mean": [0.0] * 3, "var": [1.0] * 3,
    }  # fmt: skip
    for _ in range(25):
        y, moved = layer.apply(variables, x, train=True, mutable=["batch_stats"])
        variables |= moved
    np.testing.assert_allclose(variables["batch_stats"]["var"], x.var(0), rtol=1e-5)
    np.testing.assert_allclose(layer.apply(variables, x, train=False), y, atol=1e-5)


def test_sweep_tells_good_rates_from_absurd_ones():
    lengths = {"num_steps": 40, "batch_size": 50, "num_rates": 2, "num_seeds": 2}
    settings = experiment.Settings(True, "digits", widths=(20,), num_classes=10, **lengths)
    reached = experiment.sweep(experiment.Hparams(lowest_rate=0.5, highest_rate=1e4), settings)
    assert reached.shape == (2, 2)
    assert reached[:, 0].min() > 0.7
    assert reached[:, 1].max() < 0.5


def test_bias_stands_where_batch_norm_does_not():
    x = jnp.ones((2, 3))
    for is_normalised in (True, False):
        network = experiment.Network((4,), 2, is_normalised, 0.9)
        layers = network.init(jax.random.key(0), x, train=False)["params"]
        assert ("bias" in layers["Dense_0"]) != is_normalised
        assert "bias" in layers["Dense_1"]
