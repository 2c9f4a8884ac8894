"""Whatever people sweep is traced, and a lone run through the engine is the loop that they would write."""

import inspect
from functools import partial
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import test_sweep as base

from jaxnets import data, gradient, kernels, layers, losses, models, sampling, schedules, sweep, train
from jaxnets.check import InputError
from jaxnets.sweep import Grid
from jaxnets.sweep import way as ways

DATA, KEY = data.load("iris"), jax.random.key(0)
NUM_STEPS = 12


LEFT_OUT = ("noisy_sgd", "optimistic_adam", "scale_by_rprop")
"""One wants a key, one is deprecated, one is a part."""


def optimizers():
    """Every optimizer of optax that is made of a rate alone."""
    for name, make in sorted(vars(optax).items()):
        if inspect.isfunction(make) and "learning_rate" in inspect.signature(make).parameters:
            needed = [
                one.name for one in inspect.signature(make).parameters.values() if one.default is one.empty
            ]
            if needed in ([], ["learning_rate"]) and name not in LEFT_OUT:
                yield name


SHORT = ("adamw", "sgd", "yogi")


def by_hand(name, rate):
    """The params after steps on full batches, in one compiled loop."""
    network = models.MLP((8,), 3)
    init_key = jax.random.split(jax.random.split(jax.random.key(0), 3)[0])[0]
    params = network.init(init_key, jnp.asarray(DATA.train.inputs[:1]))["params"]
    optimizer = optax.with_extra_args_support(getattr(optax, name)(rate))
    memory = optimizer.init(params)
    x, y = map(jnp.asarray, DATA.train)

    def loss(params):
        return losses.softmax_cross_entropy(network.apply({"params": params}, x), y)

    def step(carry, _):
        params, memory = carry
        value, grads = jax.value_and_grad(loss)(params)
        updates, memory = optimizer.update(grads, memory, params, value=value, grad=grads, value_fn=loss)
        return (optax.apply_updates(params, updates), memory), value

    return jax.lax.scan(step, (params, memory), length=NUM_STEPS)[0][0]


@pytest.mark.parametrize(
    "name",
    [*SHORT, *(pytest.param(name, marks=pytest.mark.release) for name in optimizers() if name not in SHORT)],
)
def test_a_lone_run_is_the_loop_written_by_hand(name):
    def learner(hparams):
        return gradient(models.MLP((8,), 3), losses.softmax_cross_entropy, getattr(optax, name)(hparams.rate))

    (part,) = sweep.plan(learner, Grid(rate=[0.01]), DATA, num_steps=NUM_STEPS, lanes=1).parts
    way = ways.begun(part.program)
    while way.step < NUM_STEPS:
        way = part.advanced(np.array([0]), way)
    expected = jax.jit(partial(by_hand, name))(jnp.float32(0.01))
    for ours, theirs in zip(jax.tree.leaves(way.run.state.params), jax.tree.leaves(expected), strict=True):
        np.testing.assert_array_equal(ours[0], theirs)


def test_there_are_optimizers():
    assert len([*optimizers()]) >= 20


class Knobs(NamedTuple):
    """What people sweep, all of it traced."""

    peak: float = 0.05
    num_warmup: float = 3.0
    num_decay: float = 10.0
    momentum: float = 0.5
    b1: float = 0.8
    b2: float = 0.9
    epsilon: float = 1e-3
    weight_decay: float = 1e-2
    clipping: float = 0.5
    dropout: float = 0.2
    scale: float = 1.0
    smoothing: float = 0.1
    temperature: float = 1.5
    l1: float = 1e-3
    l2: float = 1e-2
    activation: int = 0


class Network(nn.Module):
    knobs: Knobs

    @nn.compact
    def __call__(self, x, train):
        init = lambda *given: self.knobs.scale * nn.initializers.lecun_normal()(*given)  # noqa: E731
        a = nn.Dense(8, kernel_init=init)(x)
        a = jax.lax.switch(self.knobs.activation, [nn.relu, nn.tanh, nn.sigmoid], a)
        a = layers.Dropout(self.knobs.dropout)(a, train)
        return nn.Dense(3, kernel_init=init)(a)


