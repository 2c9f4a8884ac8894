"""One line from both classifiers: the same losses, and the line of a result from its scores alone."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.linear_classifier import CENTRES, Hparams, Settings, checks, data, figures, learner, line_of
from jaxnets import train
from jaxnets.learner import Learner
from jaxnets.plane import degrees_between, line


def fit(settings, rows):
    model = learner(Hparams(l2=0.1), settings)
    return jax.jit(lambda key: train.run(key, model, rows, num_steps=60, evaluate_every=60))(
        jax.random.key(0)
    )


@pytest.mark.parametrize("use_bias", [True, False])
def test_softmax_of_two_outputs_is_the_sigmoid_of_their_difference(use_bias):
    rows = data(Settings(num_examples=40)).train
    one, two = (
        fit(Settings(model, use_bias), rows).state.params["Dense_0"] for model in ("sigmoid", "softmax")
    )
    assert ("bias" in one) == use_bias
    for name, values in one.items():
        np.testing.assert_allclose(two[name][..., 1] - two[name][..., 0], values[..., 0], atol=1e-4)
    np.testing.assert_allclose(two["kernel"].sum(1), 0, atol=1e-4)  # of least norm: one is minus the other


def test_line_is_read_from_the_scores():
    weights = jnp.array([[3.0, 0.0], [0.0, 4.0]])
    model = Learner(None, None, lambda state, x: x @ weights + jnp.array([[1.0, 2.0]]))
    found = line_of(SimpleNamespace(learner=model, runs=[SimpleNamespace(state=None)]))
    np.testing.assert_allclose(found.normal, [-0.6, 0.8], rtol=1e-5)
    assert float(found.offset) == pytest.approx(0.2)


def result(name, model, state):
    return SimpleNamespace(name=name, learner=model, runs=[SimpleNamespace(state=state)])


def test_minimum_norm_line_is_half_way_between_the_nearest_rows():
    settings = Settings("minimum_norm", num_examples=40)
    rows, model = data(settings).train, learner(Hparams(), settings)
    found = line_of(result("", model, jax.jit(model.step)(jax.random.key(0), (), rows)[0]))
    across = CENTRES[1] - CENTRES[0]
    expected = line(jnp.array(across), jnp.array(-across @ CENTRES.mean(0)))
    assert float(degrees_between(found, expected)) < 0.01
    assert float(found.offset) == pytest.approx(float(expected.offset), abs=1e-4)
    sides = (rows.inputs @ across - across @ CENTRES.mean(0)) * np.where(rows.targets, 1, -1)
    assert sorted(np.argsort(sides)[:2].tolist()) == [40, 41]  # they support it, and no other row


def test_lines_that_are_one_are_all_seen():
    model = Learner(None, None, lambda state, x: x * jnp.array([[0.0, 1.0]]))
    names = ("softmax", "sigmoid", "minimum_norm", "sigmoid_weak", "softmax_weak", "softmax_without_bias")
    pictures = figures([result(name, model, None) for name in names], data(Settings(num_examples=4)))
    assert set(pictures) == {"lines", "minimum_norm"}
    for picture, number in zip(pictures.values(), (3, 3), strict=True):
        (axes,) = picture.axes
        assert len(axes.lines) == number
        assert not axes.lines[0].is_dashed()
        assert all(drawn.is_dashed() for drawn in axes.lines if "softmax" in drawn.get_label())
        explained = [one.get_linestyle() for one in axes.get_legend().get_lines()]
        assert explained == [one.get_linestyle() for one in axes.lines]


def test_checks_are_the_angles_and_the_distances_of_the_lines_that_they_name():
    """Each row's line has an angle and an offset of its own, and a slope that says nothing."""
    lines = {
        "sigmoid": (5, 0.5), "softmax": (6, 0.3),
        "sigmoid_without_bias": (10, 0), "softmax_without_bias": (7, 0),
        "minimum_norm": (20, 0.9), "sigmoid_weak": (24, 0), "softmax_weak": (12, 0),
    }  # fmt: skip

    def predict(state, x):
        angle, offset = state
        normal = np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
        lead = (1 + angle) * (x @ jnp.array(normal) + offset)
        return jnp.stack([-lead / 2, lead / 2], axis=1)

    model = Learner(None, None, predict)
    found = checks([result(name, model, state) for name, state in lines.items()], None)
    assert found == pytest.approx({
        "degrees_with_bias": 1, "distance_with_bias": 0.2,
        "degrees_without_bias": 3, "distance_without_bias": 0,
        "degrees_to_minimum_norm_sigmoid": 4, "degrees_to_minimum_norm_softmax": 8,
        "degrees_to_minimum_norm_sigmoid_not_weak": 15, "degrees_to_minimum_norm_softmax_not_weak": 14,
    }, rel=1e-4, abs=1e-6)  # fmt: skip
    same = checks([result(name, model, (5 + i % 2 * 1e-3, 0.5)) for i, name in enumerate(lines)], None)
    assert 0 < max(same.values()) < 1e-2
