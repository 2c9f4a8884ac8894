"""Heads and losses: what cannot fit the targets is named; what is odd but right is left alone."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnets.diagnose import Problem
from jaxnets.diagnose.probe import Probe
from jaxnets.diagnose.proof import losses_after
from jaxnets.diagnose.rules import rules

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(64, 3)).astype(np.float32)
MIX = GENERATOR.normal(size=(3, 4))
LABELS = (X @ MIX + 0.3 * GENERATOR.normal(size=(64, 4))).argmax(axis=1).astype(np.int32)
ONE_HOT = np.eye(4, dtype=np.float32)[LABELS]
VALUES = np.sin(X[:, :1]) + 0.5 * X[:, 1:2]
COUNTS = GENERATOR.poisson(np.exp(1 + VALUES)).astype(np.float32)
TIMES = np.concatenate([np.exp(VALUES), X[:, 2:] > 0], axis=1).astype(np.float32)
YES = (VALUES > 0).astype(np.float32)
FAMILIES = ("head", "targets", "loss", "first_loss", "batches")
RULES = {name: rule for name, rule in rules().items() if rule.__module__.split(".")[-1] in FAMILIES}


@pytest.fixture(autouse=True)
def as_people_write():
    with jax.numpy_rank_promotion("allow"):
        yield


def linear(z):
    return z


def softmax(z):
    return jax.nn.softmax(z, axis=-1)


def net(params, x):
    return jnp.tanh(x @ params[0] + params[1]) @ params[2] + params[3]


def problem(loss, targets, *, out=linear, predicted=None, **changes):
    """A network with one hidden layer, and ``out`` behind it, or ``predicted`` in the prediction only."""
    wide = 1 if targets.ndim == 2 and targets.shape[1] == 1 else changes.pop("num_outputs", 4)

    def init(key):
        first, second = jax.random.split(key)
        return [
            jax.random.normal(first, (3, 5)) / 2, jnp.zeros(5),
            jax.random.normal(second, (5, wide)) / 2, jnp.zeros(wide),
        ]  # fmt: skip

    return Problem(
        init, lambda w, x: (predicted or out)(net(w, x)), lambda w, x, y: loss(out(net(w, x)), y),
        (X, targets), **({"learning_rate": 0.5} | changes),
    )  # fmt: skip


def squared(o, y):
    return ((o - y) ** 2).mean()


def picked(z, y):
    return -jnp.take_along_axis(jax.nn.log_softmax(z), y[:, None], axis=1).mean()


def marked(mark):
    """Every fourth row has no label."""
    return np.where(np.arange(len(LABELS)) % 4 == 0, mark, LABELS).astype(np.int32)


def left_out(z, y):
    """The mean over rows that have a label."""
    has_label = (y >= 0) & (y < 4)
    each = optax.softmax_cross_entropy_with_integer_labels(z, jnp.where(has_label, y, 0))
    return (each * has_label).sum() / has_label.sum()


def crossed(p, y):
    return -(y * jnp.log(p + 1e-7)).sum(axis=-1).mean()


def binary(p, y):
    return -(y * jnp.log(p + 1e-7) + (1 - y) * jnp.log(1 - p + 1e-7)).mean()


def binary_of_logits(z, y):
    return optax.sigmoid_binary_cross_entropy(z, y).mean()


def pairs(temperature):
    """Each row's outputs are to be nearest to its own targets, among all."""

    def loss(z, y):
        scores = z[:, :3] @ y.T / temperature
        return optax.softmax_cross_entropy_with_integer_labels(scores, jnp.arange(len(z))).mean()

    return loss


def asked(one, seed=0):
    probe = Probe(one, jax.random.key(seed))
    found = [finding for rule in RULES.values() for finding in rule(probe)]
    return sorted((finding for finding in found if finding.severity != "note"), key=lambda one: one.severity)


