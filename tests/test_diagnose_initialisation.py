"""What units are before the first step, what layers can compute, and how the gradient gets through them."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnets.diagnose import Problem
from jaxnets.diagnose.flow import follower
from jaxnets.diagnose.probe import Probe
from jaxnets.diagnose.rules import architecture, flow, gradient, initialisation

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(64, 6)).astype(np.float32)
Y = np.stack([X[:, 0] * X[:, 1], X[:, 2]], axis=1)
SEQUENCES = GENERATOR.normal(size=(32, 24, 2)).astype(np.float32)
SUMS = SEQUENCES.sum(axis=1)[:, :1]
MANY = np.random.default_rng(1).normal(size=(128, 24, 2)).astype(np.float32)
COUNTS = np.random.default_rng(2).poisson(np.exp(2 + 0.4 * X[:, :1])).astype(np.float32)
LINES = GENERATOR.normal(size=(96, 6, 1)).astype(np.float32)


@pytest.fixture(autouse=True)
def as_people_write():
    with jax.numpy_rank_promotion("allow"):
        yield


def start(key, sizes, scale, bias):
    keys = jax.random.split(key, len(sizes) - 1)
    pairs = zip(keys, sizes, sizes[1:], strict=False)
    scales = [1 / size**0.5 if scale is None else scale for size in sizes]
    return [
        {"w": size * jax.random.normal(key, (n, k)), "b": jnp.full(k, bias)}
        for (key, n, k), size in zip(pairs, scales, strict=False)
    ]


def forward(params, x, act):
    for layer in params[:-1]:
        x = act(x @ layer["w"] + layer["b"])
    return x @ params[-1]["w"] + params[-1]["b"]


def network(sizes=(6, 16, 16, 2), act=jax.nn.relu, *, scale=None, bias=0.0, data=(X, Y), **changes):
    predict = changes.pop("predict", partial(forward, act=act))
    squared = lambda params, x, y: ((predict(params, x) - y) ** 2).mean()  # noqa: E731
    init = changes.pop("init", partial(start, sizes=sizes, scale=scale, bias=bias))
    return Problem(init, predict, squared, data, **changes)


def found(rule, problem, seed=0):
    return [*rule(Probe(problem, jax.random.key(seed)))]


def apart(params, x):
    """The distance of a row's two halves in one hidden space, in which the last bias cancels."""
    one, other = (forward(params, half, jnp.tanh) for half in (x[:, :3], x[:, 3:]))
    return ((one - other) ** 2).sum(axis=1, keepdims=True) - jnp.ones((1, 2))


def zero_head(key):
    params = start(key, (6, 16, 2), None, 0.0)
    return [params[0], jax.tree.map(jnp.zeros_like, params[1])]


def zero_layers(key):
    """The second of three, and the last."""
    first, second, last = start(key, (6, 16, 16, 2), None, 0.0)
    return [first, jax.tree.map(jnp.zeros_like, second), jax.tree.map(jnp.zeros_like, last)]


def residual(params, x):
    hidden = jnp.tanh(x @ params[0]["w"] + params[0]["b"])
    return (hidden + jnp.tanh(hidden @ params[1]["w"] + params[1]["b"])) @ params[2]["w"] + params[2]["b"]


def column_sums(params, x):
    """Batch norm of the sums of the columns, not of the activations."""
    sums = (x @ params[0]["w"]).sum(axis=0)
    normalised = (sums - sums.mean()) / sums.std() * jnp.ones((len(x), 1))
    return jax.nn.relu(normalised) @ params[1]["w"] + params[1]["b"]


def normalised_alone(params, x):
    """A normalisation over the only unit there is."""
    units = x @ params[0]["w"]
    return (units - units.mean(axis=1, keepdims=True)) @ params[1]["w"] + params[1]["b"]


def rate(params, x):
    return jnp.exp(x @ params[0]["w"])


