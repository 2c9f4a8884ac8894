"""Rows, splits and scales: what is wrong with the data is found, and what only looks odd is left alone."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnets.diagnose import Problem
from jaxnets.diagnose.probe import Probe
from jaxnets.diagnose.rules.data import labels_misaligned
from jaxnets.diagnose.rules.inputs import inputs_unscaled
from jaxnets.diagnose.rules.splits import leaking_split, outside_training_range


def clusters(seed, *, num_rows=120):
    """Rows about four centres in five columns, with the centres' numbers."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 4, num_rows).astype(np.int32)
    centres = 4 * generator.normal(size=(4, 5))
    return (centres[labels] + generator.normal(size=(num_rows, 5))).astype(np.float32), labels


def problem(inputs, labels, *, activation=jax.nn.relu, loss_inputs=lambda x: x, **changes):
    wide = inputs.shape[1]

    def init(key):
        first, second = jax.random.split(key)
        return [jax.random.normal(first, (wide, 8)) / wide**0.5, jax.random.normal(second, (8, 4)) / 3]

    def net(params, x):
        return activation(loss_inputs(x) @ params[0]) @ params[1]

    def loss(params, x, y):
        return -jnp.take_along_axis(jax.nn.log_softmax(net(params, x)), y[:, None], axis=1).mean()

    return Problem(init, net, loss, (inputs, labels), **({"learning_rate": 0.1} | changes))


def asked(rule, one, seed=0):
    with jax.numpy_rank_promotion("allow"):
        return list(rule(Probe(one, jax.random.key(seed))))


@pytest.mark.parametrize("seed", range(5))
def test_labels_in_another_order_are_found(seed):
    inputs, labels = clusters(seed)
    assert not asked(labels_misaligned, problem(inputs, labels))
    (found,) = asked(labels_misaligned, problem(inputs, np.random.default_rng(seed).permutation(labels)))
    assert found.severity == "warning"
    assert found.evidence["neighbours agree"] < 0.45
    for moved, words in ((np.roll(labels, 1), "-1 rows"), (labels[::-1].copy(), "reversed")):
        (found,) = asked(labels_misaligned, problem(inputs, moved))
        assert found.severity == "error"
        assert found.evidence[f"neighbours agree, targets {words}"] > 0.8


def of_values(inputs, values):
    """The same network, with an output, for values."""
    net = lambda w, x: jax.nn.relu(x @ w[0]) @ w[1]  # noqa: E731
    return problem(inputs, values).replace(
        init=lambda key: [
            jax.random.normal(key, (inputs.shape[1], 8)) / 2,
            jax.random.normal(jax.random.fold_in(key, 1), (8, 1)) / 3,
        ],
        predict=net,
        loss=lambda w, x, y: ((net(w, x) - y) ** 2).mean(),
    )


@pytest.mark.parametrize("seed", range(5))
def test_values_in_another_order_are_found(seed):
    """Rows that were cut at the wrong end, or shuffled alone; not the values of the row before."""
    generator = np.random.default_rng(seed)
    inputs = generator.normal(size=(200, 3)).astype(np.float32)
    values = np.sin(inputs @ np.ones((3, 1))).astype(np.float32)
    assert not asked(labels_misaligned, of_values(inputs, values))
    (found,) = asked(labels_misaligned, of_values(inputs[1:], values[:-1]))
    assert found.severity == "error"
    assert found.evidence["neighbours agree, targets -1 rows"] > 0.4
    series = generator.normal(size=(204, 1)).astype(np.float32)
    windows = np.concatenate([series[place : place + 200] for place in range(3)], axis=1)
    assert not asked(labels_misaligned, of_values(windows[:150], series[3:153]))


def test_values_that_nothing_foretells_are_said():
    """Shuffled alone, or with an offset that grows where rows were left out; not a weak but true relation."""
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(600, 3)).astype(np.float32)
    values = np.sin(inputs @ np.ones((3, 1))).astype(np.float32)
    kept = np.sort(generator.choice(600, 500, replace=False))
    for moved in (of_values(inputs, generator.permutation(values)), of_values(inputs[kept], values[:500])):
        (found,) = asked(labels_misaligned, moved)
        assert found.severity == "warning"
    noisy = values + 3 * generator.normal(size=values.shape).astype(np.float32)
    assert not asked(labels_misaligned, of_values(inputs, noisy))


@pytest.mark.parametrize("seed", range(5))
def test_labels_that_neighbours_do_not_share_may_be_right(seed):
    """A parity of independent bits, and noise that is learned by heart: rows do not cluster."""
    generator = np.random.default_rng(seed)
    bits = generator.integers(0, 2, (200, 12)).astype(np.float32)
    assert not asked(labels_misaligned, problem(bits, (bits.sum(axis=1) % 2).astype(np.int32)))
    noise = generator.normal(size=(200, 12)).astype(np.float32)
    assert not asked(labels_misaligned, problem(noise, generator.integers(0, 4, 200).astype(np.int32)))


