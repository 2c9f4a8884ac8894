"""The most probable factors: a stationary point, never left uphill; the experiment's reader and its loop."""

import functools
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import matrix_factorisation as experiment
from jaxnets import train
from jaxnets.data import Dataset, synthetic
from jaxnets.learner import Learner
from jaxnets.models.bpmf import BPMFState, Draw
from jaxnets.models.matrix_factorisation import (
    Factors,
    Ratings,
    conditional,
    cut,
    pmf,
    products,
    random_factors,
)
from jaxnets.models.nuts_factorisation import Chains
from jaxnets.models.rating_blocks import gram
from jaxnets.types import Batch

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


PAIRS = np.array([(user, item) for user in range(4) for item in range(5)], np.int32)
MEAN, NOISE = 3.0, 0.5
NARROW, WIDE = 1.6 * NOISE, 1.7 * NOISE
"""From the mean: within the interval of 90 %, whose ends are 1.645 deviations away, and outside."""


def measured(state, away):
    """Of test ratings as far as this from the mean, which the learner predicts whatever the pair."""
    rows = Batch(PAIRS, np.float32(MEAN + away))
    model = Learner(None, None, lambda state, pairs: jnp.full(len(pairs), MEAN))
    return experiment.evaluate(model, state, Dataset(rows, test=rows))


def chains(shift=0.0, num_diverging=0):
    """Four of 40 draws: all factors are nearly 0, and the third chain's noise is shifted."""
    normal, counts = np.random.default_rng(0).normal, (4, 40)
    factors = Factors(*(jnp.asarray(1e-3 * normal(size=(*counts, n, 2))) for n in (4, 5)))
    noise = NOISE + 1e-3 * normal(size=counts) + shift * (np.arange(4) == 2)[:, None]
    diverging = np.arange(160).reshape(counts) < num_diverging
    return Chains(jnp.float32(MEAN), factors, jnp.float32(noise), jnp.asarray(diverging))


def gibbs():
    """Three slots, the last of them not filled yet: its ratings would be far away."""
    kept = Draw(Factors(*(jnp.zeros((3, n, 2)).at[2].set(9.0) for n in (4, 5))), jnp.full(3, NOISE**-2))
    return BPMFState(Ratings((), (), jnp.float32(MEAN)), None, kept, jnp.int32(2))


@pytest.mark.parametrize("make_state", [chains, gibbs])
@pytest.mark.parametrize(("below", "above"), [(0, 0), (2, 3), (20, 0), (0, 20)])
def test_coverage_is_the_share_of_ratings_between_both_ends(make_state, below, above):
    away = np.where(np.arange(20) % 2, NARROW, -NARROW)
    away[:below], away[20 - above :] = -WIDE, WIDE
    found = measured(make_state(), away)
    assert float(found["coverage"]) == pytest.approx(1 - (below + above) / 20)
    assert float(found["interval_width"]) == pytest.approx(2 * 1.645 * NOISE, rel=1e-2)
    assert float(found["test_rmse"]) == pytest.approx(np.sqrt(np.mean(away**2)), rel=1e-5)


def test_chains_that_diverge_or_disagree_are_told():
    """R-hat is that of the worst number: of the noise alone, of which one chain is sure of another value."""
    right, wrong = (measured(state, np.zeros(20)) for state in (chains(), chains(shift=0.1, num_diverging=3)))
    assert [int(found["divergences"]) for found in (right, wrong)] == [0, 3]
    assert 0.99 < float(right["largest_r_hat"]) < 1.1
    assert float(wrong["largest_r_hat"]) > 10


def test_the_penalty_measured_is_the_one_chosen():
    state = experiment.Chosen(None, None, None, jnp.float32(16.0))
    found = measured(state, np.full(20, 0.25))
    assert {name: float(value) for name, value in found.items()} == {"test_rmse": 0.25, "l2": 16}


def test_speedup_is_the_loops_time_over_the_sweeps(monkeypatch):
    """The loop gives each side's factors; the sweep, whose place another takes, gets the state's."""

    def sweep(key, ratings, factors, *, prior, num_ratings):
        assert len(prior.mean) == 2
        return ratings.mean + num_ratings * factors.users.sum()

    def seconds(loop, ours, *, rounds):
        if loop == "products":
            return np.array([0.03, 0.02])
        assert [side.shape for side in loop()] == [(12, 2), (10, 2)]
        assert float(ours()) == MEAN + len(rows.targets) * 24
        return np.array([0.6, 0.1])

    monkeypatch.setattr(experiment, "sweep", sweep)
    monkeypatch.setattr(experiment, "least_seconds", seconds)
    monkeypatch.setattr(experiment, "_parts", lambda state: ("products", "solves"))
    settings = experiment.Settings("bpmf", experiment.SMALL_MATRIX, 2)
    rows = experiment.data(settings).train
    factors = Factors(*(jnp.ones((n, 2)) for n in (12, 10)))
    state = gibbs()._replace(draw=Draw(factors, jnp.ones(())))
    row = SimpleNamespace(name="bpmf", settings=settings, runs=[SimpleNamespace(state=state)])
    found = experiment.checks([SimpleNamespace(name="pmf"), row], None)
    parts = {"a_sweep": 100, "products_of_blocks": 30, "roots_and_solves": 20}
    milliseconds = {f"milliseconds_of_{name}": value for name, value in parts.items()}
    assert found == pytest.approx({"gibbs_speedup": 6} | milliseconds)
