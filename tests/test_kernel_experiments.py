"""What the experiments with closed forms add to their models: references, redraws, the grid."""

import jax
import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from sklearn.svm import SVC

from experiments import basis_regression, discriminants, kernel_machines
from jaxnets import kernels
from jaxnets.check import InputError
from jaxnets.metrics import accuracy
from jaxnets.types import Batch

KEY = jax.random.key(0)
SMALL = kernel_machines.Settings(**kernel_machines.SMALL)


def test_monomials_are_the_kernels_features():
    x = np.random.default_rng(0).normal(size=(5, 2))
    with jax.enable_x64(True):
        features = kernel_machines.monomials(x)
        np.testing.assert_allclose(features @ features.T, kernels.polynomial(degree=2)(x, x), rtol=1e-12)


def test_every_cell_of_the_grid_is_scikit_learns_machine():
    found, dataset = kernel_machines.grid(SMALL), kernel_machines.data(SMALL)
    assert abs(found.gap).max() <= 1e-3
    for i, C in enumerate(found.values):
        for j, gamma in enumerate(found.values):
            peer = SVC(C=C, gamma=gamma, tol=1e-5).fit(*dataset.train)
            np.testing.assert_array_equal(found.classes[i, j], peer.predict(dataset.valid.inputs))
            assert abs(found.support_vectors[i, j] - len(peer.support_)) <= 1


def test_the_primal_descends_to_the_dual():
    settings = SMALL._replace(num_examples=80)
    rows = kernel_machines.data(settings).train
    dual = kernel_machines.learner(kernel_machines.Hparams(), settings._replace(model="dual"))
    primal = kernel_machines.learner(
        kernel_machines.Hparams(), settings._replace(model="primal", num_steps=1500)
    )

    def descend(state, _):
        return primal.step(KEY, state, rows)

    _, history = jax.jit(lambda state: jax.lax.scan(descend, state, length=1500))(primal.init(KEY, rows))
    _, found = jax.jit(dual.step)(KEY, (), rows)
    objectives = history["loss"] * len(rows.targets)  # C = 1
    highest_dual = found["loss"] * (1 - found["gap"])
    assert objectives.min() >= highest_dual * (1 - 1e-5)  # weak duality
    assert objectives[-1] <= highest_dual * (1 + 2e-3)


def test_the_picture_of_both_objectives_is_that_of_the_rbf_row():
    dataset, hparams = kernel_machines.data(SMALL), kernel_machines.Hparams(C=0.5, gamma=3.0)
    machine = kernel_machines.learner(hparams, SMALL)
    _, found = jax.jit(machine.step)(KEY, (), dataset.train)
    (axes,) = kernel_machines._meeting(dataset.train, hparams, SMALL).axes
    assert axes.get_title("left").endswith("C = 0.5, gamma = 3")
    primal, dual = (drawn.get_xydata().T for drawn in axes.lines)
    assert (np.diff(primal[0]) >= 0).all()
    assert primal[1][-1] == pytest.approx(float(found["loss"]), rel=1e-3)
    assert primal[1].min() >= dual[1].max() * (1 - 1e-5)  # weak duality


@pytest.mark.parametrize(("model", "low", "high"), [("linear", 0.35, 0.65), ("kernel", 0.99, 1.0)])
def test_the_kernel_sees_circles_and_the_line_does_not(model, low, high):
    settings = discriminants.Settings(model, dataset="circles", seed=11, num_classes=2)
    dataset = discriminants.data(settings)
    learner = discriminants.learner(discriminants.Hparams(), settings)
    state, _ = jax.jit(learner.step)(KEY, (), dataset.train)
    assert low <= accuracy(learner.predict(state, dataset.test.inputs), dataset.test.targets) <= high


def test_brute_force_leaves_one_out():
    rows = basis_regression.data(basis_regression.Settings(num_train=25)).train
    x, y = np.float64(rows.inputs), np.float64(rows.targets)
    found = basis_regression.leave_each_out(x, y, np.array([0.3, 20.0]))
    for alpha, error in zip((0.3, 20.0), found, strict=True):
        left_out = cross_val_predict(Ridge(alpha=alpha), x, y, cv=LeaveOneOut())
        np.testing.assert_allclose(error, np.mean((y - left_out) ** 2), rtol=1e-9)


def test_one_input_is_the_named_one():
    settings = basis_regression.Settings(feature="RM")
    everything, one = (basis_regression.data(settings._replace(is_one_input=flag)) for flag in (False, True))
    assert everything.test.inputs.shape[1] == 13
    np.testing.assert_array_equal(one.test.inputs[:, 0], everything.test.inputs[:, 5])
    with pytest.raises(InputError, match="unknown feature 'rooms'"):  # before the rows with all inputs train
        basis_regression.data(basis_regression.Settings(feature="rooms"))


@pytest.mark.parametrize(("dataset", "feature"), [("boston", "LSTAT"), ("diabetes", "bmi")])
def test_without_a_name_the_one_input_has_the_largest_correlation(dataset, feature):
    everything = basis_regression.data(basis_regression.Settings(dataset=dataset))
    x, y = (np.asarray(part, np.float64) for part in everything.train)
    correlations = np.abs(np.corrcoef(x, y, rowvar=False)[-1, :-1])
    assert everything.feature_names[correlations.argmax()] == feature
    one = basis_regression.data(basis_regression.Settings(dataset=dataset, is_one_input=True))
    assert one.feature_names == (feature,)


def test_a_column_that_does_not_vary_is_not_chosen():
    rows = Batch(np.stack([np.ones(4), np.array([0.0, 1.0, 0.0, 1.0])], axis=1), np.arange(4.0))
    assert basis_regression.most_correlated(rows) == 1


@pytest.mark.parametrize(("module", "field"), [(basis_regression, "basis"), (kernel_machines, "model")])
def test_unknown_choices_are_refused(module, field):
    with pytest.raises(InputError, match=f"unknown {field} 'spline'"):
        module.learner(module.Hparams(), module.Settings()._replace(**{field: "spline"}))
