"""Diagnosis: the cause is named by what was measured, its remedy proved; what is healthy is left alone."""

import json
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnets import data, losses, models
from jaxnets.check import InputError
from jaxnets.diagnose import (
    Problem,
    Report,
    assert_batch_independent,
    assert_gradient,
    assert_not_symmetric,
    diagnose,
)
from jaxnets.diagnose.derivatives import differences
from jaxnets.diagnose.trace import Trace

KEY = jax.random.key(0)
GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(40, 6)).astype(np.float32)
Y = np.eye(4, dtype=np.float32)[GENERATOR.integers(0, 4, 40)]
L2 = 0.05


@pytest.fixture(autouse=True)
def as_people_write():
    with jax.numpy_rank_promotion("allow"):
        yield


def sigmoid(z):
    return 1 / (1 + jnp.exp(-z))


def init(key):
    first, second = jax.random.split(key)
    return {
        "w1": 0.5 * jax.random.normal(first, (6, 6)), "b1": jnp.zeros(6),
        "w2": 0.5 * jax.random.normal(second, (6, 4)), "b2": jnp.zeros(4),
    }  # fmt: skip


def predict(params, x):
    return sigmoid(sigmoid(x @ params["w1"] + params["b1"]) @ params["w2"] + params["b2"])


def loss(params, x, y):
    penalty = sum((params[name] ** 2).sum() for name in ("w1", "w2"))
    return ((predict(params, x) - y) ** 2).sum(axis=1).mean() / 2 + L2 * penalty


def by_hand(
    params, x, y, *, factor=1.0, leaves_out=None, doubles=None, at_value=False, penalty=1, transposes=False,
    swaps=False, numbers=len, back=jnp.transpose, input_back=jnp.transpose, extra=lambda outputs: 1,
):  # fmt: skip
    """The gradient of ``loss``, with mistakes."""
    hidden = sigmoid(x @ params["w1"] + params["b1"])
    outputs = sigmoid(hidden @ params["w2"] + params["b2"])
    powers = [0 if leaves_out == layer else 2 if doubles == layer else 1 for layer in (1, 2)]
    slope = lambda a: sigmoid(a) * (1 - sigmoid(a)) if at_value else a * (1 - a)  # noqa: E731
    delta = (outputs - y) / numbers(x) * slope(outputs) ** powers[1] * extra(outputs)
    before = delta @ back(params["w2"]) * slope(hidden) ** powers[0]
    decay = 2 * L2 * penalty
    found = {
        "w1": x.T @ before + decay * params["w1"], "b1": before.sum(axis=0),
        "w2": input_back(hidden) @ delta + decay * params["w2"], "b2": delta.sum(axis=0),
    }  # fmt: skip
    if transposes:
        found["w1"] = found["w1"].T
    if swaps:
        found["b1"] = found["b1"][::-1]
    return jax.tree.map(lambda leaf: factor * leaf, found)


OUTPUT, HIDDEN = (
    "the derivative of the function at the output",
    "the derivative of the activation before layer 2",
)


PENALTY = "a term of {:g} times the parameter (an L2 penalty) is missing"


@pytest.mark.parametrize(
    ("mistake", "leaves", "patterns"),
    [
        ({}, "", set()),
        ({"numbers": lambda x: 1}, "b1 b2 w1 w2",
         {"multiplied by the number of rows", "multiplied by the number of rows and " + PENALTY.format(3.9)}),
        ({"numbers": lambda x: len(X)}, "", set()),
        ({"factor": 0.5 / 4}, "b1 b2 w1 w2", "divided by 2 and the number of outputs"),
        ({"factor": 2.0}, "b1 b2 w1 w2", "multiplied by 2"),
        ({"factor": 0.25}, "b1 b2 w1 w2", "divided by the number of outputs"),
        ({"factor": -1.0}, "b1 b2 w1 w2", "with the wrong sign"),
        ({"factor": -1.7}, "b1 b2 w1 w2", "with the wrong sign, multiplied by 1.7"),
        ({"penalty": 0}, "w1 w2", PENALTY.format(0.1)),
        ({"penalty": 2}, "w1 w2", "a term of 0.1 times the parameter (an L2 penalty) is too much"),
        ({"transposes": True}, "w1", "transposed"),
        ({"leaves_out": 1}, "b1 w1", f"{HIDDEN} is missing"),
        ({"leaves_out": 2}, "b1 b2 w1 w2", f"{OUTPUT} is missing"),
        ({"doubles": 1}, "b1 w1", f"{HIDDEN} is there twice"),
        ({"doubles": 2}, "b1 b2 w1 w2", f"{OUTPUT} is there twice"),
        ({"at_value": True}, "b1 b2 w1 w2",
         {f"{OUTPUT} is taken at its value", "the derivative of every activation is taken at its value"}),
        ({"back": lambda w: w.reshape(w.T.shape)}, "b1 w1", "the weight of layer 2 is not transposed"),
        ({"input_back": lambda a: a.reshape(a.T.shape)}, "w2", "the input of layer 2 is not transposed"),
        ({"extra": lambda a: a * (1 - a)}, "b1 b2 w1 w2", f"{OUTPUT} is there twice"),
        ({"swaps": True}, "b1", ""),
    ],
)  # fmt: skip
def test_a_wrong_gradient_is_explained(mistake, leaves, patterns):
    problem = Problem(init, predict, loss, (X, Y), gradient=partial(by_hand, **mistake))
    found = differences(problem, KEY)
    assert " ".join(one.leaf[2:-2] for one in found) == leaves
    assert {one.pattern for one in found} == ({patterns} if isinstance(patterns, str) else patterns)


