"""Gibbs: a user's conditional is NumPy's; a sweep leaves the joint distribution of draws and data alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import wishart

from jaxnets import train
from jaxnets.data import synthetic
from jaxnets.models.bpmf import bpmf, sweep
from jaxnets.models.matrix_factorisation import Factors, Ratings, conditional, products
from jaxnets.models.normal_wishart import NormalWishart
from jaxnets.models.rating_blocks import blocks, gram
from jaxnets.types import Batch


def test_conditional_of_one_user_is_the_textbooks():
    generator = np.random.default_rng(0)
    items, values = generator.normal(size=(6, 2)), generator.normal(size=4)
    pairs = np.array([[0, 5], [1, 0], [1, 3], [1, 4]], np.int32)
    mean, precision, alpha = generator.normal(size=2), np.array([[2.0, 0.3], [0.3, 1.0]]), 1.7
    with jax.enable_x64(True):
        sums = gram(items, blocks(Batch(pairs, values), by=0, num_owners=3), num_owners=3)
        means, roots = map(np.asarray, conditional(sums, mean, precision, alpha))
    seen = items[[0, 3, 4]]
    expected = precision + alpha * seen.T @ seen
    np.testing.assert_allclose(roots[1] @ roots[1].T, expected, rtol=1e-10)
    linear = precision @ mean + alpha * seen.T @ values[1:]
    np.testing.assert_allclose(means[1], np.linalg.solve(expected, linear), rtol=1e-10)
    np.testing.assert_allclose(means[2], mean, rtol=1e-10)  # no rating: the prior


PRIOR = NormalWishart(jnp.array([0.5, -0.5]), 2.0, 8.0, 4 * jnp.eye(2))
PAIRS = jnp.array([[0, 0], [0, 1], [1, 1], [2, 0], [2, 2], [1, 2], [3, 1]])


def drawn_from_prior(num_runs):
    """Users' and items' factors of each run, by NumPy."""
    random, factors = np.random.default_rng(0), []
    for num_rows in (4, 3):
        precisions = wishart(PRIOR.degrees, np.linalg.inv(PRIOR.inverse_scale)).rvs(num_runs, random)
        roots = np.linalg.cholesky(np.linalg.inv(precisions))
        mean_normal, normal = (
            random.normal(size=(num_runs, 1, 2)),
            random.normal(size=(num_runs, num_rows, 2)),
        )
        away = (mean_normal / np.sqrt(PRIOR.strength) + normal) @ roots.transpose(0, 2, 1)
        factors.append(np.float32(np.asarray(PRIOR.mean) + away))
    return Factors(*factors)


def before_and_after(key, factors):
    """Statistics of a draw from the prior, and of the draw after a sweep given ratings made by the first."""
    alpha_key, noise_key, sweep_key = jax.random.split(key, 3)
    alpha = jax.random.exponential(alpha_key)  # Gamma(1, 1)
    ratings = products(factors, PAIRS) + jax.random.normal(noise_key, (len(PAIRS),)) / jnp.sqrt(alpha)
    cut = [blocks(Batch(PAIRS, ratings), by=side, num_owners=n) for side, n in ((0, 4), (1, 3))]
    draw, _ = sweep(sweep_key, Ratings(*cut, jnp.zeros(())), factors, PRIOR, num_ratings=len(PAIRS))
    return statistics(factors, alpha), statistics(draw.factors, draw.noise_precision)


def statistics(factors, alpha):
    users, items = factors
    parts = [
        alpha,
        jnp.log(alpha),
        *users.mean(0),
        *items.mean(0),
        *jnp.log(users.var(0)),
        *jnp.log(items.var(0)),
    ]
    return jnp.stack([*parts, jnp.tanh(users[0, 0] * users[0, 1]), jnp.tanh(users[0] @ items[0])])


def test_a_sweep_leaves_the_joint_distribution_as_it_is():
    """Means of 12 statistics of 4,000 runs within 4 standard errors: a false alarm in 1,300 seeds."""
    keys = jax.random.split(jax.random.key(0), 4000)
    before, after = jax.jit(jax.vmap(before_and_after))(keys, drawn_from_prior(4000))
    change = np.asarray(after - before)
    z = change.mean(0) / (change.std(0) / np.sqrt(len(change)))
    assert (abs(z) < 4).all(), z


@pytest.fixture(scope="module")
def trained():
    rows = synthetic.low_rank_ratings(jax.random.key(1), num_examples=1200, noise=0.3)
    rows, test = (
        jax.tree.map(lambda leaf, part=part: leaf[part], rows) for part in (slice(1000), slice(1000, None))
    )
    model = bpmf(num_users=60, num_items=40, rank=5, num_samples=50)
    fit = jax.jit(lambda key, rows: train.run(key, model, rows, num_steps=150))
    return model, fit(jax.random.key(0), rows), test


def test_noise_is_found_and_new_ratings_lie_close(trained):
    """The noise is 0.3; no prediction does better than it on average."""
    model, run, test = trained
    error = np.sqrt(np.mean((model.predict(run.state, test.inputs) - test.targets) ** 2))
    assert 0.28 < error < 0.42
    assert abs(1 / np.sqrt(run.state.kept.noise_precision.mean()) - 0.3) < 0.03


def test_the_last_draws_are_kept(trained):
    """150 sweeps, the last 50 of them kept: the latest draw is at the end of the slots."""
    _, run, _ = trained
    np.testing.assert_array_equal(run.state.kept.factors.users[-1], run.state.draw.factors.users)
    assert (run.state.kept.noise_precision > 0).all()