def test_rows_outside_of_what_was_trained_on_are_found():
    inputs, labels = clusters(0)
    order = np.argsort(inputs[:, 2])
    low, high = ((inputs[rows], labels[rows]) for rows in (order[:60], order[60:]))
    (found,) = asked(outside_training_range, problem(*low, test=high))
    assert found.evidence["column"] == 2
    assert found.evidence["share of rows"] > 0.9


@pytest.mark.parametrize("seed", range(5))
def test_rows_drawn_alike_are_not_outside(seed):
    """Of few rows to train on, many others lie outside of their range by chance."""
    inputs, labels = clusters(seed)
    for size in (8, 60, 100):
        split = problem(inputs[:size], labels[:size], test=(inputs[size:], labels[size:]))
        assert not asked(outside_training_range, split)


@pytest.mark.parametrize("seed", range(5))
def test_copies_made_before_the_split_leak(seed):
    """Rows that repeat in train as well: copies where they are long, chance where they are short."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 4, 90).astype(np.int32)
    rows = generator.permutation(np.repeat(np.arange(90), 4))
    cut = [rows[:280], rows[280:]]
    words = generator.integers(0, 100, (90, 8)).astype(np.float32)
    train, test = ((words[part], labels[part]) for part in cut)
    (found,) = asked(leaking_split, problem(*train, test=test))
    assert found.evidence["rows of test in train"] > 0.8
    assert not asked(leaking_split, problem(words[:70], labels[:70], test=(words[70:], labels[70:])))
    few = generator.integers(0, 3, (90, 8)).astype(np.float32)
    assert not asked(leaking_split, problem(few[rows[:280]], train[1], test=(few[rows[280:]], test[1])))
    other = generator.integers(0, 4, 360).astype(np.int32)  # the same context, other things that follow
    assert not asked(leaking_split, problem(train[0], other[:280], test=(test[0], other[280:])))


SCALES = [
    (lambda x: 255 * x, {}, "largest root mean square of a column"),
    (lambda x: 20 * x + 20, {"activation": jnp.tanh}, "first layer saturated"),
    (lambda x: x * np.array([5, 0.04, 0.04, 0.04, 0.04]), {}, "largest column over the typical spread"),
    (lambda x: 1 + x / 2000, {}, "largest column over the typical spread"),
]


@pytest.mark.parametrize(("scaled", "changes", "words"), SCALES)
def test_inputs_that_are_not_scaled_are_found(scaled, changes, words):
    inputs, labels = clusters(1)
    broken = problem(scaled(inputs).astype(np.float32), labels, **changes)
    (found,) = asked(inputs_unscaled, broken)
    assert words in found.evidence
    scaled = found.repaired.data.inputs
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-3)
    assert not asked(inputs_unscaled, found.repaired)


RIGHT = {
    "a few units": (lambda x: x + 3, {}),
    "scaled inside": (lambda x: 255 * x, {"loss_inputs": lambda x: x / 255}),
    "normalised inside": (
        lambda x: 50 * x,
        {"loss_inputs": lambda x: (x - x.mean(axis=1, keepdims=True)) / x.std(axis=1, keepdims=True)},
    ),
    "columns apart, and a rate each": (
        lambda x: x * np.array([5, 0.04, 0.04, 0.04, 0.04]),
        {"optimizer": optax.adam(1e-3), "learning_rate": None},
    ),
    "steep weights, not inputs": (
        lambda x: x,
        {"activation": jnp.tanh, "loss_inputs": lambda x: 30 * (x - x.mean()) / x.std()},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
def test_inputs_whose_scale_does_not_matter_are_left_alone(name):
    change, others = RIGHT[name]
    inputs, labels = clusters(2)
    assert not asked(inputs_unscaled, problem(change(inputs).astype(np.float32), labels, **others))


def test_whole_numbers_are_inputs_like_others():
    """Bytes are standardised too, and left alone where the network does so itself."""
    inputs, labels = clusters(3)
    bytes_of = np.clip(20 * inputs + 128, 0, 255).astype(np.uint8)
    (found,) = asked(inputs_unscaled, problem(bytes_of, labels, loss_inputs=lambda x: 1.0 * x))
    np.testing.assert_allclose(found.repaired.data.inputs.mean(axis=0), 0, atol=1e-3)
    centred = lambda x: (x - jnp.mean(x, axis=1, keepdims=True)) / jnp.std(x, axis=1, keepdims=True)  # noqa: E731
    assert not asked(inputs_unscaled, problem(bytes_of, labels, loss_inputs=lambda x: centred(1.0 * x)))


def test_saturation_by_the_inputs_is_an_error_also_where_targets_are_large():
    inputs, _ = clusters(4)
    values = (1e5 * np.sin(inputs[:, :1]) + 3e5).astype(np.float32)
    squared = of_values(inputs * 1e4, values)
    net = lambda w, x: jnp.tanh(x @ w[0]) @ w[1]  # noqa: E731
    saturated = squared.replace(predict=net, loss=lambda w, x, y: ((net(w, x) - y) ** 2).mean())
    (found,) = asked(inputs_unscaled, saturated)
    assert found.severity == "error"
    assert found.evidence["first layer saturated"] > 0.9