FAULTS = {
    "sigmoid before 0..3": ("targets-outside-range", lambda: problem(
        squared, LABELS[:, None].astype(np.float32), out=jax.nn.sigmoid)),
    "relu before both signs": ("targets-outside-range", lambda: problem(squared, VALUES, out=jax.nn.relu)),
    "exponential before both signs": ("targets-outside-range", lambda: problem(
        squared, VALUES, out=jnp.exp)),
    "whole numbers beside values": ("integer-targets", lambda: problem(
        squared, np.concatenate([VALUES, np.round(3 * VALUES)], axis=1), num_outputs=2)),
    "classes as values": ("integer-targets", lambda: problem(squared, LABELS[:, None].astype(np.float32))),
    "difference of squares": ("loss-not-minimal-at-target", lambda: problem(
        lambda o, y: (0.5 * (y**2 - o**2)).mean(), YES, out=jax.nn.sigmoid)),
    "no square": ("loss-not-minimal-at-target", lambda: problem(lambda o, y: (o - y).mean(), VALUES)),
    "square of the mean": ("loss-not-minimal-at-target", lambda: problem(
        lambda o, y: (o - y).mean() ** 2, VALUES)),
    "broadcast": ("loss-not-minimal-at-target", lambda: problem(squared, VALUES[:, 0], num_outputs=1)),
    "likelihood": ("loss-sign", lambda: problem(lambda z, y: -picked(z, y), LABELS)),
    "likelihood of times and events": ("loss-sign", lambda: problem(
        lambda z, y: (y[:, 1:] * z - y[:, :1] * jnp.exp(z)).mean(), TIMES, num_outputs=1)),
    "exponential twice": ("loss-not-minimal-at-target", lambda: problem(
        lambda o, y: (jnp.exp(o) - y * o).mean(), COUNTS, out=jnp.exp)),
    "softmax twice": ("probabilities-as-logits", lambda: problem(picked, LABELS, out=softmax)),
    "sigmoid twice": ("probabilities-as-logits", lambda: problem(binary_of_logits, YES, out=jax.nn.sigmoid)),
    "softmax of one": ("single-output-softmax", lambda: problem(squared, YES, out=softmax)),
    "sigmoids and a class": ("independent-sigmoids", lambda: problem(crossed, ONE_HOT, out=jax.nn.sigmoid)),
    "softmax over the batch": ("batch-dependence", lambda: problem(
        crossed, ONE_HOT, out=lambda z: jax.nn.softmax(z, axis=0))),
    "softmax over the batch in the loss": ("batch-dependence", lambda: problem(
        lambda z, y: -(y * jax.nn.log_softmax(z, axis=0)).sum(axis=1).mean(), ONE_HOT)),
    "softmax over everything in the prediction": ("batch-dependence", lambda: problem(
        lambda z, y: -(y * jax.nn.log_softmax(z)).sum(axis=1).mean(), ONE_HOT,
        predicted=lambda z: jax.nn.softmax(z, axis=None))),
    "rows counted by hand": ("single-batch-mismatch", lambda: problem(
        squared, VALUES, predicted=lambda z: z * len(z))),
    "classes from 1": ("labels-out-of-range", lambda: problem(
        lambda z, y: crossed(softmax(z), jax.nn.one_hot(y, 4)), LABELS + 1)),
    "a mark that gathers the last class": ("labels-out-of-range", lambda: problem(picked, marked(-1))),
    "a fifth class, one-hot of four": ("labels-out-of-range", lambda: problem(
        lambda z, y: crossed(softmax(z), jax.nn.one_hot(y, 4)), marked(4))),
    "signs as probabilities": ("labels-out-of-range", lambda: problem(
        binary_of_logits, 2 * YES - 1, predicted=jax.nn.sigmoid)),
    "numbers against one-vs-rest": ("labels-out-of-range", lambda: problem(
        binary, LABELS[:, None].astype(np.float32), out=jax.nn.sigmoid).replace(
            init=lambda key: problem(binary, ONE_HOT).init(key))),
    "hinge of 0 and 1": ("labels-out-of-range", lambda: problem(
        lambda z, y: jnp.maximum(0, 1 - y * z).mean(), YES)),
    "half of a cross-entropy": ("loss-not-minimal-at-target", lambda: problem(
        lambda p, y: -(y * jnp.log(p + 1e-7)).mean(), YES, out=jax.nn.sigmoid)),
    "a row alone has no axis": ("single-batch-mismatch", lambda: problem(
        squared, VALUES[:, 0], out=jnp.squeeze, num_outputs=1)),
    "pairs at a low temperature": ("initial-loss-off", lambda: problem(pairs(1e-2), X)),
    "large weights": ("initial-loss-off", lambda: (lambda one: one.replace(
        init=lambda key: [30 * leaf for leaf in one.init(key)]))(problem(picked, LABELS))),
    "another network": ("predict-differs-from-loss", lambda: problem(squared, VALUES).replace(
        predict=lambda w, x: jax.nn.relu(x @ w[0] + w[1]) @ w[2] + w[3])),
}  # fmt: skip


def named(table, *slow):
    """All names of a table; some only before a release, since each compiles for half a second."""
    return [pytest.param(name, marks=[pytest.mark.release] * (name in slow)) for name in table]


@pytest.mark.parametrize(
    "fault",
    named(
        FAULTS,
        "relu before both signs",
        "classes as values",
        "no square",
        "softmax over the batch in the loss",
        "sigmoid twice",
        "numbers against one-vs-rest",
    ),
)
def test_what_is_wrong_comes_first(fault):
    rule, make = FAULTS[fault]
    found = asked(make())
    assert found[0].rule == rule
    assert found[0].evidence


