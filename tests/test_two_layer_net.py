"""The two-layer network: its gradient on colour images, its penalty and its decaying rate."""

from functools import partial
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from test_data_builders import cifar_archive

from experiments import _contract, _data, _run
from experiments import two_layer_net as experiment
from jaxnets import losses, train
from jaxnets.sweep.trial import complete


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """Forty small colour images, bright in the channel of their class."""
    path = tmp_path_factory.mktemp("data") / "colours.npz"
    labels = np.arange(40) % 3
    images = np.random.default_rng(0).uniform(0, 0.5, (40, 4, 5, 3)) + 0.5 * np.eye(3)[labels][:, None, None]
    np.savez(path, inputs=images.astype(np.float32), targets=labels)
    settings = experiment.Settings(dataset=str(path), num_hidden=6, num_epochs=2, num_steps=60, batch_size=8)
    return complete(settings, experiment.data(settings))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the builder
def test_cifar10_is_learned_from_its_own_files(downloads):
    """Twenty images of 32 by 32 in three colours: eighteen to train on, for two steps."""
    downloads(partial(cifar_archive, each=4))
    settings = experiment.Settings(dataset="cifar10", num_hidden=6, num_steps=2, batch_size=4)
    row = _run.train_row(
        _contract.read(experiment), "row", experiment.Hparams(), settings, seeds=1, report=lambda *news: None
    )
    assert row.settings.num_classes == 10
    assert row.runs[0].state.params.w1.shape == (3072, 6)
    assert np.isfinite(row.histories("loss")[0]).all()
    assert row.statuses == ["ok"]
    _data.load.cache_clear()  # the twenty images are not to be taken for the real ones


def fit(settings, **hparams):
    learner = experiment.learner(experiment.Hparams(spread=0.1, **hparams), settings)
    arguments = {"num_steps": settings.num_steps, "batch_size": 8, "sampling": "replacement"}
    dataset = experiment.data(settings)
    run = train.run(
        jax.random.key(0), learner, dataset, metrics=experiment.metrics, evaluate_every=30, **arguments
    )
    return learner, run


def test_learns_colour_images_and_keeps_the_history(settings):
    _, run = fit(settings)
    assert run.history["loss"][-1] < 0.5 * run.history["loss"][0]
    assert run.history["accuracy"][-1] > run.history["accuracy"][0]
    assert run.history["valid_accuracy"][-1] == 1.0


def test_gradient_by_hand_is_autodiffs_leaf_by_leaf(settings):
    with jax.enable_x64(True):
        normal = np.random.default_rng(1).normal
        params = experiment.Net(normal(size=(60, 6)), normal(size=6), normal(size=(6, 3)), normal(size=3))
        x, labels = normal(size=(9, 4, 5, 3)), np.arange(9, dtype=np.int32) % 3

        def plain(params):
            hidden = jnp.maximum(x.reshape(9, 60) @ params.w1 + params.b1[None], 0)
            entropy = losses.softmax_cross_entropy(hidden @ params.w2 + params.b2[None], labels)
            return entropy + 0.15 * ((params.w1**2).sum() + (params.w2**2).sum())

        value, gradient = jax.jit(experiment.value_and_grad)(params, x, labels, l2=0.3)
        expected, slope = jax.jit(jax.value_and_grad(plain))(params)
        assert float(value) == pytest.approx(float(expected), rel=1e-12)
        for name in gradient._fields:
            np.testing.assert_allclose(
                getattr(gradient, name), getattr(slope, name), atol=1e-12, err_msg=name
            )


@pytest.mark.parametrize("num_steps", [8, 60])
def test_rate_decays_after_an_epoch_whatever_the_number_of_steps(settings, num_steps):
    """With a rate that vanishes after the first epoch, of 32 // 8 steps, the next changes nothing."""
    batch = experiment.data(settings).train
    epoch = len(batch.targets) // 8
    learner = experiment.learner(experiment.Hparams(decay=1e-9), settings._replace(num_steps=num_steps))
    state = learner.init(jax.random.key(0), batch)
    step = jax.jit(lambda state: learner.step(jax.random.key(1), state, batch)[0])
    moved = []
    for _ in range(epoch + 2):
        new = step(state)
        moved.append(float(jnp.abs(new.params.w2 - state.params.w2).max()))
        state = new
    assert min(moved[:epoch]) > 1e-5
    assert max(moved[epoch:]) < 1e-8


def test_checks_tell_a_leaf_that_is_wrong(settings, monkeypatch):
    dataset, right = experiment.data(settings), experiment.value_and_grad
    params = experiment.learner(experiment.Hparams(), settings).init(jax.random.key(0), dataset.train).params
    results = [SimpleNamespace(runs=[SimpleNamespace(state=SimpleNamespace(params=params))])]
    assert 0 < experiment.checks(results, dataset)["largest_error_of_a_leaf"] < 1e-12

    def wrong(*args, **options):
        value, grads = right(*args, **options)
        return value, grads._replace(b1=grads.b1 + 0.01)

    monkeypatch.setattr(experiment, "value_and_grad", wrong)
    found = experiment.checks(results, dataset)
    assert found["largest_error_of_a_leaf"] == found["error_of_b1"] == pytest.approx(0.01)
    assert found["error_of_w1"] < 1e-12


def test_weights_of_colour_images_have_a_title_of_their_own(settings):
    _, run = fit(settings)
    steps = np.arange(len(run.history["loss"]))
    result = SimpleNamespace(
        runs=[run], steps=steps, histories=lambda name: [run.history[name]], settings=settings, num_rows=32
    )
    weights = experiment.figures([result], experiment.data(settings))["weights"]
    assert "red, green, blue" in weights.get_suptitle()
