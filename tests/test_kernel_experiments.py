"""What the experiments with closed forms add to their models: references, redraws, the grid."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from sklearn.svm import SVC

from experiments import basis_regression, discriminants, kernel_machines
from jaxnets import kernels
from jaxnets.check import InputError
from jaxnets.data import Dataset
from jaxnets.learner import Learner
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


def one_run(history, params):
    state = SimpleNamespace(params={"layers_1": {"kernel": jnp.array(params)}})
    return [SimpleNamespace(history=history, state=state)]


def test_checks_of_the_machines_tell_each_certificate(monkeypatch):
    """All scores are 0, so each of 20 hinges is 1; one cell takes 3 validation points of 10 for others."""
    dataset = kernel_machines.data(SMALL)
    hparams, num_valid = kernel_machines.Hparams(C=0.5), len(dataset.valid.targets)
    model = Learner(None, None, lambda state, x: jnp.zeros((len(x), 2)))
    history = {"loss": np.array([9.0, 15.0]), "gap": np.array([0.5, 0.2])}
    primal, dual = (
        SimpleNamespace(settings=SMALL._replace(model=name), hparams=hparams, learner=model, runs=runs)
        for name, runs in (
            ("primal", one_run(None, [[1.0], [-2.0]])), ("dual", one_run(history, [0.0]))
        )
    )  # fmt: skip
    values, shape = np.array([0.01, 100.0]), (2, 2)
    right = np.array([
        [SVC(C=C, gamma=gamma).fit(*dataset.train).predict(dataset.valid.inputs) for gamma in values]
        for C in values
    ])  # fmt: skip
    wrong = right.copy()
    wrong[1, 0, :3] = 1 - wrong[1, 0, :3]
    gaps = np.array([[1e-4, -7e-3], [2e-3, 0.0]])
    found = []
    for classes in (right, wrong):
        grid = kernel_machines.Grid(values, gaps, np.zeros(shape), gaps, classes)
        monkeypatch.setattr(kernel_machines, "grid", lambda settings, grid=grid: grid)
        found.append(kernel_machines.checks([primal, dual], dataset))
    objective = (1 + 4) / 2 + 0.5 * len(dataset.train.targets)
    assert [one["scikit_learn_agreement"] for one in found] == [1, pytest.approx(1 - 3 / num_valid)]
    assert found[0]["primal_less_dual"] == pytest.approx(objective / (15 * 0.8) - 1)
    assert found[0]["worst_relative_gap"] == 7e-3


@pytest.mark.parametrize(("model", "low", "high"), [("linear", 0.35, 0.65), ("kernel", 0.99, 1.0)])
def test_the_kernel_sees_circles_and_the_line_does_not(model, low, high):
    settings = discriminants.Settings(model, dataset="circles", seed=11, num_classes=2)
    dataset = discriminants.data(settings)
    learner = discriminants.learner(discriminants.Hparams(), settings)
    state, _ = jax.jit(learner.step)(KEY, (), dataset.train)
    assert low <= accuracy(learner.predict(state, dataset.test.inputs), dataset.test.targets) <= high


def discriminant_row(**settings):
    hparams, settings = discriminants.Hparams(), discriminants.Settings(**settings)
    learner = discriminants.learner(hparams, settings)
    return SimpleNamespace(hparams=hparams, settings=settings, learner=learner)


def test_a_shrunken_discriminant_is_not_scikit_learns():
    row = discriminant_row(dataset="wine", num_classes=3)
    assert discriminants._difference(row) < 1e-6
    row.learner = discriminants.learner(discriminants.Hparams(shrinkage=1e-4), row.settings)
    assert 1e-4 < discriminants._difference(row) < 1


def test_circles_are_redrawn_and_learned_for_each_seed(monkeypatch):
    """Of seed ``s`` a learner has ``s + 1`` rows of five right, if it has learned from rows of that seed."""

    def draw(settings):
        rows = Batch(np.full((5, 2), settings.seed), (np.arange(5) > settings.seed).astype(int))
        return Dataset(rows, test=rows)

    def predict(state, inputs):
        guess = int(np.any(state != inputs))
        return jax.nn.one_hot(np.full(5, guess), 2)

    learner = Learner(None, lambda key, state, rows: (rows.inputs, {}), predict)
    monkeypatch.setattr(discriminants, "data", draw)
    monkeypatch.setattr(discriminants, "_difference", lambda row: row.difference)
    rows = [
        SimpleNamespace(
            learner=learner, runs=[SimpleNamespace(state=None)], difference=difference,
            hparams=discriminants.Hparams(shrinkage), settings=discriminants.Settings(model, "circles"),
        )
        for model, difference, shrinkage in (("linear", 2.0, 0), ("linear", 9.0, 1e-3), ("kernel", 9.0, 0))
    ]  # fmt: skip
    others = SimpleNamespace(**{**vars(rows[0]), "difference": 1.0, "settings": discriminants.Settings()})
    found = discriminants.checks([rows[0], others, *rows[1:]], None)
    assert found == pytest.approx({
        "linear_accuracy_of_five_draws": 0.6, "kernel_accuracy_of_five_draws": 0.6,
        "scikit_learn_difference": 2.0,
    })  # fmt: skip


def test_checks_of_the_path_tell_each_part_that_is_wrong(monkeypatch):
    """A path by the learner itself; then one coefficient vector 1 % too long, errors 2 %, predictions 3 %."""
    hparams, settings = (
        basis_regression.Hparams(),
        basis_regression.Settings("linear", num_alphas=4, num_train=30),
    )
    rows = jax.tree.map(np.float64, basis_regression.data(settings).train)
    with jax.enable_x64(True):
        path, _ = jax.jit(basis_regression.learner(hparams, settings).step)(KEY, (), rows)
        path = jax.tree.map(np.asarray, path)

    def check(state, factor=1.0):
        exact = Learner(None, lambda key, _, rows: (state, {}), None)
        monkeypatch.setattr(basis_regression, "learner", lambda hparams, settings: exact)
        weights, bias = path.coefficients[path.chosen], path.intercepts[path.chosen]
        trained = Learner(None, None, lambda state, x: factor * (x @ weights + bias))
        runs = [SimpleNamespace(state=path)]
        return basis_regression._differences(
            SimpleNamespace(hparams=hparams, settings=settings, learner=trained, runs=runs)
        )

    right = check(path)
    assert max(right.values()) < 1e-5
    stretched = path.coefficients * np.array([1, 1, 1.01, 1])[:, None]
    wrong = {
        "scikit_learn_difference": (0.01, check(path._replace(coefficients=stretched))),
        "leave_one_out_difference": (0.02, check(path._replace(leave_one_out=1.02 * path.leave_one_out))),
        "difference_in_32_bits": (0.03, check(path, factor=1.03)),
    }
    for name, (expected, found) in wrong.items():
        assert found == pytest.approx(right | {name: expected}, rel=1e-3, abs=1e-5)
    monkeypatch.setattr(basis_regression, "_differences", lambda name: wrong[name][1])
    found = basis_regression.checks(list(wrong), None)
    assert found == pytest.approx({name: expected for name, (expected, _) in wrong.items()}, rel=1e-3)


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