def poisson(params, x, y):
    logits = x @ params[0]["w"]
    return (jnp.exp(logits) - y * logits).mean()


def gate(bias):
    """A layer's units, let through by another's sigmoid."""
    opened = lambda w, x: jax.nn.sigmoid(x @ w[1]["w"] + bias)  # noqa: E731
    let_through = lambda w, x: (jnp.tanh(x @ w[0]["w"]) * opened(w, x)) @ w[2]["w"]  # noqa: E731

    def init(key):
        first, second = jax.random.split(key)
        value, head = start(first, (6, 16, 2), None, 0.0)
        return [value, start(second, (6, 16), None, 0.0)[0], head]

    return network(init=init, predict=let_through)


def one_key(key, num):
    return jnp.stack([key] * num)


def gated(keys):
    """Four linear experts, each drawn from its key, behind a gate of zeros."""

    def init(key):
        return {
            "w": jax.vmap(lambda one: jax.random.normal(one, (6, 2)))(keys(key, 4)),
            "gate": jnp.zeros((6, 4)),
        }

    def predict(params, x):
        gate = jax.nn.softmax(x @ params["gate"])
        return (gate[:, :, None] * jnp.einsum("ni,eio->neo", x, params["w"])).sum(axis=1)

    return network(init=init, predict=predict, learning_rate=0.1, num_steps=50)


def both_heads(keys):
    """Two networks in separate leaves, whose mean is trained."""

    def init(key):
        return [start(one, (6, 8, 2), None, 0.0) for one in keys(key, 2)]

    return network(
        init=init, learning_rate=0.1, num_steps=50,
        predict=lambda params, x: sum(forward(one, x, jnp.tanh) for one in params) / 2,
    )  # fmt: skip


def components(apart):
    """Three lines, each row near one of them; the likelihood of all, from one place or from three."""
    x = np.linspace(-1, 1, 120, dtype=np.float32)
    y = np.stack([2 + x, -2 + x, 0 * x])[np.arange(120) % 3, np.arange(120)]
    begin = jnp.array([1.0, -1.0, 0.1]) if apart else jnp.full(3, 0.1)

    def loss(params, x, y):
        each = -0.5 * ((y - params["at"] - params["slope"] * x) / jnp.exp(params["log"])) ** 2 - params["log"]
        return -jax.nn.logsumexp(each, axis=1).mean()

    return Problem(
        lambda key: {"at": begin, "slope": jnp.zeros(3), "log": jnp.zeros(3)},
        lambda params, x: (params["at"] + params["slope"] * x).mean(axis=1, keepdims=True), loss,
        (x[:, None], y[:, None]), optimizer=optax.adam(0.05), num_steps=200,
    )  # fmt: skip


def threshold(above):
    """A step whose place is a param."""
    return network(
        init=lambda key: {"t": jnp.zeros(1), "height": jnp.ones(1)},
        predict=lambda p, x: p["height"] * above(x[:, :1] - p["t"]),
        data=(X, (X[:, :1] > 0.4).astype(np.float32)), learning_rate=0.1, num_steps=50,
    )  # fmt: skip


def filtered(activation, targets):
    """A recurrence whose state is a sum, or a function of it, with a layer behind it."""

    def init(key):
        first, second = jax.random.split(key)
        return {
            "in": jax.random.normal(first, (1, 8)), "out": jnp.ones((8, 1)) / 8,
            "again": 0.9 * jnp.linalg.qr(jax.random.normal(second, (8, 8)))[0],
        }  # fmt: skip

    def predict(params, x):
        def step(h, now):
            return activation(now @ params["in"] + h @ params["again"]), None

        h = jax.lax.scan(step, jnp.zeros((len(x), 8)), jnp.swapaxes(x, 0, 1))[0]
        return h @ params["out"]

    return network(init=init, predict=predict, data=(LINES, targets))


