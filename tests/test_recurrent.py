"""Recurrent layers: the cells' formulas step by step, rows' ends without effect, and a memory that learns."""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnets import losses, train
from jaxnets.layers import Recurrent, recurrent
from jaxnets.learner import gradient

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(4, 6, 3))
LENGTHS = np.array([6, 1, 0, 4])
PADDING = np.arange(6)[None] >= LENGTHS[:, None]


class Reader(nn.Module):
    """Two classes from a layer's last state."""

    cell: Callable

    @nn.compact
    def __call__(self, rows):
        states = Recurrent(6, cell=self.cell)(rows["words"], rows["lengths"])
        return nn.Dense(2)(recurrent.last(states, rows["lengths"]))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def dense(part, x):
    return x @ part["kernel"] + part.get("bias", 0)


def vanilla(p, x, h, c):
    return np.tanh(dense(p["i"], x) + dense(p["h"], h)), c


def lstm(p, x, h, c):
    i, f, g, o = (dense(p[f"i{gate}"], x) + dense(p[f"h{gate}"], h) for gate in "ifgo")
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def gru(p, x, h, c):
    r, z = (sigmoid(dense(p[f"i{gate}"], x) + dense(p[f"h{gate}"], h)) for gate in "rz")
    return (1 - z) * np.tanh(dense(p["in"], x) + r * dense(p["hn"], h)) + z * h, c


def states_by_loop(cell, params, row):
    h = c = np.zeros(5)
    states = []
    for x in row:
        h, c = cell(params, x, h, c)
        states.append(h)
    return np.array(states).reshape(len(row), 5)


def layer(cell, **options):
    model = Recurrent(5, cell=cell, **options)
    with jax.enable_x64(True):
        drawn = model.init(jax.random.key(0), X, LENGTHS)["params"]
        params = jax.tree.map(lambda leaf: RANDOM.normal(size=leaf.shape), drawn)

        @jax.jit
        def states(x, lengths):
            return model.apply({"params": params}, x, lengths)

        def states_64(x, lengths=LENGTHS):
            with jax.enable_x64(True):
                return np.asarray(states(x, lengths))

        return states_64, params


CELLS = [(recurrent.vanilla, vanilla), (recurrent.lstm, lstm), (recurrent.gru, gru)]


@pytest.mark.parametrize(("cell", "formula"), CELLS, ids=["vanilla", "lstm", "gru"])
def test_states_are_the_formulas_in_both_directions(cell, formula):
    states, params = layer(cell, bidirectional=True)
    found = states(X)
    forwards, backwards = (params[name] for name in sorted(params))
    for row, length, x in zip(found, LENGTHS, X, strict=True):
        x = x[:length]
        np.testing.assert_allclose(row[:length, :5], states_by_loop(formula, forwards, x), rtol=1e-9)
        np.testing.assert_allclose(
            row[:length, 5:], states_by_loop(formula, backwards, x[::-1])[::-1], rtol=1e-9
        )
        assert (row[length:] == 0).all()


def test_padding_has_no_effect_and_no_gradient():
    states, _ = layer(recurrent.lstm, bidirectional=True)
    other = np.where(PADDING[:, :, None], 100.0, X)
    longer = np.concatenate([other, other], axis=1)
    np.testing.assert_array_equal(states(X), states(other))
    np.testing.assert_allclose(states(X), states(longer)[:, :6], rtol=1e-12)
    model = Recurrent(5, bidirectional=True)
    params = model.init(jax.random.key(0), X, LENGTHS)
    slope = jax.grad(lambda x: jnp.sum(jnp.sin(model.apply(params, x, LENGTHS))))(jnp.asarray(X))
    assert (slope[PADDING] == 0).all()
    assert (slope[~PADDING] != 0).all()


POOLS = [
    (recurrent.last, lambda row: row[-1]),
    (recurrent.mean, lambda row: row.mean(axis=0)),
    (recurrent.scaled_sum, lambda row: row.sum(axis=0) / np.sqrt(len(row))),
    (recurrent.largest, lambda row: row.max(axis=0)),
]


@pytest.mark.parametrize(("pool", "of_row"), POOLS, ids=["last", "mean", "sum", "largest"])
def test_pools_see_the_words_alone(pool, of_row):
    states = np.where(PADDING[:, :, None], 0, X - 10).astype(np.float32)
    found = pool(states, LENGTHS)
    for row, length, vector in zip(states, LENGTHS, found, strict=True):
        expected = of_row(row[:length]) if length else np.zeros(3)
        np.testing.assert_allclose(vector, expected, rtol=1e-6)


@pytest.mark.parametrize(
    "cell",
    [
        pytest.param(cell, marks=[pytest.mark.release] * (name != "gru"), id=name)
        for name, (cell, _) in zip(("vanilla", "lstm", "gru"), CELLS, strict=True)
    ],
)
def test_the_sign_of_the_first_word_is_remembered_to_the_last(cell):
    """Rows of other lengths, and signs that no later word tells; without a memory the loss stays at log 2."""
    words = RANDOM.normal(size=(64, 5, 1)).astype(np.float32)
    signs, lengths = (words[:, 0, 0] > 0).astype(int), np.arange(64) % 4 + 2
    rows = {"words": words, "lengths": lengths}
    learner = gradient(Reader(cell), losses.softmax_cross_entropy, optax.adam(0.03))
    fit = jax.jit(lambda key: train.run(key, learner, (rows, signs), num_steps=80, evaluate_every=10))
    run = fit(jax.random.key(0))
    assert run.history["loss"][0] > 0.5
    assert run.history["loss"][-1] < 0.2 * run.history["loss"][0]
