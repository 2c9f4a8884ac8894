"""Synthetic data: each generator keeps the law that its docstring states."""

import jax
import numpy as np
import pytest

from jaxnets.check import InputError
from jaxnets.data import load, synthetic

KEY = jax.random.key(7)


def compiled(make, **options):
    """Host arrays; compiled, because the first call of each operation alone would take longer."""
    return jax.tree.map(np.asarray, jax.jit(lambda key: make(key, **options))(KEY))


SLOW = ("negation", "low_rank_ratings", "lines")
"""Their programs take some seconds to compile."""


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.release] * (name in SLOW)) for name in synthetic.SYNTHETIC],
)
def test_keys_are_mapped_over(name):
    make = synthetic.SYNTHETIC[name].make
    keys = jax.random.split(KEY, 2)
    made = jax.jit(jax.vmap(lambda key: make(key, num_examples=20)))(keys)
    alone = jax.jit(lambda key: make(key, num_examples=20))(keys[1])
    for many, one in zip(jax.tree.leaves(made), jax.tree.leaves(alone), strict=True):
        assert many.shape == (2, *one.shape)
        np.testing.assert_allclose(many[1], one, rtol=1e-5, atol=1e-5)
    first = jax.tree.leaves(made.inputs)[0]
    assert not np.array_equal(first[0], first[1])


def test_lines_are_found_by_least_squares():
    rows = compiled(synthetic.lines, num_examples=200, noise=0.05)
    fits = np.array([np.polyfit(*points.T, 1) for points in np.asarray(rows.inputs, np.float64)])
    assert abs(fits[:, 0] - rows.targets["slope"]).mean() < 0.05
    assert np.array_equal(np.round(fits[:, 1]), rows.targets["intercept"])
    assert set(rows.targets["intercept"].tolist()) == {-2, -1, 0, 1, 2}


@pytest.mark.parametrize(("separation", "bayes"), [(1.0, 0.6915), (2.0, 0.8413), (4.0, 0.9772)])
def test_two_gaussians_reach_the_bayes_accuracy(separation, bayes):
    rows = compiled(synthetic.two_gaussians, num_examples=20_000, separation=separation)
    accuracy = ((rows.inputs[:, 0] > 0) == rows.targets).mean()
    assert abs(accuracy - bayes) < 4 * np.sqrt(bayes * (1 - bayes) / 20_000)  # false alarm: 6e-5


def test_xor_is_no_linear_problem():
    rows = compiled(synthetic.xor, num_examples=4000)
    design = np.c_[rows.inputs, np.ones(4000)]
    line = np.linalg.lstsq(design, 2.0 * rows.targets - 1, rcond=None)[0]
    assert (
        (design @ line > 0) == rows.targets
    ).mean() < 0.8  # no line does better than three corners of four
    assert (((rows.inputs > 0.5).sum(1) == 1) == rows.targets).mean() > 0.999


@pytest.mark.parametrize("margin", [0.0, 0.1, 0.3])
def test_curves_separate_with_the_margin(margin):
    above, between = (
        compiled(make, num_examples=2000, margin=margin) for make in (synthetic.parabola, synthetic.hyperbola)
    )
    height = above.inputs[:, 1] - (2 * above.inputs[:, 0] ** 2 - 1)
    assert np.array_equal(height > 0, above.targets == 1)
    assert abs(height).min() >= margin - 1e-6
    beyond = abs(between.inputs[:, 1]) - np.sqrt(between.inputs[:, 0] ** 2 + 0.25)
    assert np.array_equal(beyond > 0, between.targets == 1)
    assert abs(beyond).min() >= margin - 1e-6
    for rows in (above, between):
        assert abs(rows.targets.mean() - 0.5) < 0.05


