"""Steps and short trainings: too large, too small, broken, stuck; symptoms where no cause is named."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnets.diagnose import Problem
from jaxnets.diagnose.curvature import batch_curvature, top_curvature
from jaxnets.diagnose.fit import Fitter
from jaxnets.diagnose.probe import Probe
from jaxnets.diagnose.rules import loss, run, standstill, step
from jaxnets.diagnose.training import Trainer

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(60, 5)).astype(np.float32)
LABELS = (X[:, 0] + 0.1 * X[:, 1] > 0).astype(np.int32)
LINE = (X @ np.arange(1.0, 6.0)[:, None] / 3 + 1).astype(np.float32)
STEEP = X * np.array([10, 1, 1, 1, 1], np.float32)
TABLE = np.arange(60, dtype=np.int32) % 6


@pytest.fixture(autouse=True)
def as_people_write():
    with jax.numpy_rank_promotion("allow"):
        yield


def start(key, size=5, num_outputs=2):
    first, second = jax.random.split(key)
    return [
        jax.random.normal(first, (size, 12)) / size**0.5, jnp.zeros(12),
        jax.random.normal(second, (12, num_outputs)) / 12**0.5, jnp.zeros(num_outputs),
    ]  # fmt: skip


def forward(params, x):
    return jax.nn.relu(x @ params[0] + params[1]) @ params[2] + params[3]


def cross_entropy(params, x, y):
    return optax.softmax_cross_entropy_with_integer_labels(forward(params, x), y).mean()


def line(params, x):
    return x @ params[0] + params[1]


def squared(params, x, y):
    return ((line(params, x) - y) ** 2).mean()


def censored(params, x, y):
    """The likelihood of times (Weibull), some of which are only known to be longer."""
    scale, shape = forward(params, x).T
    late = jnp.exp(shape) * (jnp.log(y[:, 0]) - scale)
    return (jnp.exp(jnp.minimum(late, 20)) - y[:, 1] * (shape + late - jnp.log(y[:, 0]))).mean()


TIMES = np.stack([np.exp(X[:, 0]) * GENERATOR.weibull(2, 60), GENERATOR.random(60) < 0.7], axis=1)
CLASSES = Problem(start, forward, cross_entropy, (X, LABELS), learning_rate=0.3, batch_size=10)
REGRESSION = Problem(
    lambda key: [jnp.zeros((5, 1)), jnp.zeros(1)], line, squared, (X, LINE), learning_rate=0.1
)


def embedding(divides):
    """Six rows of an embedding, each with the rate 1 over how often it is in the batch."""

    def update(table, tokens, targets):
        counts = jnp.zeros(6).at[tokens].add(1.0)
        slope = jax.grad(lambda w: 0.5 * jnp.square(w[tokens] - targets).sum())(table)
        return table - 0.5 * slope / (counts if divides else jnp.maximum(counts, 1))

    mean = lambda table, tokens, targets: jnp.square(table[tokens] - targets).mean()  # noqa: E731
    return Problem(
        lambda key: jax.random.normal(key, (6,)), lambda table, tokens: table[tokens], mean,
        (TABLE, TABLE.astype(np.float32)), update=update, batch_size=4,
    )  # fmt: skip


def root(params, x, y):
    """A distance whose gradient is infinite at 0."""
    return jnp.sqrt(((line(params, x) - y) ** 2).sum(axis=1)).mean()


def first_adagrad(params, x, y):
    """Nothing is added to the root; the gradient of an empty column is 0."""
    return jax.tree.map(lambda w, g: w - 0.1 * g / jnp.sqrt(g**2), params, jax.grad(squared)(params, x, y))


def flip(params, x, y):
    return -cross_entropy(params, x, y)


def overfitted():
    noise = GENERATOR.integers(0, 2, 60).astype(np.int32)
    rows = CLASSES.replace(data=(X[:12], noise[:12]), valid=(X[12:], noise[12:]))
    return rows.replace(optimizer=optax.adam(0.05), learning_rate=None, num_steps=300, batch_size=None)


def narrow_bottleneck(scale):
    """An autoencoder from small weights, with the mean in its biases: two zeros multiply each other."""

    def init(key):
        first, second = jax.random.split(key)
        return [
            scale * jax.random.normal(first, (5, 4)), scale * jax.random.normal(second, (4, 5)), jnp.zeros(5)
        ]  # fmt: skip

    decoded = lambda w, x: jnp.tanh(x @ w[0]) @ w[1] + w[2]  # noqa: E731
    mean = lambda w, x, y: ((decoded(w, x) - y) ** 2).mean()  # noqa: E731
    return Problem(init, decoded, mean, (X, X + 2), learning_rate=0.5, num_steps=50)


FAULTS = {
    "rate": (step.step_too_large, CLASSES.replace(learning_rate=300.0)),
    "momentum": (
        step.step_too_large,
        REGRESSION.replace(optimizer=optax.sgd(2.0, momentum=0.9), learning_rate=None),
    ),
    "adam": (step.step_too_large, CLASSES.replace(optimizer=optax.adam(30.0), learning_rate=None)),
    "slow": (step.step_too_small, CLASSES.replace(learning_rate=1e-6, num_steps=100)),
    "decays": (
        step.step_too_small,
        CLASSES.replace(optimizer=optax.sgd(optax.exponential_decay(0.02, 1, 0.7)), learning_rate=None),
    ),
    "counts": (step.rule_divides_by_zero, embedding(divides=True)),
    "adagrad": (
        step.rule_divides_by_zero,
        REGRESSION.replace(
            data=(X * [1, 1, 1, 1, 0], LINE), learning_rate=None, update=first_adagrad
        ),
    ),
    "sign": (loss.loss_sign, CLASSES.replace(loss=flip)),
    "root": (run.diverged, REGRESSION.replace(loss=root, data=(X, 0 * LINE))),
    "lost": (
        standstill.constant_prediction,
        CLASSES.replace(
            predict=lambda w, x: 0 * forward(w, x) + w[3],
            loss=lambda w, x, y: optax.softmax_cross_entropy_with_integer_labels(
                0 * forward(w, x) + w[3], y
            ).mean(),
        ),
    ),
    "few steps": (
        run.stopped_too_early,
        REGRESSION.replace(data=(STEEP, LINE - X[:, :1] / 3), learning_rate=0.004, num_steps=4),
    ),
    "noise": (run.overfitting, overfitted()),
    "warm-up without end": (
        step.step_too_small,
        CLASSES.replace(
            optimizer=optax.sgd(optax.linear_schedule(0.0, 0.3, 5000)), learning_rate=None, num_steps=200
        ),
    ),
    "decays within a few steps": (
        step.step_too_small,
        CLASSES.replace(
            optimizer=optax.sgd(optax.cosine_decay_schedule(0.3, 6)), learning_rate=None, num_steps=400
        ),
    ),
    "no friction": (
        run.oscillating,
        REGRESSION.replace(optimizer=optax.sgd(0.05, momentum=0.995), learning_rate=None, num_steps=300),
    ),
    "jumps": (
        run.oscillating,
        REGRESSION.replace(optimizer=optax.adam(0.4), learning_rate=None, batch_size=1, num_steps=400),
    ),
    "stays at the mean": (standstill.plateau, narrow_bottleneck(1e-12)),
}  # fmt: skip
HEALTHY = {
    "classes": CLASSES,
    "regression": REGRESSION,
    "large and stable": REGRESSION.replace(learning_rate=0.6),
    "one row": CLASSES.replace(batch_size=1, learning_rate=0.05),
    "counts of one at least": embedding(divides=False),
    "adam": CLASSES.replace(optimizer=optax.adam(3e-3), learning_rate=None, num_steps=200),
    "decays in time": CLASSES.replace(
        optimizer=optax.sgd(optax.cosine_decay_schedule(0.3, 100)), learning_rate=None, num_steps=100
    ),
    "friction": REGRESSION.replace(
        optimizer=optax.sgd(0.05, momentum=0.9), learning_rate=None, num_steps=300
    ),
    "away from the mean": narrow_bottleneck(0.3),
    "times of which some are not known": Problem(
        start, forward, censored, (X, TIMES), optimizer=optax.adam(5e-3), num_steps=200
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_found(name):
    rule, problem = FAULTS[name]
    (finding,) = rule(Probe(problem, jax.random.key(0)))
    assert finding.rule == rule.__name__.replace("_", "-")
    assert finding.severity != "note"
    assert finding.evidence


SLOW = {"regression", "one row", "adam"}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.release] * (name in SLOW)) for name in HEALTHY]
)
def test_near_misses_are_left_alone(name):
    family = (
        step.step_too_large, step.step_too_small, step.rule_divides_by_zero, loss.loss_sign, run.diverged,
        standstill.constant_prediction, standstill.cannot_overfit_a_batch, standstill.plateau,
        run.oscillating, run.overfitting, run.stopped_too_early,
    )  # fmt: skip
    probe = Probe(HEALTHY[name], jax.random.key(1))
    assert [finding for rule in family for finding in rule(probe) if finding.severity != "note"] == []


def test_what_cannot_tell_rows_apart_cannot_memorise_them():
    """The inputs are lost: every row has the same outputs."""
    narrow = CLASSES.replace(
        predict=lambda w, x: forward(w, 0 * x), loss=lambda w, x, y: cross_entropy(w, 0 * x, y)
    )
    (finding,) = standstill.cannot_overfit_a_batch(Probe(narrow, jax.random.key(0)))
    assert finding.evidence["share of labels right"] < 0.7


def test_the_numbers_of_a_density_are_no_values():
    """Two branches of a square root: neither mean goes with the target, whose density is learned well."""
    sides = np.where(np.arange(60) % 2 == 0, 1, -1)[:, None] * np.sqrt(1 + X[:, :1] ** 2)

    def surprise(params, x, y):
        logit, *means, width = jnp.split(forward(params, x), 4, axis=1)
        weights = jax.nn.log_sigmoid(jnp.concatenate([logit, -logit], axis=1))
        squares = jnp.square((y - jnp.concatenate(means, axis=1)) * jnp.exp(-width))
        return -jax.nn.logsumexp(weights - squares / 2 - width, axis=1).mean()

    mixture = Problem(
        partial(start, size=1, num_outputs=4), forward, surprise, (X[:, :1], sides), learning_rate=0.05
    )
    assert not [*standstill.cannot_overfit_a_batch(Probe(mixture, jax.random.key(0)))]


def test_a_network_that_stays_where_it_is_is_on_a_plateau():
    """Hardly a slope to follow, at steps of any length; Adam divides by what there is."""
    flat = CLASSES.replace(learning_rate=1e-6, loss=lambda w, x, y: 1e-8 * cross_entropy(w, x, y))
    (finding,) = standstill.plateau(Probe(flat, jax.random.key(0)))
    assert abs(finding.evidence["fall of the loss"]) < 0.01 * finding.evidence["of 32 rows by Adam"]


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": optax.adamw(0.01, weight_decay=100.0), "learning_rate": None},
        {"loss": lambda w, x, y: cross_entropy(w, x, y) + 10 * sum((leaf**2).sum() for leaf in w),
         "learning_rate": 0.02},
    ],
    ids=["decay", "penalty"],
)  # fmt: skip
def test_what_holds_the_params_at_zero_is_said(changes):
    probe = Probe(CLASSES.replace(num_steps=200, **changes), jax.random.key(0))
    findings = [*standstill.constant_prediction(probe), *standstill.plateau(probe)]
    assert findings
    assert {one.remedy for one in findings} == {standstill.LESS_DECAY}


def test_steps_that_forget_are_those_of_gradient_descent_where_the_loss_rises():
    """In one dimension, momentum swings around the minimum; forgotten, it stays there."""
    bowl = lambda w, x, y: 0.5 * w**2 + 0 * x.sum() + 0 * y.sum()  # noqa: E731
    swings = Problem(
        lambda key: jnp.ones(()), lambda w, x: w * x, bowl, (X[:, 0], X[:, 0]),
        optimizer=optax.sgd(0.01, momentum=0.999), num_steps=200,
    )  # fmt: skip
    trainer = Trainer(swings, jnp.ones(()))
    swung, forgot = trainer.run(), trainer.run(restarts=True)
    assert np.diff(swung.losses).max() > 0.2
    assert forgot.end < 1e-3
    again = trainer.run(params=jnp.float32(3.0))
    assert again.losses[0] == pytest.approx(4.5)


def test_a_step_that_is_undone_by_the_next_oscillates():
    """Two directions: the rate is stable by a hair in the steep one."""
    scales = np.array([1.0, 0.1], np.float32)
    bowl = lambda w, x, y: (jnp.abs(w * scales) ** 1.5).sum() + 0 * x.sum() + 0 * y.sum()  # noqa: E731
    problem = Problem(lambda key: jnp.ones(2), lambda w, x: x @ w, bowl, (X[:, :2], LINE), learning_rate=0.9)
    (finding,) = run.oscillating(Probe(problem, jax.random.key(0)))
    assert finding.evidence["cosine between steps"] < -0.3


def test_the_top_curvature_is_the_largest_eigenvalue():
    """Of networks' Hessians, by a dense solution, to 5 % whatever the noise that it starts from."""
    leaves, structure = jax.tree.flatten(start(jax.random.key(0)))
    splits = np.cumsum([leaf.size for leaf in leaves])[:-1]

    def flat(numbers):
        parts = jnp.split(numbers, splits)
        shaped = [part.reshape(leaf.shape) for part, leaf in zip(parts, leaves, strict=True)]
        return cross_entropy(jax.tree.unflatten(structure, shaped), X, LABELS)

    hessian = jax.jit(jax.hessian(flat))
    top = jax.jit(lambda params, key: top_curvature(cross_entropy, params, X, LABELS, key=key))
    for seed in range(5):
        params = start(jax.random.key(seed))
        dense = hessian(jnp.concatenate([leaf.ravel() for leaf in jax.tree.leaves(params)]))
        largest = np.abs(np.linalg.eigvalsh(dense)).max()
        for key in jax.random.split(jax.random.key(7), 5):
            np.testing.assert_allclose(float(top(params, key)), largest, rtol=0.05)