def test_what_is_multiplied_into_outputs_less_targets_and_time_are_explained():
    """The softmax's derivative multiplied into what has it; a loop through which nothing goes back."""
    entropy = lambda w, x, y: -(y * jax.nn.log_softmax(x @ w)).sum(axis=1).mean()  # noqa: E731
    delta = lambda p, y: (p - y) * p * (1 - p) / len(p)  # noqa: E731
    twice = lambda w, x, y: x.T @ delta(jax.nn.softmax(x @ w), y)  # noqa: E731
    start = lambda key: jax.random.normal(key, (6, 4))  # noqa: E731
    (found,) = differences(Problem(start, lambda w, x: x @ w, entropy, (X, Y), gradient=twice), KEY)
    assert found.pattern == "the softmax's derivative is multiplied into what has it already"

    def states(w, x):
        step = lambda h, now: (jnp.tanh(now[:, None] * w["in"] + h @ w["w"]),) * 2  # noqa: E731
        return jnp.stack([jnp.zeros((len(x), 3)), *jax.lax.scan(step, jnp.zeros((len(x), 3)), x.T)[1]])

    def one_step(w, x, y):
        h = states(w, x)
        delta = 2 * (h[-1] - y[:, :3]) / (3 * len(x)) * (1 - h[-1] ** 2)
        return {"in": x[:, -1] @ delta, "w": h[-2].T @ delta}

    recurrent = Problem(
        lambda key: {"in": jnp.ones(3), "w": 0.5 * jnp.eye(3)}, lambda w, x: states(w, x)[-1],
        lambda w, x, y: ((states(w, x)[-1] - y[:, :3]) ** 2).mean(), (X, Y), gradient=one_step,
    )  # fmt: skip
    assert [one.pattern for one in differences(recurrent, KEY)] == 2 * [
        "nothing goes back in time, from a step to the one before"
    ]


def test_corners_of_relu_are_no_mistakes():
    """Rows of zeros lie on the corner; there any slope between both sides is right."""
    x = np.concatenate([np.zeros((8, 3)), X[:8, :3]]).astype(np.float32)
    squared = lambda w, x, y: ((jnp.maximum(x @ w, 0).sum(axis=1) - y) ** 2).mean()  # noqa: E731
    hand = lambda w, x, y: (  # noqa: E731
        x.T @ (2 / len(x) * (jnp.maximum(x @ w, 0).sum(axis=1) - y)[:, None] * (x @ w >= 0))
    )
    problem = Problem(
        lambda key: jnp.ones((3, 2)), lambda w, x: x @ w, squared, (x, x.sum(axis=1)), gradient=hand
    )
    assert not differences(problem, KEY)


def test_the_first_step_of_a_network_and_its_functions_are_followed():
    """A flax module and a handwritten network have the same layers, slopes and all."""
    network = models.MLP((5,), 3, activation=nn.sigmoid)
    params = network.init(KEY, X)
    found = Trace(network.apply, params, X)
    weights = [params["params"][f"Dense_{number}"]["kernel"] for number in range(2)]
    hidden = sigmoid(X @ weights[0])
    np.testing.assert_allclose(found.layers[1].inputs, hidden, rtol=1e-5)
    np.testing.assert_allclose(found.layers[1].slope, hidden * (1 - hidden), rtol=1e-4)
    np.testing.assert_array_equal(found.layers[1].weight, weights[1])
    np.testing.assert_allclose(found.outputs[0], network.apply(params, X), rtol=1e-5)


