"""The perceptron: update by update against scikit-learn and NumPy, and Novikoff's bound on its mistakes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import Perceptron

from jaxnets import status, train
from jaxnets.check import InputError
from jaxnets.models.perceptron import one_vs_rest_rule, perceptron, rival_rule
from jaxnets.types import Batch

KEY = jax.random.key(0)
RULES = [rival_rule, one_vs_rest_rule]


@pytest.fixture(scope="module")
def digits():
    """Whole numbers, whose sums float32 holds exactly, so that no mistake depends on rounding."""
    inputs, labels = load_digits(return_X_y=True)
    return inputs.astype(np.float32), labels.astype(np.int32)


@pytest.mark.parametrize(
    ("rule", "num_classes"), [(rival_rule, 2), (one_vs_rest_rule, 2), (one_vs_rest_rule, 10)]
)
def test_equals_scikit_learn_update_by_update(digits, rule, num_classes):
    rows = digits[1] < num_classes
    inputs, labels = digits[0][rows][:400], digits[1][rows][:400]
    state = train.run(
        KEY, perceptron(num_classes=num_classes, rule=rule), (inputs, labels), num_steps=4
    ).state
    reference = Perceptron(shuffle=False, max_iter=4, tol=None).fit(inputs, labels)
    machines = slice(1, None) if num_classes == 2 else slice(None)
    np.testing.assert_array_equal(state.weights.coefficients.T[machines], reference.coef_)
    np.testing.assert_array_equal(state.weights.intercept[machines], reference.intercept_)


def numpy_perceptron(inputs, labels, num_classes, num_passes):
    """The rule with a rival, in plain loops; the last weights, their mean and the number of mistakes."""
    weights, trail, mistakes = np.zeros((inputs.shape[1] + 1, num_classes)), [], 0
    for x, label in list(zip(np.c_[inputs, np.ones(len(inputs))], labels, strict=True)) * num_passes:
        scores = x @ weights
        rival = max((j for j in range(num_classes) if j != label), key=lambda j: scores[j])
        if scores[label] <= scores[rival]:
            weights[:, label] += x
            weights[:, rival] -= x
            mistakes += 1
        trail.append(weights.copy())
    return weights, np.mean(trail, axis=0), mistakes


@pytest.mark.parametrize("averaged", [False, True])
def test_equals_a_plain_loop(digits, averaged):
    inputs, labels = digits[0][:100], digits[1][:100]
    model = perceptron(num_classes=10, averaged=averaged)
    run = train.run(KEY, model, (inputs, labels), num_steps=20, batch_size=10, sampling="sequential")
    last, mean, mistakes = numpy_perceptron(inputs, labels, 10, 2)
    expected = mean if averaged else last
    np.testing.assert_allclose(run.state.readout.coefficients, expected[:-1], rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(run.state.readout.intercept, expected[-1], rtol=1e-4, atol=1e-3)
    assert run.state.mistakes == mistakes
    assert run.history["loss"][0] == pytest.approx(mistakes / 200)


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.release) for seed in (1, 2, 3))])
@pytest.mark.parametrize("rule", RULES)
def test_mistakes_stay_within_novikoffs_bound(seed, rule):
    draw = np.random.default_rng(seed)
    truth = draw.normal(size=4)
    truth /= np.linalg.norm(truth)
    rows = np.c_[draw.normal(size=(80, 3)), np.ones(80)]
    rows = rows[np.abs(rows @ truth) > 0.1]
    bound = ((rows**2).sum(1).max()) / np.abs(rows @ truth).min() ** 2
    data = (rows[:, :3].astype(np.float32), (rows @ truth > 0).astype(np.int32))
    model = perceptron(num_classes=2, rule=rule)
    run = train.run(KEY, model, data, num_steps=400, evaluate_every=40)
    assert 0 < run.state.mistakes <= bound
    assert run.status.code == status.CONVERGED
    np.testing.assert_array_equal(model.predict(run.state, data[0]).argmax(1), data[1])


@pytest.mark.parametrize("rule", RULES)
def test_accuracy_is_within_a_point_of_scikit_learns(digits, rule):
    """Means over five orders of the rows: the last weights alone scatter by a point, their means hardly."""
    (inputs, labels), test = digits, slice(1200, None)
    rows = (inputs[:1200], labels[:1200])
    reference = [Perceptron(random_state=s).fit(*rows).score(inputs[test], labels[test]) for s in range(5)]
    model = perceptron(num_classes=10, averaged=True, rule=rule)

    def accuracy(key):
        state = train.run(key, model, rows, num_steps=240, batch_size=100).state
        return (model.predict(state, inputs[test]).argmax(1) == labels[test]).mean()

    assert jax.vmap(accuracy)(jax.random.split(KEY, 5)).mean() >= np.mean(reference) - 0.01


def test_the_learning_rate_only_scales_the_scores(digits):
    rows = (digits[0][:60].reshape(-1, 8, 8, 1), digits[1][:60])

    def scores(rate):
        model = perceptron(num_classes=10, learning_rate=rate)
        return model.predict(train.run(KEY, model, rows, num_steps=2).state, rows[0])

    half, double = jax.vmap(scores)(jnp.array([0.5, 2.0]))
    assert jnp.abs(half).max() > 0
    np.testing.assert_array_equal(4 * half, double)


def test_a_run_ends_once_2n_minus_1_rows_went_by_without_a_mistake():
    rows = (np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32), np.array([0, 0, 0, 1]))
    run = train.run(KEY, perceptron(num_classes=2), rows, num_steps=100, batch_size=1, evaluate_every=1)
    last = 1 + int(np.flatnonzero(np.nan_to_num(run.history["mistakes"]))[-1])
    assert run.status.code == status.CONVERGED
    assert run.status.step == run.state.rows_seen == last + 2 * 4 - 1


@pytest.mark.parametrize("wrong", [{"learning_rate": 0.0}, {"num_classes": 1}])
def test_refuses_values_out_of_range(wrong):
    with pytest.raises(InputError, match=f"{next(iter(wrong))} = .*, allowed"):
        perceptron(**{"num_classes": 2} | wrong)


def test_refuses_labels_that_are_no_class(digits):
    with pytest.raises(InputError, match="label 2, allowed are 0 to 1"):
        perceptron(num_classes=2).init(KEY, Batch(*digits))