def knobs_learner(knobs):
    rate = schedules.warmup_cosine(knobs.peak, num_warmup=knobs.num_warmup, num_steps=knobs.num_decay)
    optimizer = optax.chain(
        optax.clip_by_global_norm(knobs.clipping),
        optax.add_decayed_weights(knobs.weight_decay),
        optax.scale_by_adam(b1=knobs.b1, b2=knobs.b2, eps=knobs.epsilon),
        optax.trace(decay=knobs.momentum),
        optax.scale_by_learning_rate(rate),
    )

    def loss(logits, labels):
        return losses.softmax_cross_entropy(
            logits / knobs.temperature, labels, label_smoothing=knobs.smoothing
        )

    def penalty(params):
        leaves = jax.tree.leaves(params)
        return sum(knobs.l1 * jnp.abs(leaf).sum() + knobs.l2 * (leaf**2).sum() for leaf in leaves)

    return gradient(Network(knobs), loss, optimizer, penalty=penalty)


def test_every_knob_is_traced_and_swept_side_by_side_as_alone():
    """One cell for the defaults and one for each knob turned alone."""
    defaults = Knobs()
    turned = {name: 2 if name == "activation" else 0.7 * value for name, value in defaults._asdict().items()}
    points = [tuple(defaults), *(tuple(defaults._replace(**{name: value})) for name, value in turned.items())]
    grid = Grid.of_points(Knobs._fields, points)
    options = {"num_steps": 20, "batch_size": 30, "evaluate_every": 4, "hparams": defaults}
    wide, alone = (
        sweep.run(sweep.plan(knobs_learner, grid, DATA, lanes=lanes, **options)) for lanes in (len(points), 1)
    )
    np.testing.assert_allclose(wide.history["loss"], alone.history["loss"], rtol=1e-5)
    last = wide.history["loss"]
    for number, name in enumerate(Knobs._fields, start=1):
        assert not np.allclose(last[number], last[0], rtol=1e-5), name


def learners():
    """Models with a penalty, a shrinkage or a kernel's width: the grid's names and how they are made."""
    yield "ridge", {"alpha": [0.1, 10.0]}, lambda h: models.ridge_classifier(num_classes=3, alpha=h.alpha)
    yield (
        "discriminant", {"shrinkage": [0.0, 0.7]},
        lambda h: models.linear_discriminant(num_classes=3, shrinkage=h.shrinkage),
    )  # fmt: skip
    yield (
        "svm", {"C": [0.1, 10.0], "gamma": [0.1, 2.0]},
        lambda h: models.kernel_svm(num_classes=3, kernel=kernels.rbf(gamma=h.gamma), C=h.C),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "axes", "make"), [*learners()], ids=lambda value: value if isinstance(value, str) else ""
)
def test_models_that_are_solved_at_once_are_swept_too(name, axes, make):
    grid = Grid(**axes)
    options = {"num_steps": 1, "metrics": lambda scores, labels: {"score": scores.mean() + scores.std()}}
    wide, alone = (
        sweep.run(sweep.plan(make, grid, DATA, lanes=lanes, **options)) for lanes in (len(grid), 1)
    )
    np.testing.assert_allclose(wide.columns["test_score"], alone.columns["test_score"], rtol=1e-4)
    assert len(set(wide.columns["test_score"].tolist())) == len(grid)


class Lengths(NamedTuple):
    learning_rate: float = 0.1
    num_steps: int = 50


def test_runs_of_different_lengths_share_a_program():
    trial = base.TRIAL._replace(
        hparams=Lengths(),
        learner=lambda hparams, settings: base.learner(base.Hparams(hparams.learning_rate), settings),
    )
    result = sweep.run(sweep.plan(trial, Grid(num_steps=[7, 20, 33, 50]), lanes=4))
    assert result.columns["step"].tolist() == [7, 20, 33, 50]
    for cell, num_steps in ((0, 7), (2, 33)):
        alone = jax.jit(lambda rate, n=num_steps: base.lone(rate, 0, num_steps=n))(jnp.float32(0.1))
        ours = [result.columns[name][cell] for name in ("loss", "valid_accuracy")]
        np.testing.assert_allclose(
            ours, [alone.history[name][-1] for name in ("loss", "valid_accuracy")], rtol=1e-5
        )