def healthy(kind):
    if kind == "regression":
        line = lambda w, x: x @ w[0] + w[1]  # noqa: E731
        squared = lambda w, x, y: ((line(w, x) - y) ** 2).mean()  # noqa: E731
        start = lambda key: [jnp.zeros((6, 1)), jnp.zeros(1)]  # noqa: E731
        return Problem(start, line, squared, (X, X[:, :1] + 2), learning_rate=0.1)
    digits = data.load("digits", valid_fraction=0.2)
    network = models.MLP((32,), 10)
    cross_entropy = lambda w, x, y: losses.softmax_cross_entropy(network.apply(w, x), y)  # noqa: E731
    return Problem(
        lambda key: network.init(key, digits.train.inputs[:1]), network.apply, cross_entropy, digits,
        optimizer=optax.adam(1e-3), batch_size=32,
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["regression", "digits"])
def test_what_is_healthy_is_left_alone(kind):
    report = diagnose(healthy(kind), KEY)
    assert report.findings == ()
    assert report.skipped == {}
    assert report.exit_code == 0


def broken(kind):
    good = healthy("regression")
    labels = np.repeat(np.arange(4), 10)
    sorted_rows = healthy("digits")
    order = np.argsort(sorted_rows.data.targets)
    match kind:
        case "step-too-large":  # least squares by gradient descent, where the norm grows to 1e38
            x = np.array([[1, 1, 23], [1, 5, 29], [1, 7, 60], [1, 9, 85], [1, 11, 99]], np.float32)
            y = np.array([20, 40, 60, 80, 100], np.float32)
            squared = lambda w, x, y: ((x @ w - y) ** 2).mean()  # noqa: E731
            return Problem(lambda key: jnp.zeros(3), lambda w, x: x @ w, squared, (x, y), learning_rate=0.05)
        case "update-ascends":
            step = lambda w, x, y: jax.tree.map(lambda w, g: w + 0.1 * g, w, good.grad(w, x, y))  # noqa: E731
            return good.replace(update=step, learning_rate=None)
        case "frozen-parameters":
            step = lambda w, x, y: [w[0] - 0.1 * good.grad(w, x, y)[0], w[1]]  # noqa: E731
            return good.replace(update=step, learning_rate=None)
        case "non-finite-data":
            return good.replace(data=(np.where(np.arange(6) == 3, np.nan, X), X[:, :1]))
        case "inputs-constant":
            return good.replace(data=(np.ones_like(X), X[:, :1]))
        case "unshuffled-batches":
            return sorted_rows.replace(data=tuple(leaf[order] for leaf in sorted_rows.data))
        case "classes-missing-from-train":
            return good.replace(data=(X[:20], labels[:20]), test=(X, labels))
        case "leaking-split":
            return good.replace(test=(X[:10], good.data.targets[:10]))
        case "train-smaller-than-test":
            return good.replace(data=(X[:10], X[:10, :1]), test=(X[10:], X[10:, :1]))
        case "wrong-gradient":
            gradient = lambda w, x, y: jax.tree.map(lambda g: -g, good.grad(w, x, y))  # noqa: E731
            return good.replace(gradient=gradient)


RULES = [
    "step-too-large", "update-ascends", "frozen-parameters", "non-finite-data", "inputs-constant",
    "unshuffled-batches", "classes-missing-from-train", "leaking-split", "train-smaller-than-test",
    "wrong-gradient",
]  # fmt: skip


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_finds_its_fault(rule):
    report = diagnose(broken(rule), KEY, proves=rule in ("step-too-large", "wrong-gradient"))
    assert rule in {finding.rule for finding in report.findings}
    found = next(finding for finding in report.findings if finding.rule == rule)
    assert found.evidence
    assert report.exit_code == 1
    assert not [reason for reason in report.skipped.values() if "Error" in reason]  # no rule breaks down
    if found.proof:
        assert found.proof.helps
    assert json.loads(report.to_json())["findings"]
    assert rule not in {one.rule for one in diagnose(broken(rule), KEY, mute=[rule], proves=False).findings}


class Momentum:
    """Steps that remember in Python."""

    def __init__(self):
        self.speed = 0.0

    def __call__(self, w, x, y):
        self.speed = jax.tree.map(lambda g: 0.9 * self.speed + g, healthy("regression").grad(w, x, y)[0])
        return [w[0] - 0.1 * self.speed, w[1]]