def test_circles_have_their_radii_and_the_same_mean():
    rows = compiled(synthetic.circles, num_examples=4000, radius=0.5, noise=0.05)
    distance = np.linalg.norm(rows.inputs, axis=1)
    for label, radius in ((0, 1.0), (1, 0.5)):
        mine = distance[rows.targets == label]
        assert abs(mine.mean() - radius) < 0.01
        assert abs(mine.std() - 0.05) < 0.005
        assert abs(rows.inputs[rows.targets == label].mean(0)).max() < 0.06  # 4 standard errors
    design = np.c_[rows.inputs, np.ones(4000)]
    line = np.linalg.lstsq(design, 2.0 * rows.targets - 1, rcond=None)[0]
    assert ((design @ line > 0) == rows.targets).mean() < 0.55


def test_abs_sine_covers_its_interval():
    rows = compiled(synthetic.abs_sine, num_examples=2000, stop=2 * np.pi)
    np.testing.assert_allclose(rows.targets, np.abs(np.sin(rows.inputs)), atol=1e-6)
    assert rows.inputs.min() < 0.05
    assert 2 * np.pi - 0.05 < rows.inputs.max() <= 2 * np.pi


def test_ratings_have_the_rank():
    rows = synthetic.low_rank_ratings(
        KEY, num_examples=30 * 20, num_users=30, num_items=20, rank=2, noise=0.0
    )
    table = np.full((30, 20), np.nan)
    table[tuple(rows.inputs.T)] = rows.targets
    assert not np.isnan(table).any()  # each cell once
    values = np.linalg.svd(table - 3, compute_uv=False)
    assert values[1] > 1
    assert values[2] < 1e-4 * values[0]


def test_a_bag_of_words_is_at_chance_and_the_rule_is_not():
    rows = compiled(synthetic.negation, num_examples=4000)
    tokens, lengths = rows.inputs["tokens"], rows.inputs["lengths"]
    assert np.array_equal(tokens > 0, np.arange(16)[None] < lengths[:, None])
    assert set(lengths.tolist()) == set(range(8, 17))
    bags = np.stack([np.bincount(row, minlength=synthetic.VOCABULARY_SIZE) for row in tokens]).astype(float)
    assert (bags[:, 1] == 1).all()
    train, test = np.split(np.c_[bags, np.ones(4000)], 2)
    fit = np.linalg.lstsq(train, 2.0 * rows.targets[:2000] - 1, rcond=None)[0]
    assert abs(((test @ fit > 0) == rows.targets[2000:]).mean() - 0.5) < 4 * 0.5 / np.sqrt(2000)  # 6e-5
    assert [say(row) for row in tokens] == rows.targets.tolist()


def say(tokens):
    """The class of a sentence, read word by word: ``not`` turns the next word that says something."""
    opinions, turn = [], 1
    for token in tokens:
        turn = -1 if token == synthetic.NOT else turn
        if 2 <= token < 2 + 2 * synthetic.NUM_WORDS:
            opinions.append(turn * (1 if token < 2 + synthetic.NUM_WORDS else -1))
            turn = 1
    assert len(set(opinions)) == 1
    return int(opinions[0] > 0)


@pytest.mark.parametrize("name", ["lines", "negation"])
def test_load_gives_host_arrays(name):
    for leaf in jax.tree.leaves(load(name)):
        assert isinstance(leaf, np.ndarray)
        assert leaf.dtype in (np.float32, np.int32)


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (synthetic.negation, {"max_length": 5}, "max_length = 5, allowed are 6, 7, 8"),
        (synthetic.parabola, {"margin": 1.5}, r"margin = 1.5, allowed is \[0, 1\)"),
        (synthetic.circles, {"radius": 1.0}, r"radius = 1.0, allowed is \[0, 1\)"),
        (synthetic.hyperbola, {"margin": 0.6}, r"margin = 0.6, allowed is \[0, 0.5\]"),
        (
            synthetic.low_rank_ratings,
            {"num_users": 2, "num_items": 4},
            "num_examples = 9, allowed are 1 to 8",
        ),
    ],
)
def test_impossible_numbers_are_refused(make, options, message):
    with pytest.raises(InputError, match=message):
        make(KEY, num_examples=9, **options)
