"""Bayesian matrix factorisation by the no-U-turn sampler, with LKJ priors; for small matrices.

Needs numpyro, the extra ``[bayes]``.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxnets import check
from jaxnets.learner import Learner
from jaxnets.models.matrix_factorisation import Factors, products
from jaxnets.models.predictive import Predictive
from jaxnets.types import Array, Batch, Bool, Float, Int, Key, Metrics, Scalar


class Chains(NamedTuple):
    """Draws of several chains, ``[chains draws ...]``, and whether the step to each diverged.

    Attributes:
        mean: of the ratings.
        factors: users ``[c s u k]``, items ``[c s i k]``.
        noise: deviation of a rating.
        diverging: whether the simulated energy broke down, a sign of a region left out.
    """

    mean: Float[Array, ""]

    factors: Factors
    noise: Float[Array, "c s"]
    diverging: Bool[Array, "c s"]

    def predictions(self, pairs: Int[Array, "n 2"]) -> Float[Array, "c s n"]:
        """``m + u'v`` of each draw."""
        each = jax.vmap(jax.vmap(lambda factors: products(factors, pairs)))
        return self.mean + each(self.factors)

    def predictive(self, pairs: Int[Array, "n 2"]) -> Predictive:
        """The distribution of new ratings over the draws of all chains."""
        means = self.predictions(pairs).reshape(-1, len(pairs))
        return Predictive(means, self.noise.ravel(), jnp.full(len(means), 1 / len(means)))


def nuts_factorisation(
    *,
    num_users: int,
    num_items: int,
    rank: int,
    num_warmup: int = 500,
    num_samples: int = 1000,
    num_chains: int = 4,
    target_accept: Scalar = 0.9,
) -> Learner:
    """The posterior of all factors and their covariances; the one step runs all chains whole.

        r_ui ~ N(m + u'v, s^2),  u ~ N(mu, D C D),  D = diag(tau),  C ~ LKJ(2),  mu, tau, s ~ (half) normal

    and the same for ``v``. Nothing here is conjugate, where Gibbs sampling needs it to be. Factors are
    known up to a common rotation and signs, so chains agree on ``m + u'v``, not on ``u``: judge
    convergence by :meth:`Chains.predictions`. Every step fits its own batch alone, as a closed form does.

    Args:
        num_warmup: draws a chain that adapt step size and metric, and are not kept.
        num_samples: draws a chain that are kept.
        target_accept: larger for smaller steps and fewer divergences; in (0, 1).

    Raises:
        InputError: numpyro is not installed, or a number is out of its range.

    Reference: Hoffman & Gelman, The no-U-turn sampler, 2014; Lewandowski, Kurowicka & Joe, Generating random
    correlation matrices based on vines and extended onion method, 2009.
    """
    counts = {"num_warmup": num_warmup, "num_samples": num_samples, "num_chains": num_chains}
    for name, value in counts.items():
        check.count(name, value, 1)
    check.count("rank", rank, 2)  # a single factor has no correlation
    check.interval("target_accept", target_accept, check.Interval(0, 1, False, False))
    numpyro = _numpyro()

    def model(pairs: Int[Array, "n 2"], ratings: Float[Array, " n"]) -> None:
        factors = Factors(_side(numpyro, "users", num_users, rank), _side(numpyro, "items", num_items, rank))
        noise = numpyro.sample("noise", numpyro.distributions.HalfNormal(1.0))
        at = ratings.mean() + products(factors, pairs)
        numpyro.sample("ratings", numpyro.distributions.Normal(at, noise), obs=ratings)

    def fit(key: Key, data: Batch) -> Chains:
        kernel = numpyro.infer.NUTS(model, target_accept_prob=target_accept)
        keys = jax.random.split(key, num_chains)
        draws = jax.vmap(lambda one: _chain(kernel, one, data, num_warmup, num_samples))(keys)
        return Chains(data.targets.mean(), *draws)

    def init(key: Key, data: Batch) -> Chains:
        draws = num_chains, num_samples  # known without a trace of the sampler, which takes seconds
        factors = Factors(*(jnp.zeros((*draws, rows, rank)) for rows in (num_users, num_items)))
        return Chains(jnp.zeros(()), factors, jnp.zeros(draws), jnp.zeros(draws, bool))

    def step(key: Key, state: Chains, batch: Batch) -> tuple[Chains, Metrics]:
        chains = fit(key, Batch(*map(jnp.asarray, batch)))
        return chains, {"loss": jnp.mean((predict(chains, batch.inputs) - batch.targets) ** 2)}

    def predict(state: Chains, pairs: Int[Array, "n 2"]) -> Float[Array, " n"]:
        return state.predictions(pairs).mean(axis=(0, 1))

    return Learner(init, step, predict)


def split_r_hat(draws: Float[Array, "c s n"]) -> Float[Array, " n"]:
    """How far chains, cut into halves, disagree: ``sqrt(variance of all / mean variance within)``, 1 at best.

    >>> alike = jax.random.normal(jax.random.key(0), (4, 1000, 1))
    >>> apart = alike + jnp.arange(4.0)[:, None, None]
    >>> round(float(split_r_hat(alike)[0]), 2), float(split_r_hat(apart)[0]) > 1.5
    (1.0, True)

    Reference: Gelman et al., Bayesian Data Analysis, 11.4.
    """
    half = draws.shape[1] // 2
    halves = jnp.concatenate([draws[:, :half], draws[:, -half:]])
    within = halves.var(axis=1, ddof=1).mean(axis=0)
    between = halves.mean(axis=1).var(axis=0, ddof=1)
    return jnp.sqrt((half - 1) / half + between / within)


def _side(numpyro: Any, name: str, num_rows: int, rank: int) -> Float[Array, "n k"]:
    """``mu + D root(C) z`` with normal ``z``: in ``z`` the posterior has no funnel where ``tau`` is small."""
    normal, half_normal = numpyro.distributions.Normal(0.0, 1.0), numpyro.distributions.HalfNormal(1.0)
    scale = numpyro.sample(f"{name}_scale", half_normal.expand([rank]).to_event(1))
    root = numpyro.sample(f"{name}_root", numpyro.distributions.LKJCholesky(rank, 2.0))
    mean = numpyro.sample(f"{name}_mean", normal.expand([rank]).to_event(1))
    z = numpyro.sample(f"{name}_z", normal.expand([num_rows, rank]).to_event(2))
    return numpyro.deterministic(name, mean[None] + z @ (scale[:, None] * root).T)


def _chain(kernel: Any, key: Key, data: Batch, num_warmup: int, num_samples: int) -> tuple:
    start = kernel.init(key, num_warmup, None, tuple(data), {})

    def draw(state: Any, _: None) -> tuple:
        state = kernel.sample(state, tuple(data), {})
        values = kernel.postprocess_fn(tuple(data), {})(state.z)
        return state, (Factors(values["users"], values["items"]), values["noise"], state.diverging)

    # One scan for warm-up and samples: the sampler is long to compile.
    _, draws = jax.lax.scan(draw, start, length=num_warmup + num_samples)
    return jax.tree.map(lambda leaf: leaf[num_warmup:], draws)


def _numpyro() -> Any:
    try:
        import numpyro
        import numpyro.infer
    except ImportError:
        raise check.InputError("numpyro is missing: pip install 'jaxnets[bayes]'") from None
    return numpyro
