"""NUTS: R-hat is numpyro's; a small matrix is learned; without numpyro there is one clear line."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import train
from jaxnets.check import InputError
from jaxnets.data import synthetic
from jaxnets.models.nuts_factorisation import nuts_factorisation, split_r_hat

numpyro = pytest.importorskip("numpyro", reason="an extra, [bayes]")


def test_r_hat_is_numpyros():
    from numpyro.diagnostics import split_gelman_rubin

    draws = np.random.default_rng(0).normal(size=(3, 100, 5)) + np.arange(3)[:, None, None] * 0.3
    with jax.enable_x64(True):
        np.testing.assert_allclose(split_r_hat(jnp.asarray(draws)), split_gelman_rubin(draws), rtol=1e-10)


def test_chains_agree_on_ratings_and_learn_them():
    rows = synthetic.low_rank_ratings(
        jax.random.key(0), num_examples=30, num_users=6, num_items=6, rank=2, noise=0.1
    )
    model = nuts_factorisation(
        num_users=6, num_items=6, rank=2, num_warmup=150, num_samples=100, num_chains=2
    )
    fit = jax.jit(lambda key, rows: train.run(key, model, rows, num_steps=1))
    state = fit(jax.random.key(0), rows).state
    error = model.predict(state, rows.inputs) - rows.targets
    assert jnp.std(error) < 0.3 * jnp.std(rows.targets)
    assert split_r_hat(state.predictions(rows.inputs)).max() < 1.2
    one, other = state.factors.users[:, -1]
    assert abs(one - other).max() > 0.1  # factors are those of a rotation of each chain's own


def test_absent_numpyro_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "numpyro", None)
    with pytest.raises(InputError, match=r"pip install 'jaxnets\[bayes\]'"):
        nuts_factorisation(num_users=2, num_items=2, rank=2)