def recurrent(scale, data=(SEQUENCES, SUMS - SUMS.mean())):
    def init(key):
        first, second = jax.random.split(key)
        return {
            "in": 0.5 * jax.random.normal(first, (2, 8)), "out": jnp.ones((8, 1)) / 8,
            "again": scale * jnp.linalg.qr(jax.random.normal(second, (8, 8)))[0],
        }  # fmt: skip

    def predict(params, x):
        def step(h, now):
            return jnp.tanh(0.1 * now @ params["in"] + h @ params["again"]), None

        h = jax.lax.scan(step, jnp.zeros((len(x), 8)), jnp.swapaxes(x, 0, 1))[0]
        return h @ params["out"]

    return network(init=init, predict=predict, data=data)


FAULTS = {
    "saturated": (initialisation.saturated_units, network((6, 16, 2), jnp.tanh, scale=20.0)),
    "dead": (initialisation.dead_units, network(bias=-20.0)),
    "zeros": (initialisation.symmetric_init, network(act=jnp.tanh, scale=0.0)),
    "experts of one key": (initialisation.symmetric_init, gated(one_key)),
    "heads of one key": (initialisation.symmetric_init, both_heads(one_key)),
    "components of one place": (initialisation.symmetric_init, components(apart=False)),
    "compares": (gradient.frozen_parameters, threshold(lambda d: (d > 0).astype(jnp.float32))),
    "linear filter": (architecture.linear_network, filtered(lambda z: z, LINES[:, 0] * LINES[:, 1])),
    "column sums": (initialisation.identical_units, network((6, 16, 2), predict=column_sums)),
    "a norm of one unit": (initialisation.identical_units, network((6, 1, 2), predict=normalised_alone)),
    "linear": (architecture.linear_network, network(act=lambda z: z)),
    "linear about a narrow layer": (
        architecture.linear_network, network((6, 16, 2, 6), lambda z: z, data=(X, X))),
    "counts without a constant": (
        architecture.missing_bias,
        network((6, 1), data=(X, COUNTS), predict=rate).replace(loss=poisson),
    ),
    "sigmoids": (flow.vanishing_gradient, network((6, *[16] * 6, 2), jax.nn.sigmoid)),
    "small weights": (flow.vanishing_gradient, network((6, *[16] * 5, 2), jnp.tanh, scale=0.01)),
    "large weights": (flow.exploding_gradient, network((6, *[32] * 4, 2), scale=1.0)),
    "forgets": (flow.vanishing_gradient, recurrent(0.1)),
    "forgets what is asked": (flow.vanishing_gradient, recurrent(0.4, (MANY, MANY[:, 0, :1]))),
    "rounds": (gradient.frozen_parameters, network((6, 16, 2), lambda z: jnp.round(jax.nn.relu(z)))),
    "shut gate": (initialisation.saturated_units, gate(-15.0)),
    "intercept": (
        architecture.missing_bias,
        network((6, 2), predict=lambda w, x: x @ w[0]["w"], data=(X, Y + 5)),
    ),
}  # fmt: skip
HEALTHY = {
    "relu": network(learning_rate=0.1),
    "zero head": network((6, 16, 2), jnp.tanh, init=zero_head, learning_rate=0.1),
    "three sigmoids": network((6, 16, 16, 16, 2), jax.nn.sigmoid, learning_rate=0.1),
    "two layers of zeros, warmed up": network(
        (6, 16, 16, 2),
        predict=residual,
        init=zero_layers,
        optimizer=optax.adam(optax.linear_schedule(0.0, 0.01, 10)),
    ),
    "linear, of zeros": network((6, 2), scale=0.0, learning_rate=0.1),
    "autoencoder": network((6, 2, 6), lambda z: z, data=(X, X), learning_rate=0.1),
    "no bias needed": network((6, 2), predict=lambda w, x: x @ w[0]["w"], learning_rate=0.1),
    "a bias that cancels": network((3, 16, 2), predict=apart, learning_rate=0.01),
    "remembers": recurrent(0.9),
    "is asked for the last": recurrent(0.4, (MANY, MANY[:, -1, :1])),
    "half open gate": gate(-1.0),
    "experts": gated(jax.random.split),
    "heads": both_heads(jax.random.split),
    "components apart": components(apart=True),
    "smooth threshold": threshold(lambda d: jax.nn.sigmoid(5 * d)),
    "a filter is asked for": filtered(lambda z: z, LINES[:, 0] - LINES[:, 2]),
    "state by tanh": filtered(jnp.tanh, LINES[:, 0] * LINES[:, 1]),
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_found(name):
    rule, problem = FAULTS[name]
    (finding,) = found(rule, problem)
    assert finding.rule == rule.__name__.replace("_", "-")
    assert finding.severity != "note"
    assert finding.evidence


SLOW = {
    "heads",
    "smooth threshold",
    "state by tanh",
    "is asked for the last",
    "experts",
    "half open gate",
    "remembers",
    "a filter is asked for",
}
"""Each compiles for a second or two."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.release] * (name in SLOW)) for name in HEALTHY]
)
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.release)])
def test_near_misses_are_left_alone(name, seed):
    rules = {rule for rule, _ in FAULTS.values()}
    probe = Probe(HEALTHY[name], jax.random.key(seed))
    assert [finding for rule in rules for finding in rule(probe)] == []


@pytest.mark.parametrize(
    "name",
    ["zeros", *(pytest.param(name, marks=pytest.mark.release) for name in ("saturated", "small weights"))],
)
def test_weights_that_are_drawn_anew_are_no_fault(name):
    """The remedy is looked at by the rule that asked for it."""
    rule, problem = FAULTS[name]
    (finding,) = found(rule, problem)
    assert found(rule, finding.repaired, seed=1) == []


def test_rows_that_fade_with_depth_are_those_of_a_vanishing_gradient():
    probe = Probe(network((6, *[16] * 10, 2), jax.nn.sigmoid), jax.random.key(0))
    last = probe.flow.layers[-1].activations
    assert np.ptp(last, axis=0).max() < 1e-5 * np.abs(last).max()
    assert [*initialisation.identical_units(probe)] == []
    assert [one.rule for one in flow.vanishing_gradient(probe)] == ["vanishing-gradient"]


def test_gradients_by_layer_are_those_of_the_backward_pass():
    """By the equations of backpropagation, for a network of one hidden layer."""
    problem = network((6, 5, 2), jnp.tanh)
    params = problem.init(jax.random.key(0))
    seen = follower(problem.loss, params, X, Y)(params)
    hidden = np.tanh(X @ params[0]["w"])
    last = 2 * (hidden @ params[1]["w"] - Y) / Y.size
    np.testing.assert_allclose(seen.deltas[1], last, rtol=1e-4, atol=1e-7)
    first = last @ np.asarray(params[1]["w"]).T * (1 - hidden**2)
    np.testing.assert_allclose(seen.deltas[0], first, rtol=1e-4, atol=1e-7)
    assert seen.feeding == [0]
    assert seen.biased == {0: {0}, 1: {2}}  # leaves in the order of their names: b, w, b, w


def test_gradients_through_time_are_those_by_the_inputs():
    """What goes into the loop are the inputs themselves, time first."""
    problem = recurrent(0.5)
    params = problem.init(jax.random.key(0))
    (lengths,) = follower(problem.loss, params, SEQUENCES, problem.data.targets)(params).times
    by_inputs = np.asarray(jax.grad(problem.loss, 1)(params, SEQUENCES, problem.data.targets), np.float64)
    np.testing.assert_allclose(lengths, np.sqrt(np.square(by_inputs).sum(axis=(0, 2))), rtol=1e-3)
    assert lengths[0] < 1e-4 * lengths[-1]