class Decay:
    """A rate that falls from call to call."""

    def __init__(self):
        self.rate = 0.1

    def __call__(self, w, x, y):
        self.rate *= 0.9
        return jax.tree.map(lambda w, g: w - self.rate * g, w, healthy("regression").grad(w, x, y))


def noisy(w, x, y):
    """Dropout by NumPy, which jax draws once."""
    kept = np.random.default_rng().random(x.shape) > 0.5
    return ((x * kept @ w[0] + w[1] - y) ** 2).mean()


@pytest.mark.parametrize(
    ("change", "place", "words"),
    [
        ({"predict": lambda w, x: np.asarray(x @ w[0])}, "predict", "TracerArrayConversionError"),
        ({"loss": lambda w, x, y: (x @ w[0] - y) ** 2}, "loss", "needed is one number"),
        ({"predict": lambda w, x: x @ w}, "predict", "TypeError"),
        ({"init": lambda key: 1 / 0}, "init", "ZeroDivisionError"),
        ({"init": lambda key: [jnp.zeros((6, 1)), key]}, "init", "random key among the params"),
        (
            {"update": lambda w, x, y: w[:1], "learning_rate": None},
            "update",
            "allowed is what the params are",
        ),
        ({"optimizer": optax.masked(optax.sgd(0.1), [True]), "learning_rate": None}, "a step", "ValueError"),
        ({"init": lambda key: [jnp.ones((6, 1), complex), jnp.zeros(1)]}, "init", "complex params"),
        (
            {"predict": lambda w, x: (x @ w[0]).T},
            "predict",
            "shape (1, 4) for 4 rows, needed is one for each",
        ),
        ({"loss": lambda w, x, y: jnp.sum(x @ w[0] > y)}, "loss", "type int32: it has no slope"),
        ({"loss": lambda w, x, y: None}, "loss", "gives nothing"),
        ({"update": Momentum(), "learning_rate": None}, "update", "something else each time"),
        ({"update": Decay(), "learning_rate": None}, "update", "something else each time"),
        ({"loss": noisy}, "loss", "something else each time"),
    ],
)
def test_what_cannot_be_traced_is_said(change, place, words):
    (found,) = diagnose(healthy("regression").replace(**change), KEY).findings
    assert found.rule == "cannot-be-traced"
    assert found.evidence == {"function": place}
    assert words in found.message


def test_gradients_of_numpy_are_compared_and_those_that_are_not_finite_are_wrong():
    squared, w = healthy("regression").loss, [np.ones((6, 1), np.float32), np.zeros(1, np.float32)]

    def by_numpy(w, x, y, factor=2.0):
        off = np.dot(x, w[0]) + w[1] - y
        return [factor * np.dot(x.T, off) / len(x), factor * off.mean(axis=0)]

    assert_gradient(by_numpy, squared, w, X, X[:, :1], key=KEY)
    with pytest.raises(AssertionError, match="divided by 2"):
        assert_gradient(partial(by_numpy, factor=1.0), squared, w, X, X[:, :1], key=KEY)
    with pytest.raises(InputError, match=r"loss: gives an array of shape \(40, 1\), allowed is one number"):
        assert_gradient(by_numpy, lambda w, x, y: x @ w[0] + w[1] - y, w, X, X[:, :1], key=KEY)
    with pytest.raises(AssertionError, match="not finite"):
        assert_gradient(partial(by_numpy, factor=np.nan), squared, w, X, X[:, :1], key=KEY)


def test_units_are_symmetric_where_biases_and_ways_out_are_equal_too():
    net = lambda w, x: jnp.tanh(x @ w[0] + w[1]) @ w[2]  # noqa: E731
    apart, ways = jnp.arange(3.0), jnp.arange(3.0)[:, None]
    for biases, out in ((apart, jnp.ones((3, 1))), (jnp.zeros(3), ways)):
        assert_not_symmetric(net, [jnp.ones((6, 3)), biases, out], X)
    with pytest.raises(AssertionError, match="layer 1: 2 of 3 units differ"):
        assert_not_symmetric(net, [jnp.ones((6, 3)), jnp.zeros(3), jnp.array([[1.0], [1.0], [2.0]])], X)


def test_rows_are_independent_where_the_others_and_their_order_do_not_matter():
    assert_batch_independent(lambda w, x: (x > 0, {"sum": x.sum(axis=1)}), None, X)
    with pytest.raises(AssertionError, match="in the reverse order"):
        assert_batch_independent(lambda w, x: x + jnp.arange(len(x))[:, None] * (len(x) > 1), None, 0 * X)
    with pytest.raises(AssertionError, match=r"gives \(6, 40\) for 40 rows, needed is one for each"):
        assert_batch_independent(lambda w, x: x.T, None, X)


