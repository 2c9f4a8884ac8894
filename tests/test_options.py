"""Options given on the command line: a row stays what it is named for, or the option is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import __main__ as command
from experiments import (
    _contract,
    autoencoder,
    basis_regression,
    linear_classifier,
    one_class,
    periodic_regression,
    separating_line,
)
from experiments._run import Refusal, Result, train_row
from jaxnets import losses
from jaxnets.check import InputError
from jaxnets.learner import Learner

KEY = jax.random.key(0)
REFUSED = [
    ("heart_disease --widths 13", "--widths"),
    ("separating_line --l1 5", "--l1"),
    ("separating_line --l2 0", "--l2"),
    ("separating_line --strength 0", "strength = 0.0, allowed is (0, inf)"),
    ("linear_classifier --is-weak", "--is-weak"),
    ("autoencoder --noise 0", "noise = 0.0, allowed is (0, inf)"),
    ("one_class --descriptiveness 0", "descriptiveness = 0.0, allowed is (0, inf)"),
    ("one_class --compactness 0", "compactness = 0.0, allowed is (0, inf)"),
    ("one_class --aims compactness", "--aims"),
    ("discriminants --dataset wine", "--dataset"),
    ("coursera_digits --num-steps 50", "--num-steps"),
    ("kernel_machines --num-steps 0", "num_steps = 0, allowed is [1, "),
    ("kernel_machines --noise 1e30", "noise = 1e+30, allowed is [0, 10]"),
    ("basis_regression --num-steps 0", "--num-steps"),
    (
        "basis_regression --rows linear --low 10 --high 1",
        "lowest penalty 10: it must lie below the highest, 1",
    ),
    (
        "basis_regression --rows polynomial --num-functions 100 --num-train 30",
        "num_functions = 100: a row lies at 3.76, where the training rows are in [0, 1], "
        "allowed are powers up to 20",
    ),
]


@pytest.mark.parametrize(("words", "message"), REFUSED, ids=[words for words, _ in REFUSED])
def test_refused_in_one_line(words, message, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert command.main(words.split()) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: ")
    assert message in error


def rows_with(words):
    """The table's rows with the options of a command line."""
    name, *options = words.split()
    _, rows = command._parse(_contract.load(name), options)
    return rows


def test_penalties_keep_their_ratios_whatever_the_strength(monkeypatch):
    kept = []
    monkeypatch.setattr(
        separating_line.models, "logistic_regression", lambda l2, l1, **_: kept.append((l2, l1))
    )
    for words in ("separating_line", "separating_line --strength 10"):
        for hparams, settings in rows_with(words).values():
            separating_line.learner(hparams, settings)
    before, after = np.split(np.array(kept), 2)
    np.testing.assert_allclose(before, [[1e-3, 0], [1, 0], [0, 1], [1, 1], [0, 250]])
    np.testing.assert_allclose(after, 10 * before)


def test_scikit_learn_has_the_same_strength():
    dataset = separating_line.data(separating_line.Settings(num_examples=100))
    one = separating_line._by_scikit_learn(separating_line.Hparams(3.0, 6.0, 1.0), dataset.train)
    other = separating_line._by_scikit_learn(separating_line.Hparams(1.0, 2.0, 3.0), dataset.train)
    np.testing.assert_allclose(one, other, rtol=1e-6)


def test_weak_rows_stay_weak(monkeypatch):
    rows, penalties = rows_with("linear_classifier --l2 10"), []
    monkeypatch.setattr(
        linear_classifier, "gradient", lambda *_, penalty: penalties.append(penalty) or Learner(*3 * [None])
    )
    params = {"Dense_0": {"kernel": jnp.full((2, 1), 3.0), "bias": jnp.ones(1)}}
    for name, l2 in (("sigmoid", 10.0), ("softmax", 20.0), ("sigmoid_weak", 1e-6), ("softmax_weak", 2e-6)):
        linear_classifier.learner(*rows[name])
        np.testing.assert_allclose(penalties[-1](params), l2 * 9, rtol=1e-6)


def test_noise_is_the_denoising_rows_alone():
    rows = rows_with("autoencoder --noise 2")
    settings = {"widths": (4,), "num_steps": 2}
    noises = {
        name: autoencoder.network(hparams, row._replace(**settings)).noise
        for name, (hparams, row) in rows.items()
        if name in ("autoencoder", "denoising")
    }
    assert noises == {"autoencoder": 0.0, "denoising": 2.0}


