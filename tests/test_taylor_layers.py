"""Learned coefficients: near Chebyshev's, which a linear program finds."""

import jax
import numpy as np
import pytest
from scipy.optimize import linprog

from experiments import taylor_layers as experiment
from experiments._run import Result
from jaxnets import train


def chebyshev(x, powers):
    """The least ``e`` with ``|sum_k c_k x^p_k - sin x| <= e`` at all ``x``."""
    basis, ones = (x[:, None] / np.pi) ** powers, np.ones((len(x), 1))
    bounds = np.concatenate([np.sin(x), -np.sin(x)])
    rows = np.block([[basis, -ones], [-basis, -ones]])
    return linprog([0] * len(powers) + [1], rows, bounds, bounds=(None, None)).fun


@pytest.mark.parametrize(("row", "factor"), [("sin_3_learned", 1.05), ("sin_3_minimax", 1.02)])
def test_learned_terms_are_nearly_the_best_there_are(row, factor):
    hparams, settings = experiment.variants()[row]
    dataset, learner = experiment.data(settings), experiment.learner(hparams, settings)
    fit = jax.jit(lambda rows: train.run(jax.random.key(0), learner, rows, num_steps=60).state)
    found = experiment.metrics(learner.predict(fit(dataset.train), dataset.test.inputs), dataset.test.targets)
    least = chebyshev(np.linspace(0, np.pi, 400), np.array([1, 3, 5]))
    assert least <= found["largest_error"] <= factor * least


def test_the_gain_is_the_ratio_of_the_largest_errors():
    rows = {"sin_3_coefficients": [0.5, 0.7], "sin_3_learned": [0.01, 0.02]}
    results = [
        Result(name, None, None, 1, None, [], {"test_largest_error": np.array(errors)}, np.zeros(2), 0.0)
        for name, errors in rows.items()
    ]
    assert experiment.checks(results, None)["gain_of_learning_3"] == pytest.approx(40)