HEALTHY = {
    "linear": lambda: problem(squared, VALUES),
    "values too small to be told apart": lambda: problem(squared, VALUES * np.float32(1e-25)),
    "rows left out": lambda: problem(left_out, marked(-1)),
    "rows left out by 255": lambda: problem(left_out, marked(255)),
    "values in the range of a tanh": lambda: problem(squared, np.tanh(VALUES), out=jnp.tanh),
    "classes": lambda: problem(picked, LABELS, predicted=softmax),
    "the class is predicted": lambda: problem(picked, LABELS, predicted=lambda z: z.argmax(axis=-1)),
    "probabilities": lambda: problem(crossed, ONE_HOT, out=softmax),
    "smooth labels": lambda: problem(lambda z, y: crossed(softmax(z), 0.9 * y + 0.025), ONE_HOT),
    "one against the rest": lambda: problem(binary, ONE_HOT, out=jax.nn.sigmoid),
    "sigmoids and squares": lambda: problem(squared, ONE_HOT, out=jax.nn.sigmoid),
    "several labels": lambda: problem(
        binary_of_logits, (X @ MIX > 0).astype(np.float32), predicted=jax.nn.sigmoid),
    "signs and margins": lambda: problem(
        lambda z, y: jnp.log1p(jnp.exp(-y * z)).mean(), 2 * YES - 1, predicted=jax.nn.sigmoid),
    "rare class, hinge": lambda: problem(
        lambda z, y: jnp.maximum(0, 1 - y * z).mean(), 2.0 * (VALUES > 1) - 1),
    "pairs": lambda: problem(pairs(1.0), X),
    "counts": lambda: problem(
        lambda z, y: (jnp.exp(z) - y * z).mean(), np.round(np.exp(1 + VALUES)), predicted=jnp.exp),
    "rates": lambda: problem(lambda o, y: (o - y * jnp.log(o)).mean(), COUNTS, out=jnp.exp),
    "logarithms of counts": lambda: problem(
        lambda o, y: jnp.square(o - jnp.log1p(y)).mean(), COUNTS, out=jax.nn.softplus),
    "times and events": lambda: problem(
        lambda z, y: (y[:, :1] * jnp.exp(z) - y[:, 1:] * z).mean(), TIMES, num_outputs=1),
    "a critic": lambda: problem(
        lambda z, y: (z * (1 - 2 * y[:, 1:])).mean(), TIMES, num_outputs=1),
    "two outputs for one value": lambda: problem(
        lambda z, y: (z[:, 1] + (y - z[:, 0]) ** 2 * jnp.exp(-2 * z[:, 1]) / 2).mean(), VALUES[:, 0],
        num_outputs=2),
    "two outputs for one count": lambda: problem(
        lambda z, y: (z[:, 1] + (y - z[:, 0]) ** 2 * jnp.exp(-2 * z[:, 1]) / 2).mean(),
        np.round(np.exp(1 + VALUES[:, 0])).astype(np.int32), num_outputs=2),
    "large values, absolute error": lambda: problem(lambda o, y: jnp.abs(o - y).mean(), 1e4 * VALUES),
    "root of the mean square": lambda: problem(lambda o, y: jnp.sqrt(squared(o, y)), VALUES),
    "batch statistics in training": lambda: problem(picked, LABELS).replace(
        loss=lambda w, x, y: picked(net(w, (x - x.mean(axis=0)) / x.std(axis=0)), y)),
    "dropout": lambda: problem(picked, LABELS).replace(loss=lambda w, x, y: picked(
        net(w, x * jax.random.bernoulli(jax.random.key(0), 0.5, x.shape)), y)),
}  # fmt: skip


@pytest.mark.parametrize(
    "name",
    named(
        HEALTHY,
        "linear",
        "values in the range of a tanh",
        "probabilities",
        "one against the rest",
        "signs and margins",
        "large values, absolute error",
        "root of the mean square",
        "smooth labels",
    ),
)
def test_what_is_right_is_left_alone(name):
    assert [finding.rule for finding in asked(HEALTHY[name]())] == []


@pytest.mark.parametrize(
    "fault",
    named(
        ["sigmoid before 0..3", "softmax twice", "sigmoids and a class"],
        "sigmoid before 0..3",
    ),
)
def test_another_head_brings_the_loss_down(fault):
    """Both are judged by the repaired problem's loss: two losses of two heads cannot be compared."""
    broken = FAULTS[fault][1]()
    repaired = asked(broken)[0].repaired
    ((start, end),) = losses_after([repaired], jax.random.key(0), [100])
    assert end < 0.7 * start


def test_an_equations_residual_is_of_the_network_that_predicts():
    """u' + u = f: the loss's last layer is that of the slope, and it has computed u before."""
    t = np.linspace(0, 2, 40, dtype=np.float32)[:, None]

    def solution(w, t):
        return t * (jnp.tanh(t @ w[0] + w[1]) @ w[2] + w[3])

    def residual(w, t, f):
        u, slope = jax.jvp(partial(solution, w), (t,), (jnp.ones_like(t),))
        return squared(slope + u, f)

    def init(key):
        first, second = (jax.random.normal(key, (1, 8)) for key in jax.random.split(key))
        return [first, jnp.zeros(8), second.T / 10, jnp.zeros(1)]

    assert asked(Problem(init, solution, residual, (t, np.cos(3 * t)))) == []