def test_a_gradient_of_another_shape_is_wrong():
    """A bias's gradient that was not summed over the rows."""
    by_row = lambda w, x, y: [2 * x.T @ (x @ w[0] + w[1] - y) / len(x), 2 * (x @ w[0] + w[1] - y)]  # noqa: E731
    (found,) = diagnose(healthy("regression").replace(gradient=by_row), KEY).findings
    assert found.rule == "wrong-gradient"
    assert found.message == "gradient[1]: shape (4, 1), allowed is (1,)"
    with pytest.raises(AssertionError, match=r"gradient\[1\]: shape \(31, 1\), allowed is \(1,\)"):
        assert_gradient(
            by_row, healthy("regression").loss, [jnp.zeros((6, 1)), jnp.zeros(1)], X, X[:, :1], key=KEY
        )


def test_what_is_broken_from_the_start_is_said():
    """NaN before the first step; all rows of one class; 16 bits, in which Adam's 1e-8 is 0."""
    nan = healthy("regression").replace(init=lambda key: [jnp.full((6, 1), jnp.nan), jnp.zeros(1)])
    assert diagnose(nan, KEY).findings[0].message == "the params are NaN or infinite before the first step"
    log = healthy("regression").replace(loss=lambda w, x, y: jnp.log(-1 - (x @ w[0] + w[1]).sum() ** 2))
    (found,) = diagnose(log, KEY).findings
    assert found.message == "the loss is NaN or infinite before the first step"
    digits = healthy("digits")
    one_class = digits.replace(data=(digits.data.inputs, np.zeros_like(digits.data.targets)))
    assert diagnose(one_class, KEY, proves=False).findings[0].rule == "classes-missing-from-train"
    half = lambda key: [jnp.zeros((6, 1), jnp.float16), jnp.zeros(1, jnp.float16)]  # noqa: E731
    assert diagnose(healthy("regression").replace(init=half), KEY).findings == ()


@pytest.mark.parametrize(
    ("change", "rules"),
    [
        ({"update": lambda w, x, y: w}, ["frozen-parameters"]),
        ({"learning_rate": 1e-8, "num_steps": 100}, ["step-too-small"]),
        ({"optimizer": optax.lbfgs(), "num_steps": 20}, []),
        ({"optimizer": optax.polyak_sgd(), "num_steps": 20}, []),
        ({"optimizer": optax.MultiSteps(optax.sgd(0.3), 2), "num_steps": 100}, []),
        ({"data": (np.where(np.arange(6) == 3, np.nan, X), X[:, :1])}, ["non-finite-data"]),
        ({}, []),
    ],
    ids=["no new params", "rounded off", "line search", "by the loss", "every other step", "nan", "no steps"],
)
def test_every_rule_can_be_asked(change, rules):
    """Steps that do nothing or ask for the loss, rows that are not finite, or no steps at all."""
    report = diagnose(healthy("regression").replace(**{"learning_rate": None} | change), KEY, proves=False)
    assert report.skipped == {}
    assert [one.rule for one in report.findings if one.severity == "error" or rules == ["step-too-small"]][
        :1
    ] == rules


def test_what_could_not_be_asked_is_printed():
    said = str(Report((), 1.0, {"plateau": "TypeError: no", "diverged": "TypeError: no"}))
    assert said.splitlines() == [
        "nothing found that keeps it from learning", "not asked: plateau, diverged, for TypeError: no"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"predict": 3}, "predict = 3"),
        ({"data": (X, X[:5])}, "allowed is one number of rows"),
        ({"data": X}, "allowed is a pair"),
        ({"data": (X.tolist(), X[:, :1])}, "single numbers, allowed are arrays"),
        ({"learning_rate": "0.1"}, "learning_rate = '0.1'"),
        ({"optimizer": 0.1, "learning_rate": None}, "optimizer = 0.1"),
        ({"batch_size": 0}, "batch_size = 0"),
        ({"output": "logit"}, "did you mean 'logits'"),
        ({"optimizer": optax.sgd(0.1)}, "optimizer and learning_rate"),
    ],
)
def test_what_is_no_problem_is_refused(change, message):
    with pytest.raises(InputError, match=message):
        healthy("regression").replace(**change)
    with pytest.raises(InputError, match="unknown rule"):
        diagnose(healthy("regression"), KEY, mute=["no-rule"])