def test_curvature_of_a_loss_without_any_is_zero():
    linear = lambda w, x, y: (x @ w).mean()  # noqa: E731
    assert float(top_curvature(linear, jnp.ones(5), X, LINE, key=jax.random.key(0))) == 0.0


def test_curvature_of_single_rows_is_their_mean():
    """Of least squares on one row: twice its squared length, with a one for the bias."""
    found = batch_curvature(REGRESSION.replace(batch_size=1), REGRESSION.init(None), jax.random.key(0))
    rows = X[np.unique(np.linspace(0, 59, 16).astype(int))]
    np.testing.assert_allclose(found, 2 * (1 + np.square(rows).sum(axis=1)).mean(), rtol=1e-3)


def test_a_short_training_is_the_steps_one_after_the_other():
    """The same numbers as a loop in Python, at half the length of a step as well."""
    trainer = Trainer(CLASSES, start(jax.random.key(0)))
    made = trainer.run(scale=0.5, num_steps=20)
    params = start(jax.random.key(0))
    for number in range(20):
        grads = jax.grad(cross_entropy)(params, *trainer.batch(number))
        params = jax.tree.map(lambda w, g: w - 0.15 * g, params, grads)
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-6), made.params, params)
    np.testing.assert_allclose(made.losses[-1], cross_entropy(params, X, LABELS), rtol=1e-5)


def test_a_counter_among_the_params_is_no_number_to_fit():
    """A person's own state holds the number of the step: Adam moves what is real beside it."""
    given = lambda params, x: forward(params["net"], x)  # noqa: E731
    cost = lambda params, x, y: ((given(params, x) - y) ** 2).mean()  # noqa: E731
    counted = Problem(
        lambda key: {"net": start(key, num_outputs=1), "steps": jnp.int32(0)}, given, cost, (X, LINE),
        update=lambda params, x, y: {**params, "steps": params["steps"] + 1},
    )  # fmt: skip
    fitted = Fitter(counted, counted.init(jax.random.key(0))).fit()
    assert fitted.run.end < 0.1 * fitted.run.losses[0]