class Sizes(NamedTuple):
    learning_rate: float = 0.1
    batch_size: int = 16


@pytest.mark.parametrize("order", ["replacement", "sequential"])
def test_rows_of_a_traced_size_are_those_of_the_size_again_and_again(order):
    """From within a pass on, over its end; shuffled passes are swept below."""
    traced = jax.jit(lambda size: sampling.of_size(order, size)(KEY, 4, 5, num_rows=20, batch_size=6))
    alone = jax.jit(lambda: sampling.ORDERS[order](KEY, 4, 5, num_rows=20, batch_size=3))
    np.testing.assert_array_equal(traced(3), np.tile(alone(), 2))


@pytest.mark.parametrize(
    "order",
    ["epoch", *(pytest.param(name, marks=pytest.mark.release) for name in ("replacement", "sequential"))],
)
def test_runs_of_different_batches_share_a_program(order):
    """Side by side, a size of the batch gives what it gives where it is static."""
    grid, data = Grid(batch_size=[6, 8, 24]), base.DATA.replace(test=None)
    make = lambda hparams: base.learner(base.Hparams(hparams.learning_rate), base.Settings(num_classes=3))  # noqa: E731
    options = {"num_steps": 40, "sampling": order, "evaluate_every": 20}
    traced = sweep.plan(make, grid, data, hparams=Sizes(), batch_size=8, lanes=3, **options)
    result = sweep.run(traced)
    for cell, size in enumerate([6, 8, 24]):
        fit = lambda rate, size=size: train.run(  # noqa: E731
            jax.random.key(0), make(Sizes(rate)), data, batch_size=size, **options
        )
        alone = jax.jit(fit)(jnp.float32(0.1)).history["loss"]
        np.testing.assert_allclose(result.history["loss"][cell], alone, rtol=1e-5)


def summed(hparams):
    loss = lambda outputs, labels: len(labels) * losses.softmax_cross_entropy(outputs, labels)  # noqa: E731
    return gradient(models.MLP((4,), 3), loss, optax.sgd(hparams.learning_rate))


def quietly_summed(hparams):
    """Its loss is a mean, and its rate so small that the sum shows in what a step changes alone."""
    told = lambda key, state, batch: (summed(hparams).step(key, state, batch)[0], {"loss": jnp.float32(1)})  # noqa: E731
    return summed(hparams)._replace(step=told)


class Dropping(nn.Module):
    rate: float

    @nn.compact
    def __call__(self, inputs, train):
        return nn.Dense(3)(layers.Dropout(self.rate)(nn.relu(nn.Dense(8)(inputs)), train))


def dropping(hparams):
    """It drops nothing in the first cell."""
    return gradient(Dropping(hparams.learning_rate), losses.softmax_cross_entropy, optax.sgd(0.1))


@pytest.mark.parametrize("make", [summed, quietly_summed, dropping])
def test_sizes_share_no_program_where_repeated_rows_make_another_step(make):
    grid, data = Grid(learning_rate=[0.0, 1e-4, 0.5], batch_size=[3, 4]), base.DATA.replace(test=None)
    with pytest.raises(InputError, match="on 3 rows that are repeated to 12 has another"):
        sweep.plan(make, grid, data, hparams=Sizes(), batch_size=4, num_steps=4)


def test_sizes_that_repeat_nothing_are_not_looked_at():
    """One size alone is its own common multiple."""
    grid, data = Grid(batch_size=[4]), base.DATA.replace(test=None)
    ready = sweep.plan(summed, grid, data, hparams=Sizes(), batch_size=4, num_steps=2, lanes=1)
    assert ready.parts[0].settings.batch_size == 4