@pytest.mark.parametrize(
    ("row", "weights"),
    [("cnn", (2, 3)), ("cnn_descriptiveness_alone", (0, 3)), ("cnn_compactness_alone", (2, 0))],
)
def test_one_aim_alone_stays_alone(row, weights, monkeypatch):
    hparams, settings = rows_with("one_class --compactness 2 --descriptiveness 3")[row]
    losses_seen = []
    monkeypatch.setattr(one_class, "gradient", lambda model, loss, rule: losses_seen.append(loss))
    one_class.learner(hparams, settings)
    features, logits, labels = jnp.eye(3), jnp.array([[1.0, 2.0, 0.0, 0.0]]), jnp.array([3])
    parts = losses.compactness(features), losses.softmax_cross_entropy(logits, labels)
    expected = sum(weight * part for weight, part in zip(weights, parts, strict=True))
    np.testing.assert_allclose(losses_seen[0]((features, logits), labels), expected, rtol=1e-6)


def test_the_original_stays_the_original():
    rows = rows_with("periodic_regression --widths 3 3 --steepness 5")
    widths = {"original_4_pi": [10, 1], "tanh_4_pi": [3, 3, 1]}
    for name, expected in widths.items():
        hparams, settings = rows[name]
        model, rows_of = periodic_regression.learner(hparams, settings), periodic_regression.data(settings)
        state = model.init(KEY, rows_of.train)
        layers = state.params["MLP_0"]
        assert [layers[layer]["kernel"].shape[1] for layer in sorted(layers)] == expected


def test_another_draw_of_the_problem_is_another():
    settings = (rows_with(f"learning_rate_rules --draw {seed}")["sparse_sgd"][1] for seed in (0, 1))
    one, other = map(_contract.load("learning_rate_rules").data, settings)
    assert not np.array_equal(one.test.targets["values"], other.test.targets["values"])
    assert not np.array_equal(one.train.inputs, other.train.inputs)


def test_penalties_in_order_may_be_traced():
    settings = basis_regression.Settings("linear", num_train=30, num_alphas=3)
    rows = basis_regression.data(settings).train

    def penalties(low):
        model = basis_regression.learner(basis_regression.Hparams(low=low), settings)
        return model.step(KEY, (), rows)[0].alphas

    np.testing.assert_allclose(jax.jit(penalties)(0.1), [0.1, 10, 1000], rtol=1e-5)
    with pytest.raises(InputError, match="lowest penalty 1000: it must lie below the highest, 1000"):
        penalties(1e3)


def trained(name, *rows, **changes):
    experiment = _contract.load(name)
    results = []
    for row in rows:
        hparams, settings = experiment.variants()[row]
        settings = settings._replace(**experiment.small | changes)
        results.append(train_row(experiment, row, hparams, settings, seeds=2, report=lambda *news: None))
        assert not isinstance(results[-1], Refusal), results[-1]
    return experiment, results


def test_mistakes_stay_where_a_seed_has_ended():
    """Means of all seeds, to the end: a sum never falls, and nothing is said of early ends."""
    sizes = {"num_steps": 1000, "evaluate_every": 20}
    experiment, results = trained("perceptron", "separable", **sizes)
    assert results[0].statuses == ["converged"] * 2
    assert len(set(map(len, results[0].histories("step")))) == 2
    (axes,) = experiment.figures(results, experiment.data(results[0].settings))["mistakes"].axes
    line = next(line for line in axes.lines if line.get_label() == "separable")
    assert (np.diff(line.get_ydata()) >= 0).all()
    assert line.get_ydata()[-1] == pytest.approx(results[0].metrics["mistakes"].mean())


@pytest.mark.parametrize("rows", [("separable",), ("overlapping", "averaged")])
def test_a_perceptron_that_sees_no_row_is_drawn(rows):
    experiment, results = trained("perceptron", *rows, num_steps=0)
    pictures = experiment.figures(results, experiment.data(results[0].settings))
    assert "mistakes" in pictures
    for picture in pictures.values():
        picture.canvas.draw()


@pytest.mark.parametrize("name", ["small_digits", "nielsen_digits", "two_layer_net"])
def test_a_batch_larger_than_the_rows_is_one_epoch(name):
    experiment = _contract.load(name)
    row, (hparams, settings) = next(iter(experiment.variants().items()))
    settings = settings._replace(dataset="iris", num_steps=3, batch_size=1000)
    result = train_row(experiment, row, hparams, settings, seeds=1, report=lambda *news: None)
    assert isinstance(result, Result)
    pictures = experiment.figures([result], experiment.data(settings))
    (axes,) = pictures.get("epochs", pictures.get("cost", pictures.get("accuracy"))).axes
    assert axes.lines[0].get_xdata().tolist() == [1, 2, 3]
