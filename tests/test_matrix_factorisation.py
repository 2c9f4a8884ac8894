"""The most probable factors: a stationary point, never left uphill; the experiment's reader and its loop."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import matrix_factorisation as experiment
from jaxnets import train
from jaxnets.data import synthetic
from jaxnets.models.matrix_factorisation import conditional, cut, pmf, products, random_factors
from jaxnets.models.rating_blocks import gram

L2 = 2.0


@pytest.fixture(scope="module")
def trained():
    """In float64, from 300 of the 600 cells of a 30 x 20 matrix."""
    with jax.enable_x64(True):
        rows = synthetic.low_rank_ratings(jax.random.key(0), num_examples=300, num_users=30, num_items=20)
        model = pmf(num_users=30, num_items=20, rank=3, l2=L2)
        fit = jax.jit(lambda key, rows: train.run(key, model, rows, num_steps=2000, evaluate_every=20))
        return rows, fit(jax.random.key(0), rows)


def objective(factors, rows, l2=L2):
    error = rows.targets - rows.targets.mean() - products(factors, rows.inputs)
    away = [jnp.sum((part - jnp.eye(3)[side][None]) ** 2) for side, part in enumerate(factors)]
    return (jnp.sum(error**2) + l2 * sum(away)) / len(rows.targets)


def test_ends_where_the_gradient_is_zero(trained):
    rows, run = trained
    with jax.enable_x64(True):
        value, slope = jax.value_and_grad(objective)(run.state.factors, rows)
    assert max(abs(np.asarray(part)).max() for part in slope) < 1e-7
    np.testing.assert_allclose(run.history["loss"][-1], value, rtol=1e-9)


def test_no_step_goes_uphill(trained):
    loss = np.asarray(trained[1].history["loss"])
    assert (np.diff(loss) <= 1e-12).all()
    assert loss[0] > 1.01 * loss[-1]


def test_penalty_is_the_best_on_ratings_that_trials_lack_and_the_end_is_that_of_pmf():
    rows = synthetic.low_rank_ratings(jax.random.key(0), num_examples=300, num_users=30, num_items=20)
    penalties = jnp.array([0.5, 2.0, 1e4])
    learner_at = functools.partial(pmf, num_users=30, num_items=20, rank=3)
    model = experiment.choosing(lambda l2: learner_at(l2=l2), penalties)
    fit = jax.jit(lambda rows: train.run(jax.random.key(0), model, rows, num_steps=60).state)
    state = fit(rows)
    held_out, trials = state.held_out, state.trials
    left = {tuple(pair) for pair in np.asarray(rows.inputs).tolist()}
    assert len(held_out.targets) == 30
    assert {tuple(pair) for pair in held_out.inputs.tolist()} < left
    assert [int(there.sum()) for there in trials.ratings.by_user.there] == [270] * 3
    errors = [
        float(jnp.std(trials.ratings.mean[i] + products(factors, held_out.inputs) - held_out.targets))
        for i in range(3)
        for factors in [jax.tree.map(lambda leaf, i=i: leaf[i], trials.factors)]
    ]
    assert state.l2 == penalties[np.argmin(errors)]
    assert max(errors) > 1.2 * min(errors)
    slopes = jax.grad(objective)(state.final.factors, rows, state.l2)
    assert max(float(abs(slope).max()) for slope in slopes) < 1e-3


def test_numpys_loop_draws_from_the_conditional():
    """With ``P = L L'``, ``L' (u - mean)`` is standard normal: 500 draws of 8 users, 4 deviations."""
    rows = synthetic.low_rank_ratings(
        jax.random.key(0), num_examples=60, num_users=8, num_items=10, rank=3, noise=0.3
    )
    rows = jax.tree.map(np.asarray, rows)
    factors = random_factors(jax.random.key(1), num_users=8, num_items=10, rank=3)
    by_user = cut(rows, num_users=8, num_items=10).by_user
    sums = gram(factors.items, by_user, num_owners=8)
    mean, root = map(np.asarray, conditional(sums, jnp.zeros(3), jnp.eye(3), 2.0))
    generator = np.random.default_rng(0)
    draws = np.stack([experiment._numpy_sweep(generator, rows, factors)()[0] for _ in range(500)])
    normal = np.einsum("ukl,suk->sul", root, draws - mean)
    assert abs(normal.mean(axis=0)).max() < 4 / np.sqrt(500)
    covariance = np.cov(normal.reshape(-1, 3).T)
    np.testing.assert_allclose(covariance, np.eye(3), atol=4 * np.sqrt(2 / 4000))
